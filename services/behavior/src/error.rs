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
    /// There is no such decision.
    #[error("the decision is not known")]
    DecisionUnknown,
    /// There is no such event.
    #[error("the event is not known")]
    EventUnknown,
    /// The profiles are not made yet: whoever were judged now would be a stranger.
    #[error("the profiles are being made of what has happened")]
    NotReady,
    /// More batches of decisions wait to be stored than may.
    #[error("too many decisions wait to be stored")]
    Full,
    /// A decision could not be stored, so it was not answered.
    #[error("the decision could not be stored: {0}")]
    NotStored(String),
    /// Whether a decision was stored is not known, so it was not answered.
    #[error("nobody knows whether the decision was stored: {0}")]
    Unknown(String),
    /// A page could not be made.
    #[error("the page cannot be made: {0}")]
    Page(String),
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
        let refuse = |reason, problem| Refusal::new("behavior", reason, problem);
        let missing = |code| Problem::new(StatusCode::NOT_FOUND, code);
        match self {
            Self::Invalid { field, says } => refuse("field_invalid", Problem::invalid(says).field(field)),
            Self::DecisionUnknown => refuse("decision_unknown", missing(code::DECISION_NOT_FOUND)),
            Self::EventUnknown => refuse("event_unknown", missing(code::EVENT_NOT_FOUND)),
            Self::NotReady => Refusal::unrecorded(Problem::busy(1).detail("the profiles are being made")),
            Self::Full => Refusal::unrecorded(Problem::busy(1)),
            Self::NotStored(_) => {
                tracing::error!(cause = %self, "a score was not answered");
                Refusal::unrecorded(Problem::busy(1))
            }
            Self::Unknown(_) => {
                tracing::error!(cause = %self, "a score was not answered");
                Refusal::unrecorded(Problem::outcome_unknown())
            }
            Self::Page(_) | Self::Invariant(_) => Refusal::internal(&self),
            Self::Storage(error) => error.into(),
        }
    }
}
