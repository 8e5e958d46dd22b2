//! One error for everything the database can answer, sorted by what the caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::sqlstate;

/// Why the database did not do what was asked.
///
/// The text never holds row values: PostgreSQL puts those in the *detail*, which is not printed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// PostgreSQL cannot do it at the moment, and nothing was written: it cannot be reached, it does not answer in time, it closed the
    /// connection before the commit, it only reads, it has no disk or memory left, a lock was not free.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// There is no way to it that may be gone: the URL is none, or would go in the clear to another machine. For whoever starts the process.
    #[error("the URL of the database cannot be used: {0}")]
    Unusable(String),
    /// Somebody else holds a row, and did not let go of it in time: nothing was written.
    #[error("a row is held by others: {0}")]
    Held(String),
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
/// A service's error implements it by passing its storage variant on, so that [`crate::transaction()`] still sees a
/// serialization failure behind the service's own type.
pub trait Retry {
    /// True for 40001 (serialization failure) and 40P01 (deadlock).
    fn is_transient(&self) -> bool;
}

impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        let passing = sqlstate::of(&error).filter(|code| sqlstate::is_passing(code)).map(str::to_owned);
        match (error, passing) {
            (
                DieselError::DatabaseError(
                    DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
                    information,
                ),
                _,
            ) => Self::Unavailable(information.message().to_owned()),
            (error, Some(code)) if code == "55P03" => Self::Held(format!("{error} ({code})")),
            (error, Some(code)) => Self::Unavailable(format!("{error} ({code})")),
            (error, None) => Self::Query(error),
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

    /// The server's code for the refusal of a statement, if it is known.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Query(error) => sqlstate::of(error),
            _ => None,
        }
    }
}

impl Retry for StorageError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Query(error) if error.is_transient())
    }
}

impl Retry for DieselError {
    fn is_transient(&self) -> bool {
        sqlstate::of(self).is_some_and(sqlstate::is_conflict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlstate::Coded;

    /// An error as it comes from a connection.
    fn coded(code: &str, message: &str) -> StorageError {
        let information = Coded::new(Box::new(message.to_owned()), code);
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(information)).into()
    }

    fn of_kind(kind: DatabaseErrorKind) -> StorageError {
        DieselError::DatabaseError(kind, Box::new("in any language".to_owned())).into()
    }

    #[test]
    fn serialization_failures_and_deadlocks_are_transient_in_every_language() {
        assert!(of_kind(DatabaseErrorKind::SerializationFailure).is_transient());
        assert!(coded("40P01", "Verklemmung (Deadlock) entdeckt").is_transient());
        assert!(!coded("42601", "deadlock detected").is_transient());
        assert!(!of_kind(DatabaseErrorKind::UniqueViolation).is_transient());
    }

    #[test]
    fn what_passes_is_unavailable_and_what_does_not_is_refused() {
        for code in ["08006", "25006", "25P03", "53100", "53200", "53300", "57014", "57P01", "57P03", "58030"] {
            let error = coded(code, "in any language");
            assert!(matches!(&error, StorageError::Unavailable(text) if text.contains(code)), "{code}: {error:?}");
        }
        assert!(matches!(coded("55P03", "in any language"), StorageError::Held(_)));
        assert!(matches!(of_kind(DatabaseErrorKind::ReadOnlyTransaction), StorageError::Unavailable(_)));
        for code in ["22001", "23000", "40P01", "42501", "42P01", "P0001", "XX000"] {
            let error = coded(code, "canceling statement due to statement timeout");
            assert!(matches!(error, StorageError::Query(_)), "{code}: {error:?}");
            assert_eq!(error.sqlstate(), Some(code));
        }
    }

    #[test]
    fn a_lost_connection_is_unavailable() {
        assert!(matches!(of_kind(DatabaseErrorKind::UnableToSendCommand), StorageError::Unavailable(_)));
    }
}
