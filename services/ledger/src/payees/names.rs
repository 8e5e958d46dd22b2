//! Asks, through the broker, whether an account belongs to a name.

use std::time::Duration;

use anyhow::Result;
use api::broker::{Call, CallResult, NameChecked};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::word::{NotAgreed, Told};
use crate::config::NameChecks;
use crate::providers::operation_url;

/// The broker's operation that says so.
pub struct Names {
    client: reqwest::Client,
    url: String,
    patience: Duration,
}

/// Why there is no word; for the log. None of them repeats what was asked or said: it is somebody's name.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    #[error("{}", runtime::http::cause(.0))]
    Http(#[from] reqwest::Error),
    #[error("no answer in time")]
    Late,
    #[error("the broker answers {0}")]
    Status(u16),
    #[error("an answer that is not the agreed one")]
    Form,
    #[error(transparent)]
    NotAgreed(#[from] NotAgreed),
}

impl Names {
    /// `client` must show this service's certificate and demand the broker's.
    ///
    /// # Errors
    ///
    /// A deadline out of bounds, or what is no name of a provider or an operation.
    pub fn new(client: reqwest::Client, broker_url: &str, config: &NameChecks) -> Result<Self> {
        let url = operation_url(broker_url, &config.provider, &config.operation)?;
        Ok(Self { client, url, patience: config.patience()? })
    }

    /// Whether that account belongs to that name.
    ///
    /// # Errors
    ///
    /// There is no word, or none that can be used.
    pub async fn ask(&self, iban: &str, name: &str) -> Result<Told, Silence> {
        // By the clock: an answer may also come slowly.
        match timeout(self.patience, self.exchange(iban, name)).await {
            Ok(answered) => Ok(Told::heard(answered?)?),
            Err(_) => Err(Silence::Late),
        }
    }

    async fn exchange(&self, iban: &str, name: &str) -> Result<NameChecked, Silence> {
        let params = [("iban", iban), ("name", name)];
        let params = params.map(|(field, text)| (field.to_owned(), Value::from(text)));
        let call = Call { params: Map::from_iter(params), idempotency_key: None };
        let response = runtime::http::send(self.client.post(&self.url).json(&call)).await?;
        if !response.status().is_success() {
            return Err(Silence::Status(response.status().as_u16()));
        }
        let CallResult { result } = response.json().await?;
        serde_json::from_value(Value::Object(result)).map_err(|_| Silence::Form)
    }
}
