//! Takes stored webhooks to the ledger.
//!
//! At least once, with the event's id as idempotency key: a message is marked as delivered only after the ledger has said so, and
//! a broker that dies in between (or two brokers that share the inbox) is harmless, because a claim is a lease that runs out.
//! What the ledger refuses in words that we know to be about the event itself is kept for a person ([`super::command`]) and for the provider, who may
//! send it again; everything else is tried again, ever more slowly, without end.

use std::sync::Arc;
use std::time::Duration;

use api::problem::code;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use runtime::{Clock, Shutdown, trace};
use storage::{Pool, StorageError};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::event;
use super::store::{self, Due};

/// Messages that are delivered at the same time.
const BATCH: i64 = 16;
/// How long a claim holds: longer than a delivery can take.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// The longest pause between two attempts.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// How long ids are remembered against replays; the signature window is five minutes.
const MEMORY: TimeDelta = TimeDelta::days(30);
/// What the ledger says about an event that will not be right the next time either: status, code and, where the code is about any request, the
/// field. Whatever is not in here is about something else: a proxy, a ledger of another version, a fault.
const FINAL: [(u16, &str, Option<&str>); 6] = [
    (400, code::AMOUNT_INVALID, None),
    (400, code::REQUEST_INVALID, Some("currency")),
    (400, code::REQUEST_INVALID, Some("event_id")),
    (404, code::PAYOUT_NOT_FOUND, None),
    (409, code::PAYOUT_CONTRADICTED, None),
    (422, code::KEY_REUSED, None),
];
/// How often old ones are deleted.
const PURGE_EVERY: TimeDelta = TimeDelta::hours(1);

/// Delivers.
pub struct Courier {
    /// The inbox's database.
    pub pool: Pool,
    /// A client that shows our certificate and demands the ledger's.
    pub client: reqwest::Client,
    /// The ledger's internal URL.
    pub ledger_url: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rung when something was stored.
    pub wake: Arc<Notify>,
    /// How often to look without being told.
    pub poll: Duration,
}

/// Why nothing was delivered, or not noted.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    /// The inbox.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What cannot happen has happened; nothing is done about it but to stop.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
}

enum Outcome {
    Delivered,
    Rejected(String),
    Postponed(String),
}

impl Courier {
    /// Works until the process goes down. What is under way is finished, what is not stays in the inbox.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let courier = Arc::new(self);
        let mut purged: Option<DateTime<Utc>> = None;
        while !shutdown.is_requested() {
            let now = courier.now()?;
            if purged.is_none_or(|last| now - last >= PURGE_EVERY) {
                purged = Some(now);
                courier.purge(now).await;
            }
            let busy = match courier.round().await {
                Ok(count) => count > 0,
                Err(error) => {
                    tracing::warn!(cause = %error, "the webhook inbox cannot be read");
                    false
                }
            };
            if !busy {
                tokio::select! {
                    () = shutdown.requested() => (),
                    () = courier.wake.notified() => (),
                    () = tokio::time::sleep(courier.poll) => (),
                }
            }
        }
        Ok(())
    }

    /// Delivers what is due; tells how many messages that were.
    async fn round(self: &Arc<Self>) -> Result<usize, DeliveryError> {
        let now = self.now()?;
        let due: Vec<Due> =
            storage::transaction(&self.pool, "webhooks.claim", async |db| store::claim(db, BATCH, now, LEASE).await)
                .await?;
        let count = due.len();
        let mut deliveries = JoinSet::new();
        for message in due {
            let courier = Arc::clone(self);
            deliveries.spawn(async move { courier.deliver(message).await });
        }
        while let Some(ended) = deliveries.join_next().await {
            match ended {
                Ok(Ok(())) => (),
                Ok(Err(error)) => {
                    tracing::warn!(cause = %error, "the outcome of a delivery was not stored; it will be delivered again");
                }
                Err(error) => tracing::error!(cause = %error, "a delivery broke off; it will be made again"),
            }
        }
        Ok(count)
    }

    /// One delivery, in the trace that the message began here.
    async fn deliver(&self, message: Due) -> Result<(), DeliveryError> {
        let span = tracing::info_span!(
            "webhook.deliver",
            otel.kind = "consumer",
            provider = message.provider,
            event_id = message.event_id,
            kind = message.kind,
            attempt = message.attempts,
            trace_id = tracing::field::Empty,
        );
        trace::continue_from(&span, message.traceparent.as_deref());
        if let Some(trace_id) = trace::trace_id(&span) {
            span.record("trace_id", trace_id);
        }
        async {
            let outcome = self.send(&message).await;
            self.settle(&message, outcome).await
        }
        .instrument(span)
        .await
    }

    async fn send(&self, message: &Due) -> Outcome {
        let Some(body) = message.body.as_deref() else {
            return Outcome::Postponed("the message is gone, which the database should not allow".to_owned());
        };
        let Ok(Some(delivery)) = event::delivery(&message.provider, &message.event_id, body) else {
            return Outcome::Rejected("the event is not of the agreed form".to_owned());
        };
        let url = format!("{}{}", self.ledger_url.trim_end_matches('/'), delivery.path);
        let response = match runtime::http::send(self.client.post(url).json(&delivery.body)).await {
            Ok(response) => response,
            Err(error) => return Outcome::Postponed(runtime::http::cause(&error)),
        };
        let status = response.status();
        if status.is_success() {
            return Outcome::Delivered;
        }
        match response.json::<api::Problem>().await {
            Ok(problem) => {
                let said = format!("{} {}", status.as_u16(), problem.code);
                if is_final(status, &problem) { Outcome::Rejected(said) } else { Outcome::Postponed(said) }
            }
            Err(error) => {
                let why = runtime::http::cause(&error);
                Outcome::Postponed(format!("{} without a problem: {why}", status.as_u16()))
            }
        }
    }

    async fn settle(&self, message: &Due, outcome: Outcome) -> Result<(), DeliveryError> {
        let now = self.now()?;
        let mut db = storage::connection(&self.pool).await?;
        let stored = match outcome {
            Outcome::Delivered => store::delivered(&mut db, message.id, now).await,
            Outcome::Rejected(reason) => {
                let (provider, event_id) = (message.provider.as_str(), message.event_id.as_str());
                runtime::audit!("webhook", outcome = "rejected", reason, provider, event_id);
                store::rejected(&mut db, message.id, &reason, now).await
            }
            Outcome::Postponed(reason) => {
                tracing::warn!(reason, "a webhook was not delivered yet");
                store::postponed(&mut db, message.id, &reason, now + pause(message.attempts)).await
            }
        };
        Ok(stored?)
    }

    async fn purge(&self, now: DateTime<Utc>) {
        let purging = async {
            let mut db = storage::connection(&self.pool).await?;
            store::purge(&mut db, now - MEMORY).await
        };
        match purging.await {
            Ok(0) => (),
            Ok(count) => tracing::info!(count, "old webhooks deleted"),
            Err(error) => tracing::warn!(cause = %error, "old webhooks were not deleted"),
        }
    }

    fn now(&self) -> Result<DateTime<Utc>, DeliveryError> {
        let now = DateTime::from_timestamp_millis(self.clock.unix_millis());
        now.ok_or(DeliveryError::Invariant("a clock beyond the calendar"))
    }
}

fn is_final(status: StatusCode, problem: &api::Problem) -> bool {
    FINAL.iter().any(|(known, code, field)| {
        status.as_u16() == *known && problem.code == *code && (field.is_none() || problem.field.as_deref() == *field)
    })
}

/// 0.25, 0.5, 1 … seconds, at most five minutes, and up to a quarter more.
fn pause(attempts: i32) -> TimeDelta {
    // Default: before the first attempt there is nothing to double.
    let doubling = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    let base = (TimeDelta::milliseconds(250) * 2_i32.pow(doubling)).min(MAX_PAUSE);
    let [jitter] = crypto::random::bytes::<1>();
    base + base * i32::from(jitter) / 1024
}
