//! storage against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "tests")]

mod limits;
mod migrations;
mod states;
mod tls;
mod typed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crypto::SecretString;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl;
use storage::{Connection, EmbeddedMigrations, Pool, StorageError, subject_transaction, transaction};
use testkit::database::TestDatabase;
use tokio::sync::Barrier;

const MIGRATIONS: EmbeddedMigrations = diesel_migrations::embed_migrations!("tests/migrations");

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

async fn count(db: &mut Connection, sql: &str) -> i64 {
    sql_query(sql).get_result::<Count>(db).await.unwrap().n
}

async fn execute(db: &mut Connection, sql: &str) -> Result<usize, StorageError> {
    Ok(sql_query(sql).execute(db).await?)
}

/// A migrated database and the app role's pool.
async fn database() -> (TestDatabase, Pool) {
    let database = TestDatabase::create("storage", MIGRATIONS).await.unwrap();
    let pool = storage::pool(&SecretString::from(database.app_url.as_str()), 4).unwrap();
    (database, pool)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_run_once_even_when_several_processes_start_together_and_can_be_reverted() {
    let (database, _pool) = database().await;
    let url = SecretString::from(database.migrator_url.as_str());
    let (a, b, c) = tokio::join!(
        storage::migrate(&url, MIGRATIONS),
        storage::migrate(&url, MIGRATIONS),
        storage::migrate(&url, MIGRATIONS)
    );
    assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (0, 0, 0));
    assert_eq!(storage::revert(&url, MIGRATIONS).await.unwrap(), 1);
    let (a, b) = tokio::join!(storage::migrate(&url, MIGRATIONS), storage::migrate(&url, MIGRATIONS));
    assert_eq!(a.unwrap() + b.unwrap(), 1);
}

#[tokio::test]
async fn a_subject_sees_only_its_own_rows_and_the_setting_ends_with_the_transaction() {
    let (_database, pool) = database().await;
    for subject in ["alice", "bob"] {
        let id = subject.len();
        subject_transaction(&pool, "notes.add", subject, async |db| {
            execute(db, &format!("insert into notes values ({id}, '{subject}', 'hello')")).await
        })
        .await
        .unwrap();
    }
    let seen = subject_transaction(&pool, "notes.count", "alice", async |db| {
        Ok::<_, StorageError>(count(db, "select count(*) as n from notes").await)
    });
    assert_eq!(seen.await.unwrap(), 1);
    let without = transaction(&pool, "notes.count", async |db| {
        Ok::<_, StorageError>(count(db, "select count(*) as n from notes").await)
    });
    assert_eq!(without.await.unwrap(), 0);
}

#[tokio::test]
async fn a_subject_is_data_and_not_sql() {
    let (_database, pool) = database().await;
    let seen = subject_transaction(&pool, "notes.count", "x'; drop table notes; --", async |db| {
        Ok::<_, StorageError>(count(db, "select count(*) as n from notes").await)
    });
    assert_eq!(seen.await.unwrap(), 0);
}

#[tokio::test]
async fn a_refused_row_names_its_constraint_and_rolls_everything_back() {
    let (_database, pool) = database().await;
    let outcome: Result<(), StorageError> = subject_transaction(&pool, "notes.add", "alice", async |db| {
        execute(db, "insert into notes values (1, 'alice', 'short')").await?;
        execute(db, "insert into notes values (2, 'alice', repeat('x', 21))").await?;
        Ok(())
    })
    .await;
    assert_eq!(outcome.unwrap_err().constraint(), Some("notes_body_short"));
    let left = subject_transaction(&pool, "notes.count", "alice", async |db| {
        Ok::<_, StorageError>(count(db, "select count(*) as n from notes").await)
    });
    assert_eq!(left.await.unwrap(), 0);
}

#[tokio::test]
async fn a_serialization_failure_runs_the_body_again() {
    let (_database, pool) = database().await;
    let runs = AtomicU32::new(0);
    let outcome: Result<u32, StorageError> = transaction(&pool, "raise", async |db| {
        let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
        if run < 3 {
            execute(db, "do $$ begin raise exception 'again' using errcode = '40001'; end $$").await?;
        }
        Ok(run)
    })
    .await;
    assert_eq!(outcome.unwrap(), 3);
}

#[tokio::test]
async fn a_conflict_that_does_not_end_is_passed_on_after_five_attempts() {
    let (_database, pool) = database().await;
    let runs = AtomicU32::new(0);
    let outcome: Result<usize, StorageError> = transaction(&pool, "raise", async |db| {
        runs.fetch_add(1, Ordering::SeqCst);
        execute(db, "do $$ begin raise exception 'again' using errcode = '40001'; end $$").await
    })
    .await;
    assert!(outcome.is_err());
    assert_eq!(AtomicU32::load(&runs, Ordering::SeqCst), 5);
}

/// Two that lock the same two rows in opposite order: PostgreSQL breaks the deadlock, the loser runs again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_survived() {
    let (_database, pool) = database().await;
    subject_transaction(&pool, "notes.add", "s", async |db| {
        execute(db, "insert into notes values (1, 's', ''), (2, 's', '')").await
    })
    .await
    .unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let both_hold_one = Arc::new(Barrier::new(2));
    let lock = |first: i64, second: i64| {
        let (pool, runs, both_hold_one) = (pool.clone(), Arc::clone(&runs), Arc::clone(&both_hold_one));
        tokio::spawn(async move {
            subject_transaction(&pool, "notes.lock", "s", async |db| {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                execute(db, &format!("update notes set body = body || 'x' where id = {first}")).await?;
                if run < 2 {
                    both_hold_one.wait().await;
                }
                execute(db, &format!("update notes set body = body || 'x' where id = {second}")).await
            })
            .await
        })
    };
    let (a, b) = tokio::join!(lock(1, 2), lock(2, 1));
    a.unwrap().unwrap();
    b.unwrap().unwrap();
    assert_eq!(AtomicU32::load(&runs, Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_cancelled_transaction_gives_its_locks_back_at_once() {
    let (database, pool) = database().await;
    let long: std::pin::Pin<Box<dyn Future<Output = Result<(), StorageError>>>> =
        Box::pin(subject_transaction(&pool, "notes.add", "s", async |db| {
            execute(db, "insert into notes values (1, 's', 'first')").await?;
            tokio::time::sleep(Duration::from_mins(1)).await;
            Ok(())
        }));
    assert!(tokio::time::timeout(Duration::from_millis(300), long).await.is_err());
    // Waits for the first insert's fate, and from another pool: that one's next loan would clean up anyway.
    let other = storage::pool(&SecretString::from(database.app_url.as_str()), 1).unwrap();
    let second = subject_transaction(&other, "notes.add", "s", async |db| {
        execute(db, "insert into notes values (1, 's', 'second')").await
    });
    tokio::time::timeout(Duration::from_secs(2), second).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown_and_not_failed() {
    let (database, pool) = database().await;
    let admin = storage::pool(&SecretString::from(database.superuser_url.as_str()), 1).unwrap();
    let outcome: Result<(), StorageError> = transaction(&pool, "lost", async |db| {
        let pid = count(db, "select pg_backend_pid()::bigint as n").await;
        let mut admin = storage::connection(&admin).await?;
        sql_query(format!("select pg_terminate_backend({pid})")).execute(&mut admin).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(())
    })
    .await;
    assert!(matches!(outcome, Err(StorageError::OutcomeUnknown(_))), "{outcome:?}");
    // And the pool heals.
    storage::ping(&pool).await.unwrap();
}

#[tokio::test]
async fn a_full_pool_says_so() {
    let (database, _) = database().await;
    let pool = storage::pool(&SecretString::from(database.app_url.as_str()), 1).unwrap();
    let _held = storage::connection(&pool).await.unwrap();
    assert!(matches!(storage::connection(&pool).await, Err(StorageError::Busy(5))));
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_the_password_is_not_in_the_message() {
    let url = SecretString::from("postgres://app:hunter2@127.0.0.1:1/none".to_owned());
    let pool = storage::pool(&url, 1).unwrap();
    let error = storage::ping(&pool).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable(_)));
    let printed = format!("{error} {error:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
}
