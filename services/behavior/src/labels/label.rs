//! Takes a word on a payment.

use api::behavior::{About, Label, Labelled, NewLabel};
use chrono::{DateTime, Utc};
use storage::{Connection, subject_transaction};

use super::store::{self, Payment};
use crate::error::Error;
use crate::state::State;
use crate::state::store::next_number;

/// What is believed of the payment from now on, and what was before. The same word again changes nothing. `by` is the workload that says it.
pub(crate) async fn label(state: &State, said: &NewLabel, by: &str) -> Result<Labelled, Error> {
    let now = DateTime::from_timestamp_millis(state.clock.unix_millis());
    let now = now.ok_or(Error::Invariant("the clock shows no time"))?;
    // A decision is seen by who says which one.
    let subject = said.id.to_string();
    let written = subject_transaction(&state.pool, "labels.take", &subject, async |db| write(db, said, by, now).await);
    let (labelled, number) = written.await?;
    if let Some(number) = number {
        runtime::audit!(
            "labelled",
            by,
            about = store::word(said.about),
            id = %said.id,
            label = store::label_word(said.label),
            before = labelled.before.map(store::label_word),
        );
        state.live.bell.notify_one();
        if state.live.progress().is_current() {
            state.live.has_learned(number).await;
        }
    }
    Ok(labelled)
}

async fn write(
    db: &mut Connection,
    said: &NewLabel,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(Labelled, Option<i64>), Error> {
    let payment: Payment = match said.about {
        About::Decision => store::decided(db, said.id.into()).await?.ok_or(Error::DecisionUnknown)?,
        About::Event => store::happened(db, said.id.into()).await?.ok_or(Error::EventUnknown)?,
    };
    // Taken before the last word is read: of two at once the second sees the first.
    let number = next_number(db).await?;
    let last = store::last(db, payment.id).await?;
    let before: Option<Label> = last.as_ref().map(store::Word::label).transpose()?;
    let payment = last.map_or(payment, |word| word.payment); // Default: of the first word, what it names.
    let labelled = Labelled { label: said.label, before };
    if before == Some(said.label) {
        return Ok((labelled, None));
    }
    store::insert(db, number, &payment, said, before, by, now).await?;
    Ok((labelled, Some(number)))
}
