//! `ledger suspense`: the operator's hands. It asks the running ledger, under the operator's certificate: who may not do it over the wire may not do
//! it from here either, and what is done is in the ledger's audit log.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use api::internal::{Allocate, SuspensePage};
use api::transfers::Transfer;
use reqwest::{Client, RequestBuilder};
use runtime::config::Internal;
use runtime::{Clients, option};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::config::Config;

/// Name and help.
pub const COMMAND: (&str, &str) = (
    "suspense",
    "list [--state open|allocated] [--limit N] [--after ID] | allocate --id ID --account ID: money that could not be credited; both with the \
     operator's --certificate FILE --key FILE",
);

/// Runs it.
pub async fn run(config: &Config, arguments: &[String]) -> Result<()> {
    let (action, options) = arguments.split_first().context("say `list` or `allocate`")?;
    let (client, url) = operator(&config.common.internal, options)?;
    match action.as_str() {
        "list" => {
            let known = ["state", "limit", "after"].map(|name| (name, option(options, &format!("--{name}"))));
            let query: Vec<String> =
                known.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))).collect();
            print(&ask::<SuspensePage>(client.get(format!("{url}?{}", query.join("&")))).await?)
        }
        "allocate" => {
            let (item, account_id) = (id(options, "--id")?, id(options, "--account")?);
            let request = client.post(format!("{url}/{item}/allocate")).json(&Allocate { account_id });
            print(&ask::<Transfer>(request).await?)
        }
        other => bail!("`suspense {other}` is neither `suspense list` nor `suspense allocate`"),
    }
}

/// A client that shows the operator's certificate to the ledger only, and where to.
fn operator(internal: &Internal, options: &[String]) -> Result<(Client, String)> {
    let file = |name: &str| option(options, name).map(PathBuf::from).with_context(|| format!("{name} is missing"));
    let identity = Internal { certificate: file("--certificate")?, key: file("--key")?, ..internal.clone() };
    let url = format!("{}/internal/v1/suspense", internal.url.trim_end_matches('/'));
    Ok((Clients::new(identity).internal("ledger")?, url))
}

fn id(options: &[String], name: &str) -> Result<Uuid> {
    let text = option(options, name).with_context(|| format!("{name} is missing"))?;
    text.parse().with_context(|| format!("{name} is not an id"))
}

async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let answer = runtime::http::send(request).await.map_err(|error| anyhow::anyhow!(runtime::http::cause(&error)))?;
    let status = answer.status();
    if !status.is_success() {
        bail!("{status}: {}", answer.text().await.context("the ledger's answer broke off")?);
    }
    answer.json().await.context("the ledger's answer is not the agreed one")
}

#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
fn print(answer: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(answer)?);
    Ok(())
}
