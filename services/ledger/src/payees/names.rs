//! Asks, through the broker, whether an account belongs to a name.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use api::broker::{Call, CallResult, NameChecked};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use runtime::metrics;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::word::{NotAgreed, Told};
use crate::config::NameChecks;
use crate::providers::operation_url;

/// `ledger.payees.checks{answer}`: the words, and why there was none.
static CHECKS: LazyLock<Counter<u64>> = LazyLock::new(|| metrics::meter().u64_counter("ledger.payees.checks").build());

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
    /// With the code of its problem.
    #[error("the broker answers {0} {1}")]
    Refused(u16, String), // Text: only logged; the broker's own word.
    #[error("an answer that is not the agreed one")]
    Form,
    #[error(transparent)]
    NotAgreed(#[from] NotAgreed),
}

impl Silence {
    /// In a few words, for a metric.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "unreachable",
            Self::Late => "late",
            Self::Refused(..) => "refused",
            Self::Form | Self::NotAgreed(_) => "not_agreed",
        }
    }
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
        let told = match timeout(self.patience, self.exchange(iban, name)).await {
            Ok(answered) => answered.and_then(|answer| Ok(Told::heard(answer)?)),
            Err(_) => Err(Silence::Late),
        };
        let answer = match &told {
            Ok(told) => told.word.into(),
            Err(silence) => silence.kind(),
        };
        CHECKS.add(1, &[KeyValue::new("answer", answer)]);
        told
    }

    async fn exchange(&self, iban: &str, name: &str) -> Result<NameChecked, Silence> {
        let params = [("iban", iban), ("name", name)];
        let params = params.map(|(field, text)| (field.to_owned(), Value::from(text)));
        let call = Call { params: Map::from_iter(params), idempotency_key: None };
        let response = runtime::http::send(self.client.post(&self.url).json(&call)).await?;
        let status = response.status();
        if !status.is_success() {
            // Default: whoever stands in front of the broker says no code.
            let code = response.json::<api::Problem>().await.map(|problem| problem.code).unwrap_or_default();
            return Err(Silence::Refused(status.as_u16(), code));
        }
        let CallResult { result } = response.json().await?;
        serde_json::from_value(Value::Object(result)).map_err(|_| Silence::Form)
    }
}
