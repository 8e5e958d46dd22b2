//! Queries on `events` and `event_conflicts`.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{Queryable, QueryableByName};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError, statement};

use super::model::{Fact, Happened};
use crate::events::Place;
use crate::ids::{DecisionId, EventId};
use crate::state::store::{EventRow, PAYMENT, Read};

statement! {
    /// Takes as many numbers as there are events, and stores those that are not there.
    Insert -> (SqlUuid, BigInt) {
        "with head as (update log_head set last_number = last_number + cardinality(" ids: Array<SqlUuid> = Vec<EventId>,
        "::uuid[]) returning last_number - cardinality($1) as before) \
         insert into events (id, number, kind, at, received_at, reported_by, user_key, payee_key, amount, currency, decision_id, device_key, detail, country, network_key) \
         select e.id, head.before + e.place, e.kind, e.at, " received_at: Timestamptz = DateTime<Utc>,
        ", " reported_by: Text = &'a str,
        ", e.user_key, e.payee_key, e.amount, e.currency, e.decision_id, e.device_key, e.detail, e.country, e.network_key \
         from head, unnest($1, " kinds: Array<Text> = Vec<&'static str>,
        ", " at: Array<Timestamptz> = Vec<DateTime<Utc>>,
        ", " users: Array<BigInt> = Vec<i64>,
        ", " payees: Array<Nullable<BigInt>> = Vec<Option<i64>>,
        ", " amounts: Array<Nullable<BigInt>> = Vec<Option<i64>>,
        ", " currencies: Array<Nullable<Text>> = Vec<Option<&'static str>>,
        ", " decisions: Array<Nullable<SqlUuid>> = Vec<Option<DecisionId>>,
        ", " devices: Array<Nullable<BigInt>> = Vec<Option<i64>>,
        ", " details: Array<Nullable<Text>> = Vec<Option<&'a str>>,
        ", " countries: Array<Nullable<Text>> = Vec<Option<String>>,
        ", " networks: Array<Nullable<BigInt>> = Vec<Option<i64>>,
    } ") with ordinality as e (id, kind, at, user_key, payee_key, amount, currency, decision_id, device_key, detail, country, network_key, place) \
       on conflict (id) do nothing returning id, number"
}

/// An event as its columns have it.
struct Columns<'a> {
    kind: &'static str,
    at: DateTime<Utc>,
    user: i64,
    payee: Option<i64>,
    amount: Option<i64>,
    currency: Option<&'static str>,
    decision: Option<DecisionId>,
    device: Option<i64>,
    detail: Option<&'a str>,
    place: Option<Place>,
}

impl<'a> From<&'a Fact> for Columns<'a> {
    fn from(fact: &'a Fact) -> Self {
        match fact {
            Fact::Paid(paid, decision) => Self {
                kind: PAYMENT,
                at: paid.at,
                user: paid.user.cast_signed(),
                payee: Some(paid.payee.cast_signed()),
                amount: Some(paid.money.minor()),
                currency: Some(paid.money.currency().code()),
                decision: *decision,
                device: None,
                detail: None,
                place: None,
            },
            Fact::Noticed { at, user, what, place } => {
                let (kind, device, detail) = what.parts();
                let (payee, amount, currency, decision) = (None, None, None, None);
                let device = device.map(u64::cast_signed);
                let (at, user, place) = (*at, user.cast_signed(), *place);
                Self { kind, at, user, payee, amount, currency, decision, device, detail, place }
            }
        }
    }
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
    let mut insert = Insert { received_at: now, reported_by, ..Insert::default() };
    for event in events {
        let columns = Columns::from(&event.fact);
        insert.ids.push(event.id);
        insert.kinds.push(columns.kind);
        insert.at.push(columns.at);
        insert.users.push(columns.user);
        insert.payees.push(columns.payee);
        insert.amounts.push(columns.amount);
        insert.currencies.push(columns.currency);
        insert.decisions.push(columns.decision);
        insert.devices.push(columns.device);
        insert.details.push(columns.detail);
        insert.countries.push(columns.place.map(|place| place.country.to_string()));
        insert.networks.push(columns.place.and_then(|place| place.network).map(u64::cast_signed));
    }
    Ok(insert.load(db).await?)
}

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = SqlUuid)]
    id: EventId,
    #[diesel(embed)]
    event: EventRow,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    decision_id: Option<DecisionId>,
}

/// The events of these ids, as they were told first.
pub(super) async fn stored(db: &mut Connection, ids: &[EventId]) -> Result<Vec<Happened>, StorageError> {
    const READ: &str = "\
        select id, kind, at, user_key, payee_key, amount, currency, device_key, detail, country, network_key, decision_id from events where id = any($1)";
    let rows: Vec<Stored> = diesel::sql_query(READ).bind::<Array<SqlUuid>, _>(ids).load(db).await?;
    let happened = |row: Stored| {
        let fact = match row.event.read()? {
            Read::Paid(paid) => Fact::Paid(paid, row.decision_id),
            Read::Noticed { at, user, what, place } => Fact::Noticed { at, user, what, place },
        };
        Ok(Happened { id: row.id, fact })
    };
    rows.into_iter().map(happened).collect()
}

/// Writes down an event whose id was another event's; the same again is there already.
pub(super) async fn insert_conflict(
    db: &mut Connection,
    event: &Happened,
    reported_by: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    const INSERT: &str = "\
        insert into event_conflicts (event_id, digest, received_at, reported_by, kind, at, user_key, payee_key, amount, currency, \
            decision_id, device_key, detail, country, network_key) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) on conflict do nothing";
    let columns = Columns::from(&event.fact);
    let query = diesel::sql_query(INSERT)
        .bind::<SqlUuid, _>(event.id)
        .bind::<Bytea, _>(event.digest().to_vec())
        .bind::<Timestamptz, _>(now)
        .bind::<Text, _>(reported_by)
        .bind::<Text, _>(columns.kind)
        .bind::<Timestamptz, _>(columns.at)
        .bind::<BigInt, _>(columns.user);
    let query = query.bind::<Nullable<BigInt>, _>(columns.payee).bind::<Nullable<BigInt>, _>(columns.amount);
    let query = query.bind::<Nullable<Text>, _>(columns.currency).bind::<Nullable<SqlUuid>, _>(columns.decision);
    let query = query.bind::<Nullable<BigInt>, _>(columns.device).bind::<Nullable<Text>, _>(columns.detail);
    let country = columns.place.map(|place| place.country.to_string());
    let network = columns.place.and_then(|place| place.network).map(u64::cast_signed);
    query.bind::<Nullable<Text>, _>(country).bind::<Nullable<BigInt>, _>(network).execute(db).await?;
    Ok(())
}
