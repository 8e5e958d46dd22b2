//! Tells behavior what stands in the outbox, batch by batch. Many processes do so at once: each takes what no other has.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use api::Id;
use api::behavior::BATCH;
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
        let (mut events, mut untold) = (Vec::with_capacity(left.len()), HashSet::<Id>::new());
        for left in &left {
            match left.event() {
                Ok(event) => events.extend(event),
                Err(error) => {
                    tracing::error!(signal = %left.id, cause = %error, attempts = left.attempts, "a signal cannot be told");
                    untold.insert(left.id.into());
                }
            }
        }
        let told = self.teller.tell(events).await;
        for refused in &told.refused {
            tracing::error!(event = %refused.id, code = refused.code, field = refused.field, "behavior refused to learn of a signal");
        }
        untold.extend(told.untold);
        let (again, done): (Vec<&Left>, Vec<&Left>) = left.iter().partition(|left| untold.contains(&left.id.into()));
        // What is refused by itself is not told again: it stands in the audit log.
        let done: Vec<SignalId> = done.into_iter().map(|left| left.id).collect();
        store::done(&self.pool, &done).await?;
        self.again(&again, told.said).await
    }

    async fn maintain(&self, (): &mut ()) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Telling {
    /// These are told again, each after a pause by its own attempts: what fails again and again keeps no other waiting.
    async fn again(&self, left: &[&Left], said: Option<String>) -> Result<(), StorageError> {
        let Some(attempts) = left.iter().map(|left| left.attempts).max() else { return Ok(()) };
        let signals = left.len();
        if attempts >= ALARMING {
            tracing::error!(reason = said, attempts, signals, "behavior is not told what happens at the door");
        } else {
            tracing::warn!(reason = said, attempts, signals, "behavior was not told; it will be");
        }
        let mut by_attempts = BTreeMap::<i32, Vec<SignalId>>::new();
        for left in left {
            by_attempts.entry(left.attempts).or_default().push(left.id);
        }
        for (attempts, ids) in by_attempts {
            store::again(&self.pool, &ids, self.now()? + courier::pause(PAUSE, attempts)).await?;
        }
        Ok(())
    }

    fn now(&self) -> Result<DateTime<Utc>, Invariant> {
        DateTime::from_timestamp_millis(self.clock.unix_millis()).ok_or(Invariant("the clock shows no time"))
    }
}
