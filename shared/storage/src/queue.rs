//! A table of work: rows that wait until they are due, each taken by one process for the length of a lease.
//!
//! A claim is committed before the work begins, so no transaction is open meanwhile. A process that dies in between leaves the row to the next
//! one, when the lease is over; `attempts` tells that one that it is not the first.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl as _;

use crate::{Pool, StorageError, transaction};

/// A table with the columns `id`, `attempts` and `next_attempt_at`. All of it is text of the program's own.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// The name of a claim in traces.
    pub name: &'static str,
    /// Name of the table that is the queue.
    pub table: &'static str,
    /// Which rows still have work in them.
    pub waiting: &'static str,
    /// What a claim changes beside the attempt and its time, of the row `q`: `, column = …`, or nothing. `$1` is now.
    pub changes: &'static str,
    /// What it answers beside the row, of the row `due` as it was before: `, expression as name`, or nothing.
    pub answers: &'static str,
}

impl Queue {
    /// Takes at most `limit` rows that are due, those that have waited longest first. Two processes take different ones.
    pub async fn claim<R>(
        &self,
        pool: &Pool,
        limit: i64,
        now: DateTime<Utc>,
        lease: TimeDelta,
    ) -> Result<Vec<R>, StorageError>
    where
        R: diesel::QueryableByName<Pg> + Send + 'static,
    {
        let Self { name, table, waiting, changes, answers } = self;
        let claim = format!(
            "with due as (
                 select * from {table} where {waiting} and next_attempt_at <= $1 order by next_attempt_at limit $2
                 for update skip locked
             )
             update {table} q set attempts = q.attempts + 1, next_attempt_at = $3 {changes}
             from due where q.id = due.id returning q.* {answers}"
        );
        transaction(pool, name, async |db| {
            let claim = diesel::sql_query(&claim).bind::<Timestamptz, _>(now).bind::<BigInt, _>(limit);
            Ok(claim.bind::<Timestamptz, _>(now + lease).load(db).await?)
        })
        .await
    }
}
