//! Queries on `challenges`.

use api::attestation::{Platform, Purpose};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::schema::challenges;

/// What a taken challenge was made for.
#[derive(Queryable)]
pub(crate) struct Taken {
    pub(crate) platform: String,
    pub(crate) purpose: String,
    pub(crate) expires_at: DateTime<Utc>,
}

pub(crate) async fn insert(
    db: &mut Connection,
    hash: &[u8; 32],
    platform: Platform,
    purpose: Purpose,
    expires_at: DateTime<Utc>,
) -> Result<usize, StorageError> {
    Ok(diesel::insert_into(challenges::table)
        .values((
            challenges::hash.eq(hash.as_slice()),
            challenges::platform.eq(platform.as_str()),
            challenges::purpose.eq(purpose.as_str()),
            challenges::expires_at.eq(expires_at),
        ))
        .execute(db)
        .await?)
}

/// One statement: the row lock decides who gets it.
pub(crate) async fn take(db: &mut Connection, hash: &[u8; 32]) -> Result<Option<Taken>, StorageError> {
    Ok(diesel::delete(challenges::table.find(hash.as_slice()))
        .returning((challenges::platform, challenges::purpose, challenges::expires_at))
        .get_result(db)
        .await
        .optional()?)
}

pub(crate) async fn delete_expired(db: &mut Connection, now: DateTime<Utc>) -> Result<usize, StorageError> {
    Ok(diesel::delete(challenges::table.filter(challenges::expires_at.le(now))).execute(db).await?)
}
