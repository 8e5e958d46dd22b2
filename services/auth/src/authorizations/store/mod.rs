//! Authorizations in the database: what was pushed, who is answering it, and the code that came of it.

pub(super) mod codes;
pub(super) mod interactions;
pub(super) mod requests;

use storage::{Connection, StorageError};

/// Deletes what is not kept; tells how many rows that were. Interactions go with their request.
pub(crate) async fn forget(db: &mut Connection, now: i64) -> Result<usize, StorageError> {
    Ok(interactions::forget(db, now).await? + requests::forget(db, now).await? + codes::forget(db, now).await?)
}
