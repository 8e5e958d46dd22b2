//! Queries on `secrets`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use super::SecretPlace;
use crate::schema::secrets;

/// A version of a secret.
#[derive(Queryable)]
pub(super) struct Version {
    pub(super) version: i32,
    /// As it is sealed; destroyed when it is retired.
    pub(super) record: Option<Vec<u8>>,
}

/// Live versions, newest first.
pub(super) async fn live(db: &mut Connection, place: &SecretPlace) -> Result<Vec<Version>, StorageError> {
    let rows = secrets::table
        .filter(secrets::provider.eq(&place.provider).and(secrets::id.eq(&place.id)).and(secrets::retired_at.is_null()))
        .order(secrets::version.desc())
        .select((secrets::version, secrets::record))
        .load(db)
        .await?;
    Ok(rows)
}

/// The newest version that is retired.
pub(super) async fn newest_retired(db: &mut Connection, place: &SecretPlace) -> Result<Option<i32>, StorageError> {
    let newest = secrets::table
        .filter(
            secrets::provider.eq(&place.provider).and(secrets::id.eq(&place.id)).and(secrets::retired_at.is_not_null()),
        )
        .select(diesel::dsl::max(secrets::version))
        .first(db)
        .await?;
    Ok(newest)
}

/// The newest version ever, live or not. Locks the secret's rows, so that two sealers take different numbers.
pub(super) async fn newest(db: &mut Connection, place: &SecretPlace) -> Result<i32, StorageError> {
    let versions: Vec<i32> = secrets::table
        .filter(secrets::provider.eq(&place.provider).and(secrets::id.eq(&place.id)))
        .order(secrets::version.desc())
        .select(secrets::version)
        .for_update()
        .load(db)
        .await?;
    // Default: before the first version.
    Ok(versions.into_iter().next().unwrap_or(0))
}

pub(super) async fn insert(
    db: &mut Connection,
    place: &SecretPlace,
    sealed: &Version,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::insert_into(secrets::table)
        .values((
            secrets::provider.eq(&place.provider),
            secrets::id.eq(&place.id),
            secrets::version.eq(sealed.version),
            secrets::record.eq(&sealed.record),
            secrets::sealed_at.eq(now),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// Retires the live versions up to `version` and destroys their records; tells how many.
pub(super) async fn retire(
    db: &mut Connection,
    place: &SecretPlace,
    version: i32,
    now: DateTime<Utc>,
) -> Result<usize, StorageError> {
    let older = secrets::table.filter(
        secrets::provider
            .eq(&place.provider)
            .and(secrets::id.eq(&place.id))
            .and(secrets::version.le(version))
            .and(secrets::retired_at.is_null()),
    );
    let retired = diesel::update(older)
        .set((secrets::record.eq(None::<Vec<u8>>), secrets::retired_at.eq(now)))
        .execute(db)
        .await?;
    Ok(retired)
}
