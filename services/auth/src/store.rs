//! What the stores share: instants.

use chrono::{DateTime, Utc};
use diesel::result::Error::SerializationError;
use storage::StorageError;

use crate::error::Invariant;

/// A moment as PostgreSQL has it. One beyond the calendar is an error: any other moment in its place would be an answer.
pub(crate) fn at(unix: i64) -> Result<DateTime<Utc>, Invariant> {
    DateTime::from_timestamp(unix, 0).ok_or(Invariant("a time beyond the calendar"))
}

impl From<Invariant> for StorageError {
    fn from(error: Invariant) -> Self {
        Self::Query(SerializationError(Box::new(error)))
    }
}
