//! Queries on `events` and `event_conflicts`.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{Queryable, QueryableByName};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError, statement};

use super::model::Happened;
use crate::ids::{DecisionId, EventId};
use crate::state::store::PaidRow;

statement! {
    /// Takes as many numbers as there are events, and stores those that are not there.
    Insert -> (SqlUuid, BigInt) {
        "with head as (update log_head set last_number = last_number + cardinality(" ids: Array<SqlUuid> = Vec<EventId>,
        "::uuid[]) returning last_number - cardinality($1) as before) \
         insert into events (id, number, kind, at, received_at, reported_by, user_key, payee_key, amount, currency, decision_id) \
         select e.id, head.before + e.place, 'payment', e.at, " received_at: Timestamptz = DateTime<Utc>,
        ", " reported_by: Text = &'a str,
        ", e.user_key, e.payee_key, e.amount, e.currency, e.decision_id \
         from head, unnest($1, " paid_at: Array<Timestamptz> = Vec<DateTime<Utc>>,
        ", " users: Array<BigInt> = Vec<i64>,
        ", " payees: Array<BigInt> = Vec<i64>,
        ", " amounts: Array<BigInt> = Vec<i64>,
        ", " currencies: Array<Text> = Vec<&'static str>,
        ", " decisions: Array<Nullable<SqlUuid>> = Vec<Option<DecisionId>>,
    } ") with ordinality as e (id, at, user_key, payee_key, amount, currency, decision_id, place) \
       on conflict (id) do nothing returning id, number"
}

/// An event that is stored now.
#[derive(Queryable)]
pub(super) struct Inserted {
    pub(super) id: EventId,
    pub(super) number: i64,
}

/// Stores those that are not there yet, in their order, under the next numbers of the log. The row of the head is held until this transaction ends, so that
/// nobody reads a later number before these.
pub(super) async fn insert(
    db: &mut Connection,
    events: &[&Happened],
    reported_by: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Inserted>, StorageError> {
    let columns = Insert {
        ids: column(events, |event| event.id),
        paid_at: column(events, |event| event.paid.at),
        users: column(events, |event| event.paid.user.cast_signed()),
        payees: column(events, |event| event.paid.payee.cast_signed()),
        amounts: column(events, |event| event.paid.money.minor()),
        currencies: column(events, |event| event.paid.money.currency().code()),
        decisions: column(events, |event| event.decision),
        received_at: now,
        reported_by,
        ..Insert::default()
    };
    Ok(columns.load(db).await?)
}

fn column<T>(events: &[&Happened], of: impl Fn(&Happened) -> T) -> Vec<T> {
    events.iter().map(|event| of(event)).collect()
}

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = SqlUuid)]
    id: EventId,
    #[diesel(embed)]
    paid: PaidRow,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    decision_id: Option<DecisionId>,
}

/// The events of these ids, as they were told first.
pub(super) async fn stored(db: &mut Connection, ids: &[EventId]) -> Result<Vec<Happened>, StorageError> {
    const READ: &str =
        "select id, at, user_key, payee_key, amount, currency, decision_id from events where id = any($1)";
    let rows: Vec<Stored> = diesel::sql_query(READ).bind::<Array<SqlUuid>, _>(ids).load(db).await?;
    let happened = |row: Stored| Happened { id: row.id, paid: row.paid.into(), decision: row.decision_id };
    Ok(rows.into_iter().map(happened).collect())
}

/// Writes down an event whose id was another event's; the same again is there already.
pub(super) async fn insert_conflict(
    db: &mut Connection,
    event: &Happened,
    reported_by: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    const INSERT: &str = "\
        insert into event_conflicts \
            (event_id, digest, received_at, reported_by, at, user_key, payee_key, amount, currency, decision_id) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing";
    let query = diesel::sql_query(INSERT)
        .bind::<SqlUuid, _>(event.id)
        .bind::<Bytea, _>(event.digest().to_vec())
        .bind::<Timestamptz, _>(now)
        .bind::<Text, _>(reported_by)
        .bind::<Timestamptz, _>(event.paid.at)
        .bind::<BigInt, _>(event.paid.user.cast_signed())
        .bind::<BigInt, _>(event.paid.payee.cast_signed());
    let money = event.paid.money;
    let query = query.bind::<BigInt, _>(money.minor()).bind::<Text, _>(money.currency().code());
    query.bind::<Nullable<SqlUuid>, _>(event.decision).execute(db).await?;
    Ok(())
}
