//! Takes stored webhooks to the ledger.
//!
//! At least once, with the event's id as idempotency key: a message is marked as delivered only after the ledger has said so, and
//! a broker that dies in between (or two brokers that share the inbox) is harmless, because a claim is a lease ([`runtime::courier`]).
//! What the ledger refuses in words that we know to be about the event itself is kept for a person ([`super::command`]) and for the provider, who may
//! send it again; everything else is tried again, ever more slowly, without end.

use std::sync::Arc;
use std::time::Duration;

use api::problem::code;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use runtime::{Clock, Job, courier};
use storage::{Pool, StorageError};
use tracing::Span;

use super::event;
use super::store::{self, Due, QUEUE};
use crate::providers::Catalogue;

/// How long a claim holds: longer than a delivery can take.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// The pause after the first attempt.
const PAUSE: Duration = Duration::from_millis(250);
/// How long ids are remembered against replays; the signature window is five minutes.
const MEMORY: TimeDelta = TimeDelta::days(30);
/// What the ledger says about an event that will not be right the next time either: status, code and, where the code is about any request, the
/// field. Whatever is not in here is about something else: a proxy, a ledger of another version, a fault.
const FINAL: [(u16, &str, Option<&str>); 7] = [
    (400, code::AMOUNT_INVALID, None),
    (400, code::REQUEST_INVALID, Some("currency")),
    (400, code::REQUEST_INVALID, Some("event_id")),
    (404, code::PAYOUT_NOT_FOUND, None),
    (409, code::PAYOUT_CONTRADICTED, None),
    (422, code::KEY_REUSED, None),
    // More than the books can hold.
    (422, code::LIMIT_EXCEEDED, None),
];
/// How often old ones are deleted.
const PURGE_EVERY: TimeDelta = TimeDelta::hours(1);

pub struct Deliveries {
    pub pool: Pool,
    /// A client that shows our certificate and demands the ledger's.
    pub client: reqwest::Client,
    /// The ledger's internal URL.
    pub ledger_url: String,
    /// The providers: what their events mean.
    pub catalogue: Arc<Catalogue>,
    pub clock: Arc<dyn Clock>,
}

/// Why nothing was delivered, or not noted.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What cannot happen has happened; nothing is done about it but to stop.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
}

impl Job for Deliveries {
    type Piece = Due;
    /// When old ones were deleted last.
    type Memory = Option<DateTime<Utc>>;
    type Error = DeliveryError;

    const PIECE: &'static str = "a webhook";

    async fn claim(&self, limit: i64) -> Result<Vec<Due>, DeliveryError> {
        Ok(QUEUE.claim(&self.pool, limit, self.now()?, LEASE).await?)
    }

    fn span(message: &Due) -> (Span, Option<&str>) {
        let span = tracing::info_span!(
            "webhook.deliver",
            otel.kind = "consumer",
            provider = message.provider.as_str(),
            event_id = message.event_id.as_str(),
            kind = message.kind,
            attempt = message.attempts,
            trace_id = tracing::field::Empty,
        );
        (span, message.traceparent.as_deref())
    }

    async fn carry_out(&self, message: Due) -> Result<(), DeliveryError> {
        let outcome = self.send(&message).await;
        self.settle(&message, outcome).await
    }

    async fn maintain(&self, purged: &mut Self::Memory) -> Result<(), DeliveryError> {
        let now = self.now()?;
        if purged.is_none_or(|last| now - last >= PURGE_EVERY) {
            *purged = Some(now);
            self.purge(now).await;
        }
        Ok(())
    }
}

enum DeliveryOutcome {
    Delivered,
    Rejected(String),
    Postponed(String),
}

impl Deliveries {
    async fn send(&self, message: &Due) -> DeliveryOutcome {
        let Some(body) = message.body.as_deref() else {
            return DeliveryOutcome::Postponed("the message is gone, which the database should not allow".to_owned());
        };
        let provider = self.catalogue.provider(&message.provider);
        let Some(webhook) = provider.and_then(|provider| provider.webhook.as_deref()) else {
            return DeliveryOutcome::Postponed(
                "the configuration does not serve this provider's webhooks any more".to_owned(),
            );
        };
        let Ok(delivery) = event::delivery(webhook, &message.provider, &message.event_id, body) else {
            return DeliveryOutcome::Rejected("the event is not of the agreed form".to_owned());
        };
        let url = format!("{}{}", self.ledger_url.trim_end_matches('/'), delivery.path);
        let response = match runtime::http::send(self.client.post(url).json(&delivery.body)).await {
            Ok(response) => response,
            Err(error) => return DeliveryOutcome::Postponed(runtime::http::cause(&error)),
        };
        let status = response.status();
        if status.is_success() {
            return DeliveryOutcome::Delivered;
        }
        match response.json::<api::Problem>().await {
            Ok(problem) => {
                let said = format!("{} {}", status.as_u16(), problem.code);
                if is_final(status, &problem) {
                    DeliveryOutcome::Rejected(said)
                } else {
                    DeliveryOutcome::Postponed(said)
                }
            }
            Err(error) => {
                let why = runtime::http::cause(&error);
                DeliveryOutcome::Postponed(format!("{} without a problem: {why}", status.as_u16()))
            }
        }
    }

    async fn settle(&self, message: &Due, outcome: DeliveryOutcome) -> Result<(), DeliveryError> {
        let now = self.now()?;
        let mut db = storage::connection(&self.pool).await?;
        let stored = match outcome {
            DeliveryOutcome::Delivered => store::delivered(&mut db, message.id, now).await,
            DeliveryOutcome::Rejected(reason) => {
                let (provider, event_id) = (message.provider.as_str(), message.event_id.as_str());
                runtime::audit!("webhook", outcome = "rejected", reason, provider, event_id);
                store::rejected(&mut db, message.id, &reason, now).await
            }
            DeliveryOutcome::Postponed(reason) => {
                tracing::warn!(reason, "a webhook was not delivered yet");
                store::postponed(&mut db, message.id, &reason, now + courier::pause(PAUSE, message.attempts)).await
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
