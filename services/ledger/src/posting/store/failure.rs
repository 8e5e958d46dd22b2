//! Why a batch has no answers, and what that means to the senders of its orders.

use diesel::result::Error as DieselError;
use storage::{Retry, StorageError};

use crate::posting::batch::{Extra, ON_THE_BOOKS};
use crate::posting::model::Broken;

/// Why a batch has no answers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing was written; the database cannot be had at the moment.
    #[error("{0}")]
    Unavailable(StorageError),
    /// Nothing was written: a row that one of the orders needs is held by others.
    #[error("{0}")]
    Held(StorageError),
    /// It may have been committed.
    #[error("{0}")]
    Unknown(StorageError),
    /// Nothing was written: the database refused a row.
    #[error("{0}")]
    Refused(StorageError),
    /// Nothing was written: an order that was to be refused is on the books under its own name already.
    #[error("what was to be refused is on the books")]
    OnTheBooks,
    /// Nothing was written: a row in the database is not what this code understands.
    #[error("unexpected row: {0}")]
    Unexpected(&'static str),
    /// Nothing was written: what cannot happen has happened.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
}

impl Failure {
    /// What it means at its end, by whether the commit was on its way.
    pub(super) fn after(self, committing: bool) -> Self {
        let lost = self.is_transient();
        match self {
            // Whatever goes wrong after the commit was sent, it may have arrived; unless the answer to it was that a row is not as it must be.
            Self::Unavailable(error) | Self::Held(error) if committing => Self::Unknown(error),
            Self::Refused(error) if committing && !rolls_back(&error) => Self::Unknown(error),
            // Five times it lost against others: that is no fault of any row.
            Self::Refused(error) if lost => Self::Unavailable(error),
            other => other,
        }
    }

    /// The books were restored, and nobody has opened them: customers' orders wait.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Self::Refused(error) if error.constraint() == Some("books_are_open"))
    }

    /// The word for it, if it was a ceiling and no fault.
    pub(crate) fn ceiling(&self, extra: &Extra) -> Option<&'static str> {
        match (self, extra) {
            (Self::OnTheBooks, _) => Some(ON_THE_BOOKS),
            (Self::Refused(error), Extra::Beside(client)) => client.ceiling(error.constraint()?),
            _ => None,
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Unavailable(_) | StorageError::Busy(_) => Self::Unavailable(error),
            StorageError::Held(_) => Self::Held(error),
            StorageError::OutcomeUnknown(_) => Self::Unknown(error),
            StorageError::Query(_) | StorageError::Migration(_) | StorageError::Unusable(_) => Self::Refused(error),
        }
    }
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        StorageError::from(error).into()
    }
}

impl Retry for Failure {
    /// Two processes that used one key at the same moment: the later one reads the earlier one's outcome when it tries again.
    fn is_transient(&self) -> bool {
        matches!(self, Self::Refused(error)
            if error.is_transient() || error.constraint() == Some("idempotency_pkey"))
    }
}

impl From<Broken> for Failure {
    fn from(Broken(what): Broken) -> Self {
        Self::Invariant(what)
    }
}

/// Errors after which PostgreSQL has rolled back for certain, also as the answer to a commit: a constraint that was looked at only then (class 23),
/// a conflict with another transaction (class 40).
fn rolls_back(error: &StorageError) -> bool {
    error.sqlstate().is_some_and(|code| code.starts_with("23") || code.starts_with("40"))
}
