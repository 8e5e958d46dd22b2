//! Queries on `used_challenges`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
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

pub(crate) async fn delete_expired(db: &mut Connection, before: DateTime<Utc>) -> Result<usize, StorageError> {
    Ok(diesel::delete(used_challenges::table.filter(used_challenges::expires_at.le(before))).execute(db).await?)
}
