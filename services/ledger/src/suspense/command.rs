//! `ledger suspense`: the operator's hands. It asks the running ledger, under the operator's certificate: who may not do it over the wire may not do
//! it from here either, and what is done is in the ledger's audit log.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use api::Id;
use api::internal::{Allocate, SuspensePage};
use api::transfers::Transfer;
use reqwest::{Client, RequestBuilder};
use runtime::Clients;
use runtime::config::Internal;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// List it, oldest first
    List {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// What waits, or what has found its owner
        #[arg(long, default_value = "open", value_parser = ["open", "allocated"])]
        state: String,
        /// How many of them
        #[arg(long)]
        limit: Option<u32>,
        /// Those after this one
        #[arg(long, value_name = "ID")]
        after: Option<Id>,
    },
    /// Credit one to its owner, once
    Allocate {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// The item
        #[arg(long)]
        id: Id,
        /// The owner's account
        #[arg(long, value_name = "ID")]
        account: Id,
    },
}

/// Who asks.
#[derive(Debug, clap::Args)]
pub struct Operator {
    /// The operator's certificate
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Its key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}
pub async fn run(config: &Config, action: Action) -> Result<()> {
    match action {
        Action::List { operator, state, limit, after } => {
            let (client, url) = operator.client(&config.common.internal)?;
            let limit = limit.map(|limit| format!("&limit={limit}"));
            let after = after.map(|after| format!("&after={after}"));
            let query: String = limit.into_iter().chain(after).collect();
            print(&ask::<SuspensePage>(client.get(format!("{url}?state={state}{query}"))).await?)
        }
        Action::Allocate { operator, id, account: account_id } => {
            let (client, url) = operator.client(&config.common.internal)?;
            let request = client.post(format!("{url}/{id}/allocate")).json(&Allocate { account_id });
            print(&ask::<Transfer>(request).await?)
        }
    }
}

impl Operator {
    /// A client that shows the operator's certificate to the ledger only, and where to.
    fn client(self, internal: &Internal) -> Result<(Client, String)> {
        let identity = Internal { certificate: self.certificate, key: self.key, ..internal.clone() };
        let url = format!("{}/internal/v1/suspense", internal.url.trim_end_matches('/'));
        Ok((Clients::new(identity).internal("ledger")?, url))
    }
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
