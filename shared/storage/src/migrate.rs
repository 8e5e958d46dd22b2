//! Migrations: embedded in the service's binary, run as its migrator role, one process at a time.

use crypto::SecretString;
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use crate::StorageError;

/// Taken for the session, so that several replicas that start at once migrate once. Advisory locks are per database.
const LOCK: &str = "set lock_timeout = '60s'; select pg_advisory_lock(7235414967202401)";

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
    with_harness(url, move |harness| Ok(harness.run_pending_migrations(migrations)?.len())).await
}

/// Undoes all migrations, newest first: what the tests use to show that every `down.sql` works.
pub async fn revert(url: &SecretString, migrations: EmbeddedMigrations) -> Result<usize, StorageError> {
    with_harness(url, move |harness| Ok(harness.revert_all_migrations(migrations)?.len())).await
}

type Outcome = Result<usize, Box<dyn std::error::Error + Send + Sync>>;

/// diesel's migration machinery is synchronous; it blocks a thread that may block.
async fn with_harness(
    url: &SecretString,
    work: impl FnOnce(&mut AsyncMigrationHarness<AsyncPgConnection>) -> Outcome + Send + 'static,
) -> Result<usize, StorageError> {
    let mut connection = AsyncPgConnection::establish(url.expose())
        .await
        .map_err(|error| StorageError::Unavailable(error.to_string()))?;
    connection.batch_execute(OWNER).await?;
    connection.batch_execute(LOCK).await?;
    // The lock ends with the connection, which ends with the harness.
    let blocking = tokio::task::spawn_blocking(move || work(&mut AsyncMigrationHarness::new(connection)));
    match blocking.await {
        Ok(outcome) => outcome.map_err(|error| StorageError::Migration(error.to_string())),
        Err(error) => Err(StorageError::Migration(error.to_string())),
    }
}
