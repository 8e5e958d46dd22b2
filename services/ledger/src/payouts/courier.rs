//! Takes pending payouts to the broker.
//!
//! A claim is a lease: it is committed before the broker is asked, no transaction is open meanwhile, and a process that dies in between
//! leaves the order to the next one. Sending an order twice is harmless, because the partner knows it by the payout's id.

use std::sync::Arc;
use std::time::Duration;

use api::broker::{Answer, Call, PayoutOrder};
use api::internal::PayoutOutcome;
use api::problem::code;
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Shutdown, trace};
use serde_json::{Value, json};
use tracing::Instrument as _;

use super::close::close;
use super::store::{self, Payout};
use crate::error::Error;
use crate::posting::Word;
use crate::state::State;

/// Payouts that are taken at a time.
const BATCH: i64 = 16;
/// How long a claim holds: longer than the broker takes.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// The longest pause between two attempts.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Submits payouts.
pub struct Courier {
    /// The ledger.
    pub state: Arc<State>,
    /// A client that shows our certificate and demands the broker's.
    pub client: reqwest::Client,
    /// The broker's internal URL.
    pub broker_url: String,
    /// How often to look without being told.
    pub poll: Duration,
}

enum Submission {
    Accepted(String),
    /// For good: nothing was ordered, and it never will be.
    Refused(String),
    /// It may have been ordered. Ask again.
    Open(String),
}

impl Courier {
    /// Works until the process goes down.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let bell = Arc::clone(&self.state.payouts);
        while !shutdown.is_requested() {
            let busy = match self.round().await {
                Ok(count) => count > 0,
                Err(error) => {
                    tracing::warn!(cause = %error, "pending payouts cannot be read");
                    false
                }
            };
            if !busy {
                tokio::select! {
                    () = shutdown.requested() => (),
                    () = bell.notified() => (),
                    () = tokio::time::sleep(self.poll) => (),
                }
            }
        }
        Ok(())
    }

    /// Submits what is due; tells how many payouts that were.
    async fn round(&self) -> Result<usize, Error> {
        let now = self.now();
        let due: Vec<Payout> = storage::transaction(&self.state.poster, "payouts.claim", async |db| {
            Ok::<_, Error>(store::claim(db, BATCH, now, LEASE).await?)
        })
        .await?;
        let count = due.len();
        let deliveries = due.into_iter().map(|payout| self.deliver(payout));
        for outcome in futures_util::future::join_all(deliveries).await {
            if let Err(error) = outcome {
                tracing::warn!(cause = %error, "a payout's outcome was not stored; it will be submitted again");
            }
        }
        Ok(count)
    }

    /// One submission, in the trace of the request that ordered the payout.
    async fn deliver(&self, payout: Payout) -> Result<(), Error> {
        let span = tracing::info_span!("payout.submit", otel.kind = "consumer", payout = %payout.id, attempt = payout.attempts);
        trace::continue_from(&span, payout.traceparent.as_deref());
        async {
            match self.submit(&payout).await? {
                Submission::Accepted(partner_id) => {
                    let mut db = storage::connection(&self.state.poster).await?;
                    Ok(store::submitted(&mut db, payout.id, &partner_id).await?)
                }
                Submission::Refused(reason) => {
                    runtime::audit!("payout", outcome = "refused", reason, payout = %payout.id);
                    close(&self.state, payout.id, PayoutOutcome::Failed, Word::Refusal).await.map(|_| ())
                }
                Submission::Open(reason) => {
                    tracing::warn!(reason, "a payout was not submitted yet");
                    let mut db = storage::connection(&self.state.poster).await?;
                    Ok(store::postpone(&mut db, payout.id, self.now() + pause(payout.attempts)).await?)
                }
            }
        }
        .instrument(span)
        .await
    }

    async fn submit(&self, payout: &Payout) -> Result<Submission, Error> {
        let url =
            format!("{}/internal/v1/operations/sandbox-bank/create_payout", self.broker_url.trim_end_matches('/'));
        let Value::Object(params) = json!({
            "payout_id": payout.id,
            "amount": payout.money()?.to_string(),
            "currency": payout.currency,
            "creditor_iban": payout.creditor_iban,
            "creditor_name": payout.creditor_name,
            "reference": payout.reference,
        }) else {
            return Ok(Submission::Open("an object is an object".to_owned()));
        };
        let call = Call { params, idempotency_key: Some(payout.id.to_string()) };
        let response = match runtime::http::send(self.client.post(url).json(&call)).await {
            Ok(response) => response,
            Err(error) => return Ok(Submission::Open(runtime::http::cause(&error))),
        };
        let status = response.status();
        if status.is_success() {
            let answer = response.json::<Answer>().await.ok();
            let order =
                answer.and_then(|answer| serde_json::from_value::<PayoutOrder>(Value::Object(answer.result)).ok());
            return Ok(match order {
                Some(order) => Submission::Accepted(order.id),
                None => Submission::Open("an answer that is not the agreed one".to_owned()),
            });
        }
        let problem = response.json::<api::Problem>().await.map_or_else(|_| String::new(), |problem| problem.code);
        let said = format!("{} {problem}", status.as_u16());
        Ok(if problem == code::UPSTREAM_REFUSED { Submission::Refused(said) } else { Submission::Open(said) })
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.state.clock.unix_millis()).unwrap_or_default()
    }
}

/// 0.5, 1, 2 … seconds, at most five minutes, and up to a quarter more.
fn pause(attempts: i32) -> TimeDelta {
    let doubling = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    let base = (TimeDelta::milliseconds(500) * 2_i32.pow(doubling)).min(MAX_PAUSE);
    let [jitter] = crypto::random::bytes::<1>();
    base + base * i32::from(jitter) / 1024
}
