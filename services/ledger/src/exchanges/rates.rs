//! Reference rates, from the broker. It keeps them for a while; the ledger asks each time.

use api::broker::{Call, CallResult, ReferenceRates};
use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

use crate::config::RateSource;
use crate::error::Error;
use crate::providers::operation_url;

/// The broker's operation that answers them.
pub struct Rates {
    client: reqwest::Client,
    url: String,
    published_by: String,
    max_age_days: u32,
}

impl Rates {
    /// `client` must show this service's certificate and demand the broker's.
    pub fn new(
        client: reqwest::Client,
        broker_url: &str,
        source: &RateSource,
        max_age_days: u32,
    ) -> anyhow::Result<Self> {
        let url = operation_url(broker_url, &source.provider, &source.operation)?;
        Ok(Self { client, url, published_by: source.published_by.clone(), max_age_days })
    }

    /// Who publishes them, as stored and shown.
    pub fn published_by(&self) -> &str {
        &self.published_by
    }

    pub async fn latest(&self) -> Result<ReferenceRates, Error> {
        let call = Call { params: Map::new(), idempotency_key: None };
        let failed = |error: reqwest::Error| Error::Broker(runtime::http::cause(&error));
        let response = runtime::http::send(self.client.post(&self.url).json(&call)).await.map_err(failed)?;
        let answer: CallResult = response.error_for_status().map_err(failed)?.json().await.map_err(failed)?;
        serde_json::from_value(Value::Object(answer.result)).map_err(|error| Error::Broker(error.to_string()))
    }

    /// The day of `rates`: no older than this house deals at, and not of the future, by the calendar of UTC. (A source whose day
    /// begins before that of UTC is refused until it has begun there, too.)
    pub fn day(&self, rates: &ReferenceRates, now: i64) -> Result<NaiveDate, Error> {
        let date: NaiveDate = rates.date.parse().map_err(|_| Error::Broker("the rates have no date".to_owned()))?;
        match age(date, now)? {
            ..0 => Err(Error::RateDate { date, why: "that is in the future" }),
            days if days > i64::from(self.max_age_days) => Err(Error::RateDate { date, why: "that is too old" }),
            _ => Ok(date),
        }
    }
}

/// In days; negative if it is yet to come.
fn age(date: NaiveDate, now: i64) -> Result<i64, Error> {
    let today = DateTime::from_timestamp(now, 0).ok_or(Error::Invariant("a clock beyond the calendar"))?.date_naive();
    Ok(today.signed_duration_since(date).num_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_counted_in_calendar_days() {
        let friday = NaiveDate::from_ymd_opt(2026, 10, 30).unwrap();
        let midnight = 1_793_318_400; // 2026-10-30T00:00:00Z
        for (seconds, days) in [(-1, -1), (0, 0), (86_399, 0), (86_400, 1), (3 * 86_400 + 5, 3)] {
            assert_eq!(age(friday, midnight + seconds).unwrap(), days, "{seconds}");
        }
    }
}
