//! Tries of what is not a password, counted by the same rules.

use storage::{Connection, Pool, StorageError};

use super::store;
use super::throttle::Blocked;
use crate::opaque::Digest;

/// Counts a try before it is looked at; else the seconds to wait.
pub(crate) async fn count_try(pool: &Pool, counter: &Digest, now: i64) -> Result<Result<(), i64>, StorageError> {
    Ok(store::attempt(pool, counter, now).await?.map_err(|Blocked { seconds }| seconds))
}

/// A success ends the row of failures. Inside a transaction that looks for the counter.
pub(crate) async fn clear_tries(db: &mut Connection, counter: &Digest) -> Result<(), StorageError> {
    store::reset(db, counter).await
}
