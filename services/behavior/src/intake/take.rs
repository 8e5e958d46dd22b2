//! Takes a batch: each event is stored once, or refused by itself; one that is wrong keeps no other from being taken.

use std::collections::{HashMap, HashSet};

use api::behavior::{BATCH, Event, EventOutcome, EventResult};
use api::problem::code;
use chrono::{DateTime, Utc};
use runtime::{Record, Who};
use storage::{Connection, StorageError, transaction};

use super::model::Happened;
use super::store;
use crate::error::Error;
use crate::ids::EventId;
use crate::input::Flaw;
use crate::state::State;

/// What a flawed event is refused with, beside its field.
const REUSED: Flaw = Flaw { field: "id", code: code::EVENT_ID_REUSED, says: "was another event's" };

/// The results, in the events' order. What was taken is stored, and as a rule learned, when this returns.
pub(super) async fn take(state: &State, events: &[Event], reported_by: &str) -> Result<Vec<EventResult>, Error> {
    if events.is_empty() || events.len() > BATCH {
        return Err(Error::Invalid { field: "events", says: "are not 1 to 100" });
    }
    let millis = state.clock.unix_millis();
    let now = DateTime::from_timestamp_millis(millis).ok_or(Error::Invariant("the clock shows no time"))?;
    let checked: Vec<_> = events.iter().map(|event| Happened::checked(event, reported_by, millis)).collect();
    let sound: Vec<&Happened> = checked.iter().flatten().collect();
    let (stored, last) =
        if sound.is_empty() { (Vec::new(), None) } else { store(state, &sound, reported_by, now).await? };
    if let Some(last) = last {
        state.live.bell.notify_one();
        if state.live.progress().is_current() {
            state.live.has_learned(last).await;
        }
    }
    let mut stored = stored.into_iter();
    let results = events.iter().zip(checked).map(|(event, checked)| {
        let outcome = checked.and_then(|_| stored.next().unwrap_or(Err(REUSED))); // Default: cannot be, each sound one has an outcome
        Ok(result(event.id().into(), outcome, reported_by))
    });
    results.collect()
}

type Outcome = Result<EventOutcome, Flaw>;

/// What became of each, and the last number that was given, if any was.
async fn store(
    state: &State,
    events: &[&Happened],
    reported_by: &str,
    now: DateTime<Utc>,
) -> Result<(Vec<Outcome>, Option<i64>), Error> {
    let outcomes =
        transaction(&state.pool, "events.take", async |db| in_transaction(db, events, reported_by, now).await);
    Ok(outcomes.await?)
}

async fn in_transaction(
    db: &mut Connection,
    events: &[&Happened],
    reported_by: &str,
    now: DateTime<Utc>,
) -> Result<(Vec<Outcome>, Option<i64>), StorageError> {
    let inserted = store::insert(db, events, reported_by, now).await?;
    let last = inserted.iter().map(|row| row.number).max();
    let new: HashSet<EventId> = inserted.into_iter().map(|row| row.id).collect();
    // What is stored under an id is read only where it may be another's content: the id was there, or comes twice.
    let mut seen = HashSet::with_capacity(events.len());
    let again: HashSet<EventId> =
        events.iter().map(|event| event.id).filter(|id| !seen.insert(*id) || !new.contains(id)).collect();
    let told: HashMap<EventId, Happened> = if again.is_empty() {
        HashMap::new()
    } else {
        let again: Vec<EventId> = again.iter().copied().collect();
        store::stored(db, &again).await?.into_iter().map(|event| (event.id, event)).collect()
    };
    let mut left = new;
    let mut outcomes = Vec::new();
    for event in events {
        let is_first = left.remove(&event.id);
        outcomes.push(if again.contains(&event.id) && told.get(&event.id) != Some(*event) {
            store::insert_conflict(db, event, reported_by, now).await?;
            Err(REUSED)
        } else if is_first {
            Ok(EventOutcome::Taken)
        } else {
            Ok(EventOutcome::Known)
        });
    }
    Ok((outcomes, last))
}

/// The line of the answer, and of a refusal its line in the audit log.
fn result(id: EventId, outcome: Outcome, reported_by: &str) -> EventResult {
    match outcome {
        Ok(outcome) => EventResult { id: id.into(), outcome, code: None, field: None },
        Err(Flaw { field, code, says }) => {
            let reason = match code {
                code::EVENT_ID_REUSED => "event_id_reused",
                code::FROM_FUTURE => "event_from_future",
                code::TOO_OLD => "event_too_old",
                _ => "event_invalid",
            };
            let who = Who { peer: Some(reported_by.to_owned()), ..Who::default() };
            Record::new("behavior", reason).about(who).write();
            tracing::warn!(event_id = %id, field, says, "an event was refused");
            let (code, field) = (Some(code.to_owned()), Some(field.to_owned()));
            EventResult { id: id.into(), outcome: EventOutcome::Refused, code, field }
        }
    }
}
