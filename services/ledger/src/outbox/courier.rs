//! Tells the reader what is new, batch by batch, until it has been told everything.

use std::sync::Arc;
use std::time::Duration;

use api::behavior::{BATCH, Event};
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Clock, Job, Teller, courier};
use storage::Pool;
use tracing::Span;

use super::store::{self, News, QUEUE, Reader};
use crate::alarm::{self, Alarm};
use crate::error::Error;

/// How long a claim holds: longer than [`LONGEST`] and one more question (10 seconds).
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// Who has been told for this long lets another process have a turn.
const LONGEST: TimeDelta = TimeDelta::seconds(30);
/// The pause after the first attempt that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many attempts in a row (a quarter of an hour) somebody is told.
const ALARMING: i32 = 12;

/// Tells behavior.
pub struct Telling {
    pub poster: Pool,
    pub clock: Arc<dyn Clock>,
    pub teller: Teller,
}

impl Job for Telling {
    type Piece = Reader;
    type Memory = ();
    type Error = Error;

    const PIECE: &'static str = "a reader of the outbox";

    async fn claim(&self, limit: i64) -> Result<Vec<Reader>, Error> {
        Ok(QUEUE.claim(&self.poster, limit, self.now()?, LEASE).await?)
    }

    fn span(reader: &Reader) -> (Span, Option<&str>) {
        (
            tracing::info_span!(
                "outbox.tell",
                otel.kind = "producer",
                reader = reader.id,
                trace_id = tracing::field::Empty
            ),
            None,
        )
    }

    async fn carry_out(&self, reader: Reader) -> Result<(), Error> {
        let told = self.tell_all(&reader).await;
        // What it cannot be told of for a reason of ours is as stuck as what it does not take.
        if told.is_err() && reader.attempts >= ALARMING {
            alarm::raise(Alarm::OutboxStuck, reader.position, &reader.id);
        }
        told
    }

    async fn maintain(&self, (): &mut ()) -> Result<(), Error> {
        Ok(())
    }
}

impl Telling {
    /// Batch by batch, until it has been told everything, or for [`LONGEST`].
    async fn tell_all(&self, reader: &Reader) -> Result<(), Error> {
        let limit = i64::try_from(BATCH).map_err(|_| Error::Invariant("a batch beyond counting"))?;
        let end = self.now()? + LONGEST;
        let (mut position, mut attempts) = (reader.position, reader.attempts);
        let again = loop {
            let mut db = storage::connection(&self.poster).await?;
            let news = store::after(&mut db, position, limit).await?;
            drop(db);
            let now = self.now()?;
            let Some(last) = news.last() else { break now };
            if let Err(said) = self.tell(&news).await {
                tracing::warn!(reason = said, attempts, "behavior was not told of payments; it will be");
                if attempts >= ALARMING {
                    alarm::raise(Alarm::OutboxStuck, position, &reader.id);
                }
                break now + courier::pause(PAUSE, attempts);
            }
            let mut db = storage::connection(&self.poster).await?;
            if !store::advance(&mut db, reader, last.sequence).await? {
                return Ok(());
            }
            // They are counted from what it was last told.
            (position, attempts) = (last.sequence, 1);
            if news.len() < BATCH || now > end {
                break now;
            }
        };
        let mut db = storage::connection(&self.poster).await?;
        Ok(store::due(&mut db, reader, again).await?)
    }

    /// The error says why not all is known to have been taken. What is refused by itself is not told again: it stands in the books, and in the log.
    async fn tell(&self, news: &[News]) -> Result<(), String> {
        let events = news.iter().filter_map(|news| news.payment().transpose()).collect::<Result<Vec<Event>, _>>();
        let events = events.map_err(|error| error.to_string())?;
        let told = self.teller.tell(events).await;
        for result in told.refused {
            tracing::error!(event = %result.id, code = result.code, field = result.field, "behavior refused to learn of a payment");
            alarm::raise(Alarm::PaymentNotLearned, result.id, "behavior");
        }
        told.said.map_or(Ok(()), Err)
    }

    fn now(&self) -> Result<DateTime<Utc>, Error> {
        DateTime::from_timestamp_millis(self.clock.unix_millis()).ok_or(Error::Invariant("the clock"))
    }
}
