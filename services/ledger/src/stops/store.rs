//! Queries on `stops`, as `ledger_poster`.

use api::internal::StopState;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::ids::{StopId, Subject};
use crate::input::time;
use crate::schema::{accounts, stops};

/// A row of `stops`.
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = stops)]
pub(super) struct Row {
    pub(super) id: StopId,
    customer: Subject,
    reason: String,
    begun_at: DateTime<Utc>,
    end_reason: Option<String>,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

impl Row {
    /// As it travels.
    pub(super) fn wire(self) -> api::internal::Stop {
        api::internal::Stop {
            id: self.id.into(),
            customer: self.customer.to_string(),
            reason: self.reason,
            begun_at: time(self.begun_at),
            ended_at: self.ended_at.map(time),
            end_reason: self.end_reason,
        }
    }
}

/// Whether anybody of this name has an account.
pub(super) async fn is_customer(db: &mut Connection, customer: &Subject) -> Result<bool, StorageError> {
    let any = accounts::table.filter(accounts::owner.eq(customer));
    Ok(diesel::select(diesel::dsl::exists(any)).get_result(db).await?)
}

/// Begins a stop; none, if there is one. When this is committed nothing of theirs is posted or begun to be sent any more.
pub(super) async fn begin(
    db: &mut Connection,
    id: StopId,
    customer: &Subject,
    reason: &str,
    by: &str,
) -> Result<Option<Row>, StorageError> {
    const BEGIN: &str = "insert into stops (id, customer, reason, begun_by) values ($1, $2, $3, $4) \
        on conflict (customer) where ended_at is null do nothing returning *";
    let query = diesel::sql_query(BEGIN).bind::<SqlUuid, _>(id).bind::<Text, _>(customer);
    Ok(query.bind::<Text, _>(reason).bind::<Text, _>(by).get_result(db).await.optional()?)
}

/// The stop of this customer that holds.
pub(super) async fn open(db: &mut Connection, customer: &Subject) -> Result<Option<Row>, StorageError> {
    let holds = stops::table.filter(stops::customer.eq(customer)).filter(stops::ended_at.is_null());
    Ok(holds.select(Row::as_select()).first(db).await.optional()?)
}

/// Ends it; none, if it does not hold.
pub(super) async fn end(db: &mut Connection, id: StopId, reason: &str, by: &str) -> Result<Option<Row>, StorageError> {
    const END: &str = "update stops set end_reason = $2, ended_by = $3, ended_at = clock_timestamp() \
        where id = $1 and ended_at is null returning *";
    let query = diesel::sql_query(END).bind::<SqlUuid, _>(id).bind::<Text, _>(reason).bind::<Text, _>(by);
    Ok(query.get_result(db).await.optional()?)
}

pub(super) async fn find(db: &mut Connection, id: StopId) -> Result<Option<Row>, StorageError> {
    Ok(stops::table.filter(stops::id.eq(id)).select(Row::as_select()).first(db).await.optional()?)
}

/// Stops after one, oldest first: ids sort by time.
pub(super) async fn list(
    db: &mut Connection,
    state: StopState,
    after: StopId,
    limit: i64,
) -> Result<Vec<Row>, StorageError> {
    let query = stops::table.filter(stops::id.gt(after)).order(stops::id).limit(limit).select(Row::as_select());
    Ok(match state {
        StopState::Open => query.filter(stops::ended_at.is_null()).load(db).await?,
        StopState::Ended => query.filter(stops::ended_at.is_not_null()).load(db).await?,
    })
}
