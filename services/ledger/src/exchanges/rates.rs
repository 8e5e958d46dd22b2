//! Reference rates, from the broker. It keeps them for a while; the ledger asks each time.

use api::broker::{Answer, Call, ReferenceRates};
use serde_json::{Map, Value};

use crate::error::Error;

/// Who published the rates, as stored and shown.
pub const SOURCE: &str = "European Central Bank";

/// The broker's operation `ecb/reference_rates`.
pub struct Rates {
    client: reqwest::Client,
    url: String,
    max_age_days: Option<u32>,
}

impl Rates {
    /// `client` must show this service's certificate and demand the broker's.
    pub fn new(client: reqwest::Client, broker_url: &str, max_age_days: Option<u32>) -> Self {
        let url = format!("{}/internal/v1/operations/ecb/reference_rates", broker_url.trim_end_matches('/'));
        Self { client, url, max_age_days }
    }

    /// The newest rates.
    pub async fn latest(&self) -> Result<ReferenceRates, Error> {
        let call = Call { params: Map::new(), idempotency_key: None };
        let failed = |error: reqwest::Error| Error::Broker(runtime::http::cause(&error));
        let response = runtime::http::send(self.client.post(&self.url).json(&call)).await.map_err(failed)?;
        let answer: Answer = response.error_for_status().map_err(failed)?.json().await.map_err(failed)?;
        serde_json::from_value(Value::Object(answer.result)).map_err(|error| Error::Broker(error.to_string()))
    }

    /// Days between the rates and now are not more than this house deals at.
    pub fn check_age(&self, date: chrono::NaiveDate, now: i64) -> Result<(), Error> {
        let Some(limit) = self.max_age_days else { return Ok(()) };
        let today = chrono::DateTime::from_timestamp(now, 0).unwrap_or_default().date_naive();
        let age = today.signed_duration_since(date).num_days();
        if age > i64::from(limit) { Err(Error::NoRate("the newest published rates are too old")) } else { Ok(()) }
    }
}
