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
    max_age_days: u32,
}

impl Rates {
    /// `client` must show this service's certificate and demand the broker's.
    pub fn new(client: reqwest::Client, broker_url: &str, max_age_days: u32) -> Self {
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
        if age(date, now) > i64::from(self.max_age_days) {
            return Err(Error::NoRate("the newest published rates are too old"));
        }
        Ok(())
    }
}

/// In days, by the calendar of UTC; negative if they are of tomorrow.
fn age(date: chrono::NaiveDate, now: i64) -> i64 {
    let today = chrono::DateTime::from_timestamp(now, 0).unwrap_or_default().date_naive();
    today.signed_duration_since(date).num_days()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_counted_in_calendar_days() {
        let friday = chrono::NaiveDate::from_ymd_opt(2026, 10, 30).unwrap();
        let midnight = 1_793_318_400; // 2026-10-30T00:00:00Z
        for (seconds, days) in [(-1, -1), (0, 0), (86_399, 0), (86_400, 1), (3 * 86_400 + 5, 3)] {
            assert_eq!(age(friday, midnight + seconds), days, "{seconds}");
        }
    }
}
