//! Transactions: a fresh connection and a fresh run of the body per attempt, a span around the whole.
//!
//! Cancellation: dropping the future in mid-transaction (a client hangs up, a timeout strikes) leaves an open
//! transaction on the connection (diesel-async issue 198). The pool would notice at the *next* connection; until then its
//! row locks would stay. So a [`TransactionConnection`] that was not ended takes its connection out of the pool and closes it at
//! once, and PostgreSQL rolls back. A caller who needs to know the outcome of a commit must not be cancelled: run
//! it in a task of its own.
//!
//! Time: a transaction has a [`Limit`]. Past it before the commit was sent, nothing was written and nothing will be: the connection is
//! closed with the transaction open. Past it after that, nobody knows yet: [`StorageError::OutcomeUnknown`].
//!
//! Isolation is the database's default (READ COMMITTED). A body that needs more starts with
//! `set transaction isolation level serializable`.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, RunQueryDsl, TransactionManager};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, Span};

use crate::pool::{Pool, Pooled, connection};
use crate::{Connection, Retry, StorageError};

/// Before a serialization failure or deadlock is passed on: 2, 4, 8, 16 ms and up to as much again, so that two that collided do not meet
/// again.
const PAUSES: ExponentialBuilder =
    ExponentialBuilder::new().with_jitter().with_min_delay(Duration::from_millis(2)).with_max_times(4);
/// How long a rollback may take. A connection that does not even manage that is closed, which rolls back as well.
const ROLLBACK: Duration = Duration::from_secs(2);

/// How long a transaction may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Until the commit is sent: the wait for a connection and all attempts together.
    pub work: Duration,
    /// From then to the answer.
    pub commit: Duration,
}

impl Default for Limit {
    /// 10 s and 5 s: a request that waits for it still has time to say so.
    fn default() -> Self {
        Self { work: Duration::from_secs(10), commit: Duration::from_secs(5) }
    }
}

type Manager = <Connection as AsyncConnection>::TransactionManager;

/// The body of a transaction: an `async |connection| …` closure that may be called again.
///
/// It only says that the closure's future can move between threads, which `AsyncFn` alone cannot say yet. Capture
/// by reference, not by `move`, so that each attempt starts from the same state.
pub trait Attempt<A, R>: Fn(A) -> Self::Running {
    /// One run of the body.
    type Running: Future<Output = R> + Send;
    /// Starts one run.
    fn start(&self, argument: A) -> Self::Running;
}

impl<F, A, R, Running> Attempt<A, R> for F
where
    F: Fn(A) -> Running,
    Running: Future<Output = R> + Send,
{
    type Running = Running;
    fn start(&self, argument: A) -> Running {
        self(argument)
    }
}

/// A span `db.<name>` for a piece of database work, so that a trace reaches PostgreSQL.
pub fn span(name: &str) -> Span {
    tracing::info_span!(
        "db",
        otel.name = format!("db.{name}"),
        otel.kind = "client",
        db.system = "postgresql",
        db.operation.name = name,
        db.attempts = tracing::field::Empty,
        db.outcome = tracing::field::Empty,
    )
}

/// Runs `body` in a transaction and commits if it says `Ok`.
///
/// Serialization failures and deadlocks are tried again, up to five attempts in all, each on a fresh connection
/// with a fresh run of `body`; everything else rolls back and is returned.
///
/// ```text
/// let account = storage::transaction(&pool, "accounts.open", async |db| store::insert(db, &new).await).await?;
/// ```
pub async fn transaction<T, E, F>(pool: &Pool, name: &str, body: F) -> Result<T, E>
where
    E: From<StorageError> + Retry,
    F: for<'c> AsyncFn(&'c mut Connection) -> Result<T, E> + for<'c> Attempt<&'c mut Connection, Result<T, E>>,
{
    attempts(pool, name, None, Limit::default(), body).await
}

/// Like [`transaction`], within a limit of its own.
pub async fn transaction_within<T, E, F>(pool: &Pool, name: &str, limit: Limit, body: F) -> Result<T, E>
where
    E: From<StorageError> + Retry,
    F: for<'c> AsyncFn(&'c mut Connection) -> Result<T, E> + for<'c> Attempt<&'c mut Connection, Result<T, E>>,
{
    attempts(pool, name, None, limit, body).await
}

/// Like [`transaction`], with `app.subject` set for it, by which row-level security decides what can be seen.
pub async fn subject_transaction<T, E, F>(pool: &Pool, name: &str, subject: &str, body: F) -> Result<T, E>
where
    E: From<StorageError> + Retry,
    F: for<'c> AsyncFn(&'c mut Connection) -> Result<T, E> + for<'c> Attempt<&'c mut Connection, Result<T, E>>,
{
    attempts(pool, name, Some(subject), Limit::default(), body).await
}

async fn attempts<T, E, F>(pool: &Pool, name: &str, subject: Option<&str>, limit: Limit, body: F) -> Result<T, E>
where
    E: From<StorageError> + Retry,
    F: for<'c> Attempt<&'c mut Connection, Result<T, E>>,
{
    let span = span(name);
    let deadline = Instant::now() + limit.work;
    let run = async {
        let (mut attempt, mut pauses) = (1, PAUSES.build());
        loop {
            let outcome = once(pool, subject, limit, deadline, &body).await;
            let again = outcome.as_ref().is_err_and(Retry::is_transient) && Instant::now() < deadline;
            let Some(pause) = pauses.next().filter(|_| again) else {
                Span::current().record("db.attempts", attempt);
                Span::current().record("db.outcome", if outcome.is_ok() { "commit" } else { "rollback" });
                return outcome;
            };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    };
    run.instrument(span).await
}

async fn once<T, E, F>(pool: &Pool, subject: Option<&str>, limit: Limit, deadline: Instant, body: &F) -> Result<T, E>
where
    E: From<StorageError> + Retry,
    F: for<'c> Attempt<&'c mut Connection, Result<T, E>>,
{
    let mut held = TransactionConnection(None);
    let worked = timeout_at(deadline, async {
        let db = held.take(connection(pool).await?)?;
        begin(db, subject).await?;
        body.start(db).await
    });
    match worked.await {
        Ok(Ok(value)) => {
            commit(held.connection()?, limit.commit).await?;
            held.end();
            Ok(value)
        }
        Ok(Err(error)) => {
            held.roll_back().await;
            Err(error)
        }
        // It is not ended: the connection is closed, the transaction with it.
        Err(_) => {
            let limit = limit.work.as_secs_f32();
            Err(StorageError::Unavailable(format!("a transaction was not ready to commit within {limit} s")).into())
        }
    }
}

async fn begin(db: &mut Connection, subject: Option<&str>) -> Result<(), StorageError> {
    Manager::begin_transaction(db).await?;
    if let Some(subject) = subject {
        let set = diesel::sql_query("select set_config('app.subject', $1, true)").bind::<Text, _>(subject);
        set.execute(db).await?;
    }
    Ok(())
}

async fn commit(db: &mut Connection, limit: Duration) -> Result<(), StorageError> {
    match timeout(limit, Manager::commit_transaction(db)).await {
        Ok(outcome) => match outcome.map_err(StorageError::from) {
            Err(StorageError::Unavailable(reason)) => Err(StorageError::OutcomeUnknown(reason)),
            other => other,
        },
        Err(_) => Err(StorageError::OutcomeUnknown(format!("no answer within {} s", limit.as_secs_f32()))),
    }
}

/// A connection inside a transaction: unless ended, it is closed instead of going back to the pool.
struct TransactionConnection(Option<Pooled>);

impl TransactionConnection {
    fn take(&mut self, pooled: Pooled) -> Result<&mut Connection, StorageError> {
        self.0 = Some(pooled);
        self.connection()
    }

    fn connection(&mut self) -> Result<&mut Connection, StorageError> {
        match &mut self.0 {
            Some(pooled) => Ok(pooled),
            None => Err(StorageError::Unavailable("the transaction has ended".to_owned())),
        }
    }

    /// Without an answer to the rollback it is not ended and the connection is closed: a rollback all the same.
    async fn roll_back(mut self) {
        let Some(pooled) = &mut self.0 else { return };
        let db: &mut Connection = pooled;
        if db.is_fit() && matches!(timeout(ROLLBACK, Manager::rollback_transaction(db)).await, Ok(Ok(()))) {
            self.end();
        }
    }

    fn end(mut self) {
        drop(self.0.take());
    }
}

impl Drop for TransactionConnection {
    fn drop(&mut self) {
        if let Some(pooled) = self.0.take() {
            drop(Pooled::take(pooled));
        }
    }
}
