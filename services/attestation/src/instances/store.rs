//! Queries on `instances`, `app_attest_keys` and `used_evidence`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;
use identity::Thumbprint;
use storage::{Connection, StorageError};

use crate::evidence::AssertionKey;
use crate::schema::{app_attest_keys, instances, used_evidence};

/// A row of `instances`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = instances)]
pub(crate) struct Instance {
    pub(crate) jkt: String,
    pub(crate) platform: String,
    pub(crate) client_id: String,
    pub(crate) app_id: String,
    pub(crate) app_build: String,
    pub(crate) level: String,
    pub(crate) decoyed: bool,
    pub(crate) believed: bool,
    pub(crate) attested_at: DateTime<Utc>,
    pub(crate) renewed_at: DateTime<Utc>,
}

/// The instance, locked until the transaction ends.
pub(crate) async fn find(db: &mut Connection, jkt: &str) -> Result<Option<Instance>, StorageError> {
    Ok(instances::table.find(jkt).select(Instance::as_select()).for_update().first(db).await.optional()?)
}

/// Inserts or overwrites, but never takes `decoyed` back.
pub(crate) async fn save(db: &mut Connection, instance: &Instance) -> Result<usize, StorageError> {
    Ok(diesel::insert_into(instances::table)
        .values(instance)
        .on_conflict(instances::jkt)
        .do_update()
        .set((
            instances::platform.eq(excluded(instances::platform)),
            instances::client_id.eq(excluded(instances::client_id)),
            instances::app_id.eq(excluded(instances::app_id)),
            instances::app_build.eq(excluded(instances::app_build)),
            instances::level.eq(excluded(instances::level)),
            instances::decoyed.eq(instances::decoyed.or(excluded(instances::decoyed))),
            instances::believed.eq(excluded(instances::believed)),
            instances::attested_at.eq(excluded(instances::attested_at)),
            instances::renewed_at.eq(excluded(instances::renewed_at)),
        ))
        .execute(db)
        .await?)
}

/// True if the instance was decoyed and is no more. The database lets only its owner do so, and writes down why.
pub(crate) async fn pardon(db: &mut Connection, jkt: &Thumbprint, reason: &str) -> Result<bool, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        pardoned: bool,
    }
    let query = diesel::sql_query("select pardon($1, $2) as pardoned");
    let row: Row = query.bind::<Text, _>(jkt.as_str()).bind::<Text, _>(reason).get_result(db).await?;
    Ok(row.pardoned)
}

/// True if this evidence had not been used before.
pub(crate) async fn use_evidence(
    db: &mut Connection,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let inserted = diesel::insert_into(used_evidence::table)
        .values((used_evidence::hash.eq(hash.as_slice()), used_evidence::used_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(db)
        .await?;
    Ok(inserted == 1)
}

/// True if the key was nobody's.
pub(crate) async fn add_key(db: &mut Connection, key: &AssertionKey, jkt: &str) -> Result<bool, StorageError> {
    let inserted = diesel::insert_into(app_attest_keys::table)
        .values((
            app_attest_keys::key_id.eq(key.id.as_slice()),
            app_attest_keys::jkt.eq(jkt),
            app_attest_keys::public_key.eq(key.public.as_slice()),
            app_attest_keys::counter.eq(0),
        ))
        .on_conflict_do_nothing()
        .execute(db)
        .await?;
    Ok(inserted == 1)
}

/// The public key behind a key id, if it is this instance's.
pub(crate) async fn key(db: &mut Connection, key_id: &[u8], jkt: &str) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(app_attest_keys::table
        .find(key_id)
        .filter(app_attest_keys::jkt.eq(jkt))
        .select(app_attest_keys::public_key)
        .first(db)
        .await
        .optional()?)
}

/// Compare and set in one statement: true for the one request that raises the counter to this value.
pub(crate) async fn raise_counter(db: &mut Connection, key_id: &[u8], counter: u32) -> Result<bool, StorageError> {
    let counter = i64::from(counter);
    let raised = diesel::update(app_attest_keys::table.find(key_id).filter(app_attest_keys::counter.lt(counter)))
        .set(app_attest_keys::counter.eq(counter))
        .execute(db)
        .await?;
    Ok(raised == 1)
}
