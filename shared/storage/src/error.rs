//! One error for everything the database can answer, sorted by what the caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why the database did not do what was asked.
///
/// The text never holds row values: PostgreSQL puts those in the *detail*, which is not printed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// PostgreSQL cannot be reached, or it closed the connection before the commit: nothing was written.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// All connections were in use for longer than the pool waits.
    #[error("no database connection became free within {0} s")]
    Busy(u64),
    /// The connection was lost while the commit was under way. The caller must find out, not assume.
    #[error("the outcome of the commit is unknown: {0}")]
    OutcomeUnknown(String),
    /// A statement was refused.
    #[error("query refused: {0}")]
    Query(#[source] DieselError),
    /// A migration did not apply.
    #[error("migration failed: {0}")]
    Migration(String),
}

/// Tells whether a new attempt of the same transaction can succeed.
///
/// A service's error implements it by passing its storage variant on, so that [`crate::transaction`] still sees a
/// serialization failure behind the service's own type.
pub trait Retry {
    /// True for 40001 (serialization failure) and 40P01 (deadlock).
    fn is_transient(&self) -> bool;
}

impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(
                DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
                information,
            ) => Self::Unavailable(information.message().to_owned()),
            other => Self::Query(other),
        }
    }
}

impl StorageError {
    /// The name of the constraint that refused the row, if one did.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Query(DieselError::DatabaseError(_, information)) => information.constraint_name(),
            _ => None,
        }
    }

    /// True when the row was refused because its key is taken.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Query(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)))
    }

    /// True when the row that was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Query(DieselError::NotFound))
    }
}

impl Retry for StorageError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Query(error) if error.is_transient())
    }
}

impl Retry for DieselError {
    fn is_transient(&self) -> bool {
        match self {
            Self::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
            // diesel has no kind for 40P01 and drops the code, so the text decides; `lc_messages` is C wherever we
            // make the cluster, and a server in another language only loses the retry.
            Self::DatabaseError(DatabaseErrorKind::Unknown, information) => {
                information.message() == "deadlock detected"
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(kind: DatabaseErrorKind, message: &str) -> StorageError {
        DieselError::DatabaseError(kind, Box::new(message.to_owned())).into()
    }

    #[test]
    fn serialization_failures_and_deadlocks_are_transient() {
        assert!(database(DatabaseErrorKind::SerializationFailure, "could not serialize").is_transient());
        assert!(database(DatabaseErrorKind::Unknown, "deadlock detected").is_transient());
        assert!(!database(DatabaseErrorKind::UniqueViolation, "duplicate key").is_transient());
    }

    #[test]
    fn a_lost_connection_is_unavailable() {
        let error = database(DatabaseErrorKind::UnableToSendCommand, "connection closed");
        assert!(matches!(error, StorageError::Unavailable(_)));
    }
}
