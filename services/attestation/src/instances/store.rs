//! Queries on `instances`, their keys and their evidence.

use api::attestation::Platform;
use api::{AppId, ClientId};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Bytea, Date, Integer, Nullable, Text, Timestamptz};
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;
use identity::{Level, Thumbprint};
use storage::{AsText, Connection, StorageError};

use crate::evidence::AssertionKey;
use crate::evidence::apple::Asserted;
use crate::schema::{app_attest_keys, evidence, instances};

/// A row of `instances`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = instances)]
pub(crate) struct Instance {
    pub(crate) jkt: AsText<Thumbprint>,
    pub(crate) platform: AsText<Platform>,
    pub(crate) client_id: AsText<ClientId>,
    pub(crate) app_id: AsText<AppId>,
    pub(crate) app_build: String,
    pub(crate) level: AsText<Level>,
    pub(crate) decoyed: bool,
    pub(crate) believed: bool,
    pub(crate) attested_at: DateTime<Utc>,
    pub(crate) renewed_at: DateTime<Utc>,
}

/// The instance, locked until the transaction ends.
pub(crate) async fn find(db: &mut Connection, jkt: &Thumbprint) -> Result<Option<Instance>, StorageError> {
    Ok(instances::table.find(AsText(jkt)).select(Instance::as_select()).for_update().first(db).await.optional()?)
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
    let row: Row = query.bind::<Text, _>(AsText(jkt)).bind::<Text, _>(reason).get_result(db).await?;
    Ok(row.pardoned)
}

/// True if this evidence is to be used and had not been before. The statement is the same for what is not (`used` false), as are those below:
/// a phone must not learn from the time of an answer which of them ran.
pub(crate) async fn use_evidence(
    db: &mut Connection,
    hash: &[u8; 32],
    now: DateTime<Utc>,
    used: bool,
) -> Result<bool, StorageError> {
    const USE: &str = "insert into used_evidence (hash, used_at) select $1, $2 where $3 on conflict do nothing";
    let query = diesel::sql_query(USE).bind::<Bytea, _>(hash.as_slice()).bind::<Timestamptz, _>(now);
    Ok(query.bind::<Bool, _>(used).execute(db).await? == 1)
}

/// How many instances this attestation key has enrolled on this day (UTC), with this one. Without a key nothing is counted.
pub(crate) async fn enrolments(
    db: &mut Connection,
    attesting: Option<&[u8; 32]>,
    day: NaiveDate,
) -> Result<u32, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        enrolments: i32,
    }
    const COUNT: &str = "insert into attesting_days as known (attesting, day, enrolments) select $1, $2, 1 where $3 \
                         on conflict (attesting, day) do update set enrolments = known.enrolments + 1 returning enrolments";
    // Default: a name for nothing, which is not written.
    let name = attesting.unwrap_or(&[0; 32]);
    let query = diesel::sql_query(COUNT).bind::<Bytea, _>(name.as_slice()).bind::<Date, _>(day);
    let row: Option<Row> = query.bind::<Bool, _>(attesting.is_some()).get_result(db).await.optional()?;
    // Default: nothing was counted.
    Ok(row.map_or(0, |row| row.enrolments.unsigned_abs()))
}

/// True if there is a key to be kept and it was nobody's.
pub(crate) async fn add_key(
    db: &mut Connection,
    key: Option<&AssertionKey>,
    jkt: &Thumbprint,
    tells_build: bool,
) -> Result<bool, StorageError> {
    const ADD: &str = "insert into app_attest_keys (key_id, jkt, public_key, counter, tells_build) \
                       select $1, $2, $3, 0, $4 where $5 on conflict do nothing";
    // Default: a key that is not written.
    let (id, public) = key.map_or((&[0; 32], &[0; 65]), |key| (&key.id, &key.public));
    let query = diesel::sql_query(ADD).bind::<Bytea, _>(id.as_slice()).bind::<Text, _>(AsText(jkt));
    let query = query.bind::<Bytea, _>(public.as_slice()).bind::<Bool, _>(tells_build);
    Ok(query.bind::<Bool, _>(key.is_some()).execute(db).await? == 1)
}

/// An App Attest key.
#[derive(Queryable)]
pub(crate) struct Key {
    pub(crate) public: Vec<u8>,
    /// It has told build and way to the device before.
    pub(crate) tells_build: bool,
}

/// The key behind a key id, if it is this instance's.
pub(crate) async fn key(db: &mut Connection, key_id: &[u8], jkt: &Thumbprint) -> Result<Option<Key>, StorageError> {
    Ok(app_attest_keys::table
        .find(key_id)
        .filter(app_attest_keys::jkt.eq(AsText(jkt)))
        .select((app_attest_keys::public_key, app_attest_keys::tells_build))
        .first(db)
        .await
        .optional()?)
}

/// Compare and set in one statement: true for the one request that raises the counter to this value. None raises nothing.
pub(crate) async fn raise_counter(
    db: &mut Connection,
    key_id: &[u8],
    asserted: Option<&Asserted>,
) -> Result<bool, StorageError> {
    // Default: a counter that is not raised.
    let (counter, tells_build) = asserted.map_or((0, false), |asserted| (asserted.counter, asserted.has_map));
    let counter = i64::from(counter);
    let lower = app_attest_keys::counter.lt(counter).and(asserted.is_some().into_sql::<Bool>());
    let raised = diesel::update(app_attest_keys::table.find(key_id).filter(lower))
        .set((
            app_attest_keys::counter.eq(counter),
            app_attest_keys::tells_build.eq(app_attest_keys::tells_build.or(tells_build.into_sql::<Bool>())),
        ))
        .execute(db)
        .await?;
    Ok(raised == 1)
}

/// What an instance was last believed for.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Android: certificates, leaf first. iOS: the attestation object.
    pub(crate) parts: Vec<Vec<u8>>,
    pub(crate) attesting: Option<Vec<u8>>,
    pub(crate) patch_level: Option<i32>,
}

/// Keeps evidence beside its instance, in place of what was there before, if it is to be kept.
pub(crate) async fn keep(
    db: &mut Connection,
    jkt: &Thumbprint,
    evidence: &Kept,
    now: DateTime<Utc>,
    kept: bool,
) -> Result<usize, StorageError> {
    const KEEP: &str = "insert into evidence (jkt, at, parts, attesting, patch_level) select $1, $2, $3, $4, $5 where $6 \
                        on conflict (jkt) do update set at = excluded.at, parts = excluded.parts, \
                        attesting = excluded.attesting, patch_level = excluded.patch_level";
    let query = diesel::sql_query(KEEP).bind::<Text, _>(AsText(jkt)).bind::<Timestamptz, _>(now);
    let query =
        query.bind::<Array<Bytea>, _>(&evidence.parts).bind::<Nullable<Bytea>, _>(evidence.attesting.as_deref());
    Ok(query.bind::<Nullable<Integer>, _>(evidence.patch_level).bind::<Bool, _>(kept).execute(db).await?)
}

/// The parts of an instance's evidence; none if it enrolled before evidence was kept, or was never believed.
pub(crate) async fn kept(db: &mut Connection, jkt: &Thumbprint) -> Result<Option<Vec<Vec<u8>>>, StorageError> {
    Ok(evidence::table.find(AsText(jkt)).select(evidence::parts).first(db).await.optional()?)
}
