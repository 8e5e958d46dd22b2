//! Queries on `used_challenges`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::schema::used_challenges;

/// True for the one request that uses it: the primary key decides who.
pub(crate) async fn consume(
    db: &mut Connection,
    hash: &[u8; 32],
    expires_at: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let inserted = diesel::insert_into(used_challenges::table)
        .values((used_challenges::hash.eq(hash.as_slice()), used_challenges::expires_at.eq(expires_at)))
        .on_conflict_do_nothing()
        .execute(db)
        .await?;
    Ok(inserted == 1)
}

/// By a function of the database, because the service has no right to delete what was used.
pub(crate) async fn delete_expired(db: &mut Connection, before: DateTime<Utc>) -> Result<i64, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        gone: i64,
    }
    let forget = diesel::sql_query("select forget_challenges($1) as gone").bind::<Timestamptz, _>(before);
    Ok(forget.get_result::<Row>(db).await?.gone)
}
