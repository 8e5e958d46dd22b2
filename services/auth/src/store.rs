//! What the slices' stores share: instants, and the end of rows whose time is over.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use crate::schema::{
    authorization_codes, client_assertions, interactions, login_throttles, pushed_requests, refresh_tokens,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A moment as PostgreSQL has it.
pub(crate) fn at(unix: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(unix, 0).unwrap_or_default()
}

/// Deletes what its table's comment says is not kept; tells how many rows that were.
pub(crate) async fn forget(pool: &Pool, now: i64) -> Result<usize, StorageError> {
    let mut connection = storage::connection(pool).await?;
    let db: &mut Connection = &mut connection;
    let mut rows = 0;
    // Interactions go with their request.
    rows += diesel::delete(interactions::table.filter(interactions::expires_at.lt(at(now)))).execute(db).await?;
    rows += diesel::delete(pushed_requests::table.filter(pushed_requests::expires_at.lt(at(now - HOUR))))
        .execute(db)
        .await?;
    rows += diesel::delete(authorization_codes::table.filter(authorization_codes::expires_at.lt(at(now - DAY))))
        .execute(db)
        .await?;
    rows += diesel::delete(refresh_tokens::table.filter(refresh_tokens::expires_at.lt(at(now)))).execute(db).await?;
    rows +=
        diesel::delete(client_assertions::table.filter(client_assertions::expires_at.lt(at(now)))).execute(db).await?;
    let forgotten = login_throttles::last_attempt_at.lt(at(now - 30 * DAY));
    rows += diesel::delete(login_throttles::table.filter(forgotten)).execute(db).await?;
    Ok(rows)
}
