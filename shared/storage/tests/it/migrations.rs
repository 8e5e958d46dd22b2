//! Migrations on a database that is in use, and whether it had any.

use std::time::Duration;

use crypto::SecretString;
use storage::{EmbeddedMigrations, StorageError, transaction};
use tokio::time::{sleep, timeout};

use crate::{MIGRATIONS, count, database, execute};

const WIDER: EmbeddedMigrations = diesel_migrations::embed_migrations!("tests/wider");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_lock_lets_others_pass() {
    let (database, pool) = database().await;
    let read = async || {
        transaction(&pool, "notes.count", async |db| {
            Ok::<_, StorageError>(count(db, "select count(*) as n from notes").await)
        })
        .await
    };
    // A report that reads for six seconds, and a migration that wants the table for itself.
    let reader = pool.clone();
    let report = tokio::spawn(async move {
        transaction(&reader, "notes.report", async |db| {
            execute(db, "select from notes").await?;
            execute(db, "select pg_sleep(6)").await
        })
        .await
    });
    sleep(Duration::from_millis(300)).await;
    let url = SecretString::from(database.migrator_url.as_str());
    let migration = tokio::spawn(async move { storage::migrate(&url, WIDER).await });
    sleep(Duration::from_millis(300)).await;
    // Two seconds behind the migration at the most; the report is still at work.
    timeout(Duration::from_secs(3), read()).await.expect("it waits behind the migration").unwrap();
    assert!(!report.is_finished());
    report.await.unwrap().unwrap();
    assert_eq!(timeout(Duration::from_secs(10), migration).await.unwrap().unwrap().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_the_newest_migration_is_not_ready() {
    let (database, pool) = database().await;
    let (first, second) = (storage::newest(&MIGRATIONS).unwrap().unwrap(), storage::newest(&WIDER).unwrap().unwrap());
    storage::ready(&pool, &first).await.unwrap();
    let error = storage::ready(&pool, &second).await.unwrap_err();
    assert!(error.to_string().contains("lacks version 00000000000002"), "{error}");
    // An older program finds what it needs in a newer database.
    let url = SecretString::from(database.migrator_url.as_str());
    storage::migrate(&url, WIDER).await.unwrap();
    storage::ready(&pool, &first).await.unwrap();
    storage::ready(&pool, &second).await.unwrap();
    let admin = storage::pool(&SecretString::from(database.superuser_url.as_str()), 1).unwrap();
    execute(&mut *storage::connection(&admin).await.unwrap(), "drop table __diesel_schema_migrations").await.unwrap();
    let error = storage::ready(&pool, &first).await.unwrap_err();
    assert!(error.to_string().contains("never migrated"), "{error}");
}
