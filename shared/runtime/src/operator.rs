//! The operator's hands: a subcommand of a service asks the running service, under the operator's certificate. Who may not do it over the wire may not do it
//! from here either, and what is done is in the service's audit log.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Clients;
use crate::config::Internal;

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

impl Operator {
    /// A client that shows the operator's certificate to this service only, and the address of a path there.
    ///
    /// # Errors
    ///
    /// The certificate or its key cannot be read.
    pub fn client(self, service: &'static str, internal: &Internal, path: &str) -> Result<(Client, String)> {
        let identity = Internal { certificate: self.certificate, key: self.key, ..internal.clone() };
        let url = format!("{}{path}", internal.url.trim_end_matches('/'));
        Ok((Clients::new(identity).internal(service)?, url))
    }
}

/// Asks, and prints the answer as JSON.
///
/// # Errors
///
/// The service refuses, with its words; or it cannot be reached, or answers something else than `T`.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub async fn ask<T: Serialize + DeserializeOwned>(request: RequestBuilder) -> Result<()> {
    let answer = crate::http::send(request).await.map_err(|error| anyhow::anyhow!(crate::http::cause(&error)))?;
    let status = answer.status();
    if !status.is_success() {
        bail!("{status}: {}", answer.text().await.context("the answer broke off")?);
    }
    let answer: T = answer.json().await.context("the answer is not the agreed one")?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(())
}
