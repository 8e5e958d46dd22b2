//! Tells behavior what stands in the outbox, batch by batch. Many processes do so at once: each takes what no other has.

use std::sync::Arc;
use std::time::Duration;

use api::behavior::{BATCH, Events};
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Clock, Job, Teller, courier};
use storage::{Pool, StorageError};
use tracing::Span;

use super::store::{self, Left, QUEUE};
use crate::error::Invariant;
use crate::ids::SignalId;

/// How long a claim holds: longer than one question (10 seconds) takes.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// The pause after the first attempt that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many attempts in a row (a quarter of an hour) it is an error in the log.
const ALARMING: i32 = 12;

/// Tells behavior.
pub(crate) struct Telling {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) teller: Teller,
}

impl Job for Telling {
    type Piece = Vec<Left>;
    type Memory = ();
    type Error = StorageError;

    const PIECE: &'static str = "a batch of the outbox";

    async fn claim(&self, _: i64) -> Result<Vec<Vec<Left>>, StorageError> {
        let most = i64::try_from(BATCH).map_err(|_| Invariant("a batch beyond counting"))?;
        let left: Vec<Left> = QUEUE.claim(&self.pool, most, self.now()?, LEASE).await?;
        Ok(if left.is_empty() { Vec::new() } else { vec![left] })
    }

    fn span(_: &Vec<Left>) -> (Span, Option<&str>) {
        let reader = "behavior";
        (tracing::info_span!("outbox.tell", otel.kind = "producer", reader, trace_id = tracing::field::Empty), None)
    }

    async fn carry_out(&self, left: Vec<Left>) -> Result<(), StorageError> {
        let ids: Vec<SignalId> = left.iter().map(|left| left.id).collect();
        let Err(said) = self.tell(&left).await else { return store::done(&self.pool, &ids).await };
        // Default: a batch is not empty.
        let attempts = left.iter().map(|left| left.attempts).max().unwrap_or(1);
        if attempts >= ALARMING {
            tracing::error!(
                reason = said,
                attempts,
                signals = ids.len(),
                "behavior is not told what happens at the door"
            );
        } else {
            tracing::warn!(reason = said, attempts, signals = ids.len(), "behavior was not told; it will be");
        }
        store::again(&self.pool, &ids, self.now()? + courier::pause(PAUSE, attempts)).await
    }

    async fn maintain(&self, (): &mut ()) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Telling {
    /// The error says why not all is known to have been taken. What is refused by itself is not told again: it stands in the audit log.
    async fn tell(&self, left: &[Left]) -> Result<(), String> {
        let events = left.iter().filter_map(|left| left.event().transpose()).collect::<Result<Vec<_>, _>>();
        let events = events.map_err(|error| error.to_string())?;
        if events.is_empty() {
            return Ok(());
        }
        for refused in self.teller.tell(Events { events }).await? {
            tracing::error!(event = %refused.id, code = refused.code, field = refused.field, "behavior refused to learn of a signal");
        }
        Ok(())
    }

    fn now(&self) -> Result<DateTime<Utc>, Invariant> {
        DateTime::from_timestamp_millis(self.clock.unix_millis()).ok_or(Invariant("the clock shows no time"))
    }
}
