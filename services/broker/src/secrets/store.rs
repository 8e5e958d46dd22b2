//! Queries on `secrets`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::schema::secrets;

/// Live versions, newest first.
pub(super) async fn live(
    db: &mut Connection,
    provider: &str,
    id: &str,
) -> Result<Vec<(i32, Option<Vec<u8>>)>, StorageError> {
    let rows = secrets::table
        .filter(secrets::provider.eq(provider).and(secrets::id.eq(id)).and(secrets::retired_at.is_null()))
        .order(secrets::version.desc())
        .select((secrets::version, secrets::record))
        .load(db)
        .await?;
    Ok(rows)
}

/// The newest version that is retired.
pub(super) async fn newest_retired(db: &mut Connection, provider: &str, id: &str) -> Result<Option<i32>, StorageError> {
    let newest = secrets::table
        .filter(secrets::provider.eq(provider).and(secrets::id.eq(id)).and(secrets::retired_at.is_not_null()))
        .select(diesel::dsl::max(secrets::version))
        .first(db)
        .await?;
    Ok(newest)
}

/// The newest version ever, live or not. Locks the secret's rows, so that two sealers take different numbers.
pub(super) async fn newest(db: &mut Connection, provider: &str, id: &str) -> Result<i32, StorageError> {
    let versions: Vec<i32> = secrets::table
        .filter(secrets::provider.eq(provider).and(secrets::id.eq(id)))
        .order(secrets::version.desc())
        .select(secrets::version)
        .for_update()
        .load(db)
        .await?;
    // Default: before the first version.
    Ok(versions.into_iter().next().unwrap_or(0))
}

/// Adds a version.
pub(super) async fn insert(
    db: &mut Connection,
    (provider, id, version): (&str, &str, i32),
    record: &[u8],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::insert_into(secrets::table)
        .values((
            secrets::provider.eq(provider),
            secrets::id.eq(id),
            secrets::version.eq(version),
            secrets::record.eq(record),
            secrets::sealed_at.eq(now),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// Retires the live versions up to `version` and destroys their records; tells how many.
pub(super) async fn retire(
    db: &mut Connection,
    (provider, id, version): (&str, &str, i32),
    now: DateTime<Utc>,
) -> Result<usize, StorageError> {
    let older = secrets::table.filter(
        secrets::provider
            .eq(provider)
            .and(secrets::id.eq(id))
            .and(secrets::version.le(version))
            .and(secrets::retired_at.is_null()),
    );
    let retired = diesel::update(older)
        .set((secrets::record.eq(None::<Vec<u8>>), secrets::retired_at.eq(now)))
        .execute(db)
        .await?;
    Ok(retired)
}
