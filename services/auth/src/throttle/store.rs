//! Counters of failures in the database.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use super::counter::{Blocked, Throttle};
use crate::error::Invariant;
use crate::opaque::Digest;
use crate::schema::login_throttles;
use crate::store::{at, seek};

/// Counts a try, one after the other for each identifier.
pub(crate) async fn attempt(pool: &Pool, counter: &Digest, now: i64) -> Result<Result<(), Blocked>, StorageError> {
    storage::transaction(pool, "login_throttles.attempt", async |db| {
        seek(db, &[counter]).await?;
        // Makes the row or finds it, and locks it in both cases.
        let row: Row = diesel::insert_into(login_throttles::table)
            .values((
                login_throttles::identifier_hash.eq(&counter.0),
                login_throttles::failures.eq(0),
                login_throttles::blocked_until.eq(at(0)?),
                login_throttles::last_attempt_at.eq(at(now)?),
            ))
            .on_conflict(login_throttles::identifier_hash)
            .do_update()
            .set(login_throttles::last_attempt_at.eq(at(now)?))
            .returning((login_throttles::failures, login_throttles::blocked_until))
            .get_result(db)
            .await?;
        match throttle(row)?.attempt(now) {
            Ok(next) => set(db, counter, next).await.map(Ok),
            Err(blocked) => Ok(Err(blocked)),
        }
    })
    .await
}

/// Takes back a try that came to nothing because we were busy.
pub(crate) async fn undo_attempt(pool: &Pool, counter: &Digest, now: i64) -> Result<(), StorageError> {
    storage::transaction(pool, "login_throttles.take_back", async |db| {
        seek(db, &[counter]).await?;
        let row: Option<Row> = login_throttles::table
            .find(&counter.0)
            .select((login_throttles::failures, login_throttles::blocked_until))
            .for_update()
            .first(db)
            .await
            .optional()?;
        match row {
            Some(row) => set(db, counter, throttle(row)?.undo_attempt(now)).await,
            // A success in another browser has ended the row meanwhile.
            None => Ok(()),
        }
    })
    .await
}

type Row = (i32, DateTime<Utc>);

fn throttle((failures, blocked_until): Row) -> Result<Throttle, Invariant> {
    let failures = u32::try_from(failures).map_err(|_| Invariant("a count of failures below nothing"))?;
    Ok(Throttle { failures, blocked_until: blocked_until.timestamp() })
}

async fn set(db: &mut Connection, counter: &Digest, next: Throttle) -> Result<(), StorageError> {
    // Default: a counter that is full stays full, under the longest block.
    let failures = i32::try_from(next.failures).unwrap_or(i32::MAX);
    diesel::update(login_throttles::table.find(&counter.0))
        .set((login_throttles::failures.eq(failures), login_throttles::blocked_until.eq(at(next.blocked_until)?)))
        .execute(db)
        .await?;
    Ok(())
}

/// A success ends the row of failures. Inside a transaction that looks for the counter.
pub(crate) async fn reset(db: &mut Connection, counter: &Digest) -> Result<(), StorageError> {
    diesel::delete(login_throttles::table.find(&counter.0)).execute(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_below_nothing_is_not_the_highest() {
        assert!(throttle((-1, DateTime::UNIX_EPOCH)).is_err());
    }
}
