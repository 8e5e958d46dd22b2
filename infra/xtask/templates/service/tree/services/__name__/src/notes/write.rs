//! Writes a note down.

use chrono::DateTime;
use storage::{Connection, subject_transaction};

use super::model::{Note, Words};
use super::store::{self, NewNote};
use crate::error::Error;
use crate::ids::NoteId;
use crate::state::State;

/// The note as it was written first: the same again changes nothing. `by` is the workload that writes it.
pub(super) async fn write(state: &State, id: NoteId, text: &str, by: &str) -> Result<Note, Error> {
    let text = Words::of(text, state.longest)?;
    let written_at = DateTime::from_timestamp_millis(state.clock.unix_millis());
    let written_at = written_at.ok_or(Error::Invariant("a clock beyond the calendar"))?;
    let new = NewNote { id, text, written_by: by, written_at };
    // A note is seen by who says which one.
    let subject = id.to_string();
    let written = subject_transaction(&state.pool, "notes.write", &subject, async |db| once(db, &new).await);
    let (note, is_new) = written.await?;
    if note.text != text.as_str() {
        return Err(Error::NoteIdReused);
    }
    if is_new {
        runtime::audit!("note_written", by, %id);
    }
    Ok(note)
}

async fn once(db: &mut Connection, new: &NewNote<'_>) -> Result<(Note, bool), Error> {
    let is_new = store::insert(db, new).await?;
    let note = store::find(db, new.id).await?;
    Ok((note.ok_or(Error::Invariant("a note that is written is not there"))?, is_new))
}
