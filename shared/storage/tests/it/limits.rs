//! No wait is without end: a database that hangs with its sockets open, a commit that nobody answers.

use std::time::Duration;

use crypto::SecretString;
use storage::{Limit, Pool, StorageError, transaction, transaction_within};
use testkit::database::TestDatabase;
use testkit::proxy::Proxy;
use tokio::time::{Instant, sleep, timeout};

use crate::{count, database, execute};

const SHORT: Limit = Limit { work: Duration::from_millis(400), commit: Duration::from_millis(400) };

async fn behind_a_proxy(connections: usize) -> (TestDatabase, Proxy, Pool) {
    let (database, _) = database().await;
    let proxy = Proxy::start(&database.app_url).await.unwrap();
    let pool = storage::pool(&SecretString::from(proxy.url()), connections).unwrap();
    storage::ping(&pool).await.unwrap();
    (database, proxy, pool)
}

async fn notes(database: &TestDatabase) -> i64 {
    let pool = storage::pool(&SecretString::from(database.superuser_url.as_str()), 1).unwrap();
    count(&mut *storage::connection(&pool).await.unwrap(), "select count(*) as n from notes").await
}

#[tokio::test]
async fn a_transaction_past_its_limit_has_not_happened_and_never_will() {
    let (database, proxy, pool) = behind_a_proxy(1).await;
    let started = Instant::now();
    let outcome: Result<(), StorageError> = transaction_within(&pool, "notes.add", SHORT, async |db| {
        execute(db, "select set_config('app.subject', 's', true)").await?;
        execute(db, "insert into notes values (1, 's', '')").await?;
        proxy.hang();
        execute(db, "insert into notes values (2, 's', '')").await?;
        Ok(())
    })
    .await;
    assert!(matches!(outcome, Err(StorageError::Unavailable(_))), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // What was held back arrives; the connection is closed all the same, and the pool has a new one.
    proxy.resume();
    storage::ping(&pool).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(notes(&database).await, 0);
}

#[tokio::test]
async fn a_commit_that_nobody_answers_is_unknown() {
    let (database, proxy, pool) = behind_a_proxy(1).await;
    let started = Instant::now();
    let outcome: Result<(), StorageError> = transaction_within(&pool, "notes.add", SHORT, async |db| {
        execute(db, "select set_config('app.subject', 's', true)").await?;
        execute(db, "insert into notes values (1, 's', '')").await?;
        proxy.hang_after_commit();
        Ok(())
    })
    .await;
    assert!(matches!(outcome, Err(StorageError::OutcomeUnknown(_))), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(notes(&database).await, 1);
}

/// Without a limit of their own: 15 s in all.
#[tokio::test]
async fn a_database_that_hangs_ends_statements_transactions_and_connecting() {
    let (_database, proxy, pool) = behind_a_proxy(2).await;
    let held = [storage::connection(&pool).await.unwrap(), storage::connection(&pool).await.unwrap()];
    proxy.hang();
    drop(held);
    let statement = async {
        let started = Instant::now();
        (storage::ping(&pool).await, started.elapsed())
    };
    let transaction = async {
        let started = Instant::now();
        let outcome = transaction(&pool, "ping", async |db| execute(db, "select 1").await).await;
        (outcome.map(drop), started.elapsed())
    };
    let (statement, transaction) =
        timeout(Duration::from_secs(15), async { tokio::join!(statement, transaction) }).await.unwrap();
    for (outcome, elapsed) in [statement, transaction] {
        assert!(matches!(outcome, Err(StorageError::Unavailable(_))), "{outcome:?} after {elapsed:?}");
    }
    // Neither connection is lent again, and a new one does not come: 5 s.
    let connecting = timeout(Duration::from_secs(7), storage::ping(&pool)).await.unwrap();
    assert!(matches!(connecting, Err(StorageError::Unavailable(_) | StorageError::Busy(_))), "{connecting:?}");
    proxy.resume();
    storage::ping(&pool).await.unwrap();
}

#[tokio::test]
async fn a_statement_whose_caller_gave_up_does_not_wait_for_the_next_one() {
    let (_database, _proxy, pool) = behind_a_proxy(1).await;
    let mut db = storage::connection(&pool).await.unwrap();
    assert!(timeout(Duration::from_millis(100), execute(&mut db, "select pg_sleep(5)")).await.is_err());
    drop(db);
    timeout(Duration::from_secs(2), storage::ping(&pool)).await.unwrap().unwrap();
}
