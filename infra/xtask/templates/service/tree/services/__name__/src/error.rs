//! What can go wrong in a request, and the one table of what its caller and the operator are told.

use api::problem::code;
use runtime::{Problem, Refusal, Refuse, StatusCode, Who};
use storage::{Retry, StorageError};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is not what it should be.
    #[error("{field}: {says}")]
    Invalid {
        field: &'static str,
        /// What is wrong with it.
        says: &'static str,
    },
    /// There is another note under that id.
    #[error("the id is another note's")]
    NoteIdReused,
    /// There is no such note.
    #[error("the note is not known")]
    NoteUnknown,
    /// Something that cannot be.
    #[error("{0}")]
    Invariant(&'static str),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Retry for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

impl Refuse for Error {
    fn refusal(self, _: &Who) -> Refusal {
        let refuse = |reason, problem| Refusal::new("__name__", reason, problem);
        match self {
            Self::Invalid { field, says } => refuse("field_invalid", Problem::invalid(says).field(field)),
            Self::NoteIdReused => {
                refuse("note_id_reused", Problem::new(StatusCode::CONFLICT, code::__NAME___NOTE_ID_REUSED))
            }
            Self::NoteUnknown => {
                refuse("note_unknown", Problem::new(StatusCode::NOT_FOUND, code::__NAME___NOTE_NOT_FOUND))
            }
            Self::Invariant(_) => Refusal::internal(&self),
            Self::Storage(error) => error.into(),
        }
    }
}
