//! Migrations: embedded in the service's binary, run as its migrator role, one process at a time.
//!
//! A migration that waits for a lock makes everybody wait who comes after it. So it gives up after two seconds, lets the others pass and
//! tries again; each migration is a transaction of its own, so what has been applied stays.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use crypto::SecretString;
use diesel::QueryableByName;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncMigrationHarness, RunQueryDsl as _, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use tokio::runtime::Handle;

use crate::wire::WireState;
use crate::{Connection, Pool, StorageError, connection};

/// Taken for the session, so that several replicas that start at once migrate once. Advisory locks are per database.
const LOCK: &str = "set lock_timeout = '60s'; select pg_advisory_lock(7235414967202401); set lock_timeout = '2s'";
/// SQLSTATE of a lock that was not free in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// Between the tries of one migration; with these, twelve of them take a minute.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(200))
    .with_max_delay(Duration::from_secs(5))
    .with_max_times(11);
/// Which versions there are is no secret within the database, and readiness asks for it as the app role.
const SHOW_VERSIONS: &str = "grant select on __diesel_schema_migrations to public";

/// Who owns a table can switch off every trigger and policy on it. So the owner is a role that nobody signs in as, not even the migrator,
/// who only acts as it.
const OWNER: &str = "do $$ begin
    if (select rolcanlogin from pg_roles where rolname = current_user) then
        raise exception 'the tables would belong to %, who can sign in: create role an_owner nologin; grant an_owner to %; '
            'alter role % set role = an_owner; and make it the owner of the database', current_user, session_user, session_user
            using errcode = 'insufficient_privilege';
    end if;
end $$";

/// Applies what has not been applied yet and tells how many migrations that were.
pub async fn migrate(url: &SecretString, migrations: EmbeddedMigrations) -> Result<usize, StorageError> {
    let work = move |harness: &mut Harness, wire: &WireState| {
        let applied = retry_while_locked(wire, || harness.applied_migrations())?;
        let mut pending = migrations.migrations()?;
        pending.retain(|migration| !applied.contains(&migration.name().version().as_owned()));
        pending.sort_unstable_by(|one, other| one.name().version().cmp(&other.name().version()));
        for migration in &pending {
            retry_while_locked(wire, || harness.run_migration(migration))?;
        }
        Ok(pending.len())
    };
    let (count, mut db) = with_harness(url, work).await?;
    db.batch_execute(SHOW_VERSIONS).await?;
    Ok(count)
}

/// Undoes all migrations, newest first: what the tests use to show that every `down.sql` works.
pub async fn revert(url: &SecretString, migrations: EmbeddedMigrations) -> Result<usize, StorageError> {
    let work = move |harness: &mut Harness, _: &WireState| Ok(harness.revert_all_migrations(migrations)?.len());
    Ok(with_harness(url, work).await?.0)
}

/// The version of the newest of them, for [`ready`].
pub fn newest(migrations: &EmbeddedMigrations) -> Result<Option<String>, StorageError> {
    let source: &dyn MigrationSource<Pg> = migrations;
    let all = source.migrations().map_err(|error| StorageError::Migration(error.to_string()))?;
    Ok(all.iter().map(|migration| migration.name().version().to_string()).max())
}

/// Asks the database for a sign of life, and whether it was brought to this version (or a later one).
pub async fn ready(pool: &Pool, version: &str) -> Result<(), StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        there: bool,
    }
    let mut db = connection(pool).await?;
    let query = diesel::sql_query("select exists (select from __diesel_schema_migrations where version = $1) as there");
    match query.bind::<Text, _>(version).get_result::<Row>(&mut db).await.map_err(StorageError::from) {
        Ok(row) if row.there => Ok(()),
        Ok(_) => Err(StorageError::Migration(format!("the database lacks version {version}: run `migrate`"))),
        Err(error) if error.sqlstate() == Some("42P01") => {
            Err(StorageError::Migration("the database was never migrated: run `migrate`".to_owned()))
        }
        Err(error) => Err(error),
    }
}

type Harness = AsyncMigrationHarness<Connection>;
type MigrationResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// diesel's migration machinery is synchronous; it blocks a thread that may block. The lock ends with the connection.
async fn with_harness(
    url: &SecretString,
    work: impl FnOnce(&mut Harness, &WireState) -> MigrationResult<usize> + Send + 'static,
) -> Result<(usize, Connection), StorageError> {
    // A migration may take as long as it needs.
    let opening = Connection::open(url.expose(), None).await;
    let mut connection = opening.map_err(|error| StorageError::Unavailable(error.to_string()))?;
    connection.batch_execute(OWNER).await?;
    connection.batch_execute(LOCK).await?;
    let blocking = tokio::task::spawn_blocking(move || {
        let wire = connection.wire();
        let mut harness = AsyncMigrationHarness::new(connection);
        work(&mut harness, &wire).map(|count| (count, harness.into_inner()))
    });
    match blocking.await {
        Ok(outcome) => outcome.map_err(|error| StorageError::Migration(error.to_string())),
        Err(error) => Err(StorageError::Migration(error.to_string())),
    }
}

/// Runs `step` again while all that is wrong is a lock that was not free. Blocks.
fn retry_while_locked<T>(wire: &WireState, mut step: impl FnMut() -> MigrationResult<T>) -> MigrationResult<T> {
    for pause in PAUSES.build() {
        match step() {
            Err(error) if wire.last_code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                tracing::warn!(cause = %error, "a migration waits for a lock that others hold");
                Handle::current().block_on(tokio::time::sleep(pause));
            }
            outcome => return outcome,
        }
    }
    step()
}
