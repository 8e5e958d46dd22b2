//! The columns that `decisions` and `dry_runs` have of it alike.

use diesel::QueryableByName;
use diesel::sql_types::{Double, Jsonb, Text};
use serde_json::Value;
use storage::{AsText, StorageError};

use super::Said;
use crate::action::Action;

/// As it is stored.
#[derive(QueryableByName)]
pub(crate) struct SaidRow {
    #[diesel(sql_type = Double)]
    score: f64,
    #[diesel(sql_type = Text)]
    action: AsText<Action>,
    #[diesel(sql_type = Jsonb)]
    reasons: Value,
    #[diesel(sql_type = Text)]
    model: String,
    #[diesel(sql_type = Text)]
    rules: String,
}

impl TryFrom<SaidRow> for Said {
    type Error = StorageError;

    fn try_from(row: SaidRow) -> Result<Self, StorageError> {
        let SaidRow { score, action, reasons, model, rules } = row;
        Ok(Self { score, action: action.0, reasons: serde_json::from_value(reasons).map_err(odd)?, model, rules })
    }
}

/// What cannot be stored, or read as what was stored.
pub(crate) fn odd(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError::Query(diesel::result::Error::SerializationError(what.into()))
}
