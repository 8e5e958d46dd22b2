//! Reads a note.

use storage::subject_transaction;

use super::model::Note;
use super::store;
use crate::error::Error;
use crate::ids::NoteId;
use crate::state::State;

/// The note of an id.
pub(super) async fn read(state: &State, id: NoteId) -> Result<Note, Error> {
    let subject = id.to_string();
    let found = subject_transaction(&state.pool, "notes.read", &subject, async |db| store::find(db, id).await).await?;
    found.ok_or(Error::NoteUnknown)
}
