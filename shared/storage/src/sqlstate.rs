//! What an SQLSTATE means for the caller (PostgreSQL, appendix A). The text of an error is for people: it is in the server's language.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

/// Stands before the code in the hint of an error, see [`Coded`].
const MARK: &str = "SQLSTATE ";

/// The server cannot do it now and may do it later: nothing is wrong with the request.
///
/// Class 08 connection, 53 resources (disk, memory, connections), 57 an operator or a time-out, 58 the system under the server; a lock that
/// was not free in time, a transaction that was idle or open for too long.
pub(crate) fn is_passing(code: &str) -> bool {
    ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
        || ["55P03", "25006", "25P03", "25P04"].contains(&code)
}

/// The transaction lost against another one and may be run again: serialization failure, deadlock.
pub(crate) fn is_conflict(code: &str) -> bool {
    code == "40001" || code == "40P01"
}

/// The connection is of no more use: its server only reads (a former primary), or is going down.
pub(crate) fn retires(code: &str) -> bool {
    code == "25006" || code.starts_with("57P")
}

/// The code of an error, if it is known.
pub(crate) fn of(error: &DieselError) -> Option<&str> {
    let DieselError::DatabaseError(kind, information) = error else { return None };
    match kind {
        DatabaseErrorKind::UniqueViolation => Some("23505"),
        DatabaseErrorKind::ForeignKeyViolation => Some("23503"),
        DatabaseErrorKind::RestrictViolation => Some("23001"),
        DatabaseErrorKind::NotNullViolation => Some("23502"),
        DatabaseErrorKind::CheckViolation => Some("23514"),
        DatabaseErrorKind::ExclusionViolation => Some("23P01"),
        DatabaseErrorKind::SerializationFailure => Some("40001"),
        DatabaseErrorKind::ReadOnlyTransaction => Some("25006"),
        _ => information.hint()?.strip_prefix(MARK),
    }
}

/// An error for which diesel has no kind, with its code. `DatabaseErrorInformation` has no place for one, so it travels as the hint, which
/// nobody here reads.
pub(crate) struct Coded {
    inner: Box<dyn DatabaseErrorInformation + Send + Sync>,
    hint: String,
}

impl Coded {
    /// The same error, with its code.
    pub(crate) fn new(inner: Box<dyn DatabaseErrorInformation + Send + Sync>, code: &str) -> Box<Self> {
        Box::new(Self { inner, hint: format!("{MARK}{code}") })
    }
}

impl DatabaseErrorInformation for Coded {
    fn message(&self) -> &str {
        self.inner.message()
    }

    fn details(&self) -> Option<&str> {
        self.inner.details()
    }

    fn hint(&self) -> Option<&str> {
        Some(&self.hint)
    }

    fn table_name(&self) -> Option<&str> {
        self.inner.table_name()
    }

    fn column_name(&self) -> Option<&str> {
        self.inner.column_name()
    }

    fn constraint_name(&self) -> Option<&str> {
        self.inner.constraint_name()
    }

    fn statement_position(&self) -> Option<i32> {
        self.inner.statement_position()
    }
}
