//! What the server's codes mean, whatever language it speaks.

use std::sync::atomic::{AtomicU32, Ordering};

use storage::{Pool, StorageError, subject_transaction, transaction};

use crate::{count, database, execute};

async fn raised(pool: &Pool, code: &str) -> StorageError {
    let raise = format!("do $$ begin raise exception 'etwas ist geschehen' using errcode = '{code}'; end $$");
    let outcome: Result<usize, StorageError> = transaction(pool, "raise", async |db| execute(db, &raise).await).await;
    outcome.unwrap_err()
}

#[tokio::test]
async fn a_full_disk_no_memory_and_a_server_that_goes_down_are_unavailable_and_a_fault_is_not() {
    let (_database, pool) = database().await;
    for code in ["25006", "53100", "53200", "53300", "57014", "57P01", "58030"] {
        let error = raised(&pool, code).await;
        assert!(matches!(error, StorageError::Unavailable(_)), "{code}: {error:?}");
    }
    for code in ["22001", "42501", "P0001", "XX000"] {
        let error = raised(&pool, code).await;
        assert!(matches!(error, StorageError::Query(_)), "{code}: {error:?}");
        assert_eq!(error.sqlstate(), Some(code));
    }
}

#[tokio::test]
async fn a_deadlock_in_another_language_runs_the_body_again() {
    let (_database, pool) = database().await;
    let runs = AtomicU32::new(0);
    let outcome: Result<u32, StorageError> = transaction(&pool, "raise", async |db| {
        let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
        if run < 3 {
            execute(db, "do $$ begin raise exception 'Verklemmung entdeckt' using errcode = '40P01'; end $$").await?;
        }
        Ok(run)
    })
    .await;
    assert_eq!(outcome.unwrap(), 3);
}

#[tokio::test]
async fn a_lock_that_is_not_free_in_time_is_held_by_others() {
    let (_database, pool) = database().await;
    let add = "insert into notes values (1, 's', '')";
    subject_transaction(&pool, "notes.add", "s", async |db| execute(db, add).await).await.unwrap();
    let outcome: Result<usize, StorageError> = subject_transaction(&pool, "notes.lock", "s", async |db| {
        execute(db, "select from notes where id = 1 for update").await?;
        subject_transaction(&pool, "notes.lock", "s", async |db| {
            execute(db, "set local lock_timeout = '50ms'").await?;
            execute(db, "update notes set body = 'x' where id = 1").await
        })
        .await
    })
    .await;
    let error = outcome.unwrap_err();
    assert!(matches!(&error, StorageError::Held(text) if text.contains("55P03")), "{error:?}");
}

/// A primary that became a replica keeps its connections and refuses every write on them.
#[tokio::test]
async fn a_connection_to_a_server_that_only_reads_leaves_the_pool() {
    let (database, _) = database().await;
    let pool = storage::pool(&database.app_url.as_str().into(), 1).unwrap();
    let mut db = storage::connection(&pool).await.unwrap();
    let before = count(&mut db, "select pg_backend_pid()::bigint as n").await;
    execute(&mut db, "set default_transaction_read_only = on").await.unwrap();
    drop(db);
    let write = async || {
        subject_transaction(&pool, "notes.add", "s", async |db| {
            execute(db, "insert into notes values (1, 's', '')").await
        })
        .await
    };
    let error = write().await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
    write().await.unwrap();
    let mut db = storage::connection(&pool).await.unwrap();
    assert_ne!(count(&mut db, "select pg_backend_pid()::bigint as n").await, before);
}
