//! What the stores share: instants, what a transaction looks for, and what is not kept.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::result::Error::SerializationError;
use diesel::sql_types::{Array, BigInt, Bytea, Timestamptz};
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use crate::error::Invariant;
use crate::ids::UserId;
use crate::opaque::Digest;

/// A moment as PostgreSQL has it. One beyond the calendar is an error: any other moment in its place would be an answer.
pub(crate) fn at(unix: i64) -> Result<DateTime<Utc>, Invariant> {
    DateTime::from_timestamp(unix, 0).ok_or(Invariant("a time beyond the calendar"))
}

/// Says which rows the transaction looks for, until it ends: row-level security shows it those with one of these hashes, beside its subject's
/// own, and no others.
pub(crate) async fn seek(db: &mut Connection, sought: &[&Digest]) -> Result<(), StorageError> {
    let hashes: Vec<&[u8]> = sought.iter().map(|digest| digest.0.as_slice()).collect();
    let set = diesel::sql_query("select set_config('app.sought', $1::text, true)");
    set.bind::<Array<Bytea>, _>(hashes).execute(db).await?;
    Ok(())
}

/// The subject of a transaction for one person; for nobody one that has no rows, so that the statements are the same.
pub(crate) fn subject(user: Option<UserId>) -> String {
    // Default: the text that is nobody's.
    user.map_or_else(String::new, |user| user.to_string())
}

/// Deletes what its table's comment says is not kept; tells how many rows that were. By a function of the database, because the service has no
/// right to delete what it holds no handle of.
pub(crate) async fn forget(pool: &Pool, now: i64) -> Result<i64, StorageError> {
    storage::transaction(pool, "forget", async |db| gone(db, "select forget($1) as gone", now).await).await
}

/// Deletes what nobody has listened to for a week, some thousand rows at most; tells how many.
pub(crate) async fn forget_outbox(pool: &Pool, now: i64) -> Result<i64, StorageError> {
    storage::transaction(pool, "forget_outbox", async |db| gone(db, "select forget_outbox($1) as gone", now).await)
        .await
}

async fn gone(db: &mut Connection, forget: &str, now: i64) -> Result<i64, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        gone: i64,
    }
    Ok(diesel::sql_query(forget).bind::<Timestamptz, _>(at(now)?).get_result::<Row>(db).await?.gone)
}

impl From<Invariant> for StorageError {
    fn from(error: Invariant) -> Self {
        Self::Query(SerializationError(Box::new(error)))
    }
}
