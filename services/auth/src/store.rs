//! What the stores share: instants.

use chrono::{DateTime, Utc};

/// A moment as PostgreSQL has it.
pub(crate) fn at(unix: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(unix, 0).unwrap_or_default()
}
