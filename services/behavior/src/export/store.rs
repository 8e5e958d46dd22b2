//! The log with what its lines are called, which the fold does not ask for.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Pool, StorageError, connection};

use super::line::Line;
use crate::ids::{DecisionId, EventId, PaymentId};
use crate::state::store::PAGE;

/// An event or a label, each with nothing in the other's columns.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = SqlUuid)]
    id: PaymentId,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<BigInt>)]
    user_key: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    payee_key: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    amount: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    currency: Option<AsText<Currency>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    decision_id: Option<DecisionId>,
    #[diesel(sql_type = Nullable<BigInt>)]
    device_key: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    country: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    network_key: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    known_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    label: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    before: Option<String>,
}

/// The lines after one, in their order, at most [`PAGE`].
pub(super) async fn after(pool: &Pool, number: i64) -> Result<Vec<Line>, StorageError> {
    const READ: &str = "\
        select * from ( \
            (select number, kind, id, at, user_key, payee_key, amount, currency, decision_id, device_key, detail, country, network_key, \
                    null::timestamptz as known_at, null::text as label, null::text as before \
             from events where number > $1 order by number limit $2) \
            union all \
            (select number, 'label', payment, paid_at, null, payee_key, null, null, null, null, null, null, null, known_at, label, before \
             from labels where number > $1 order by number limit $2) \
        ) log order by number limit $2";
    let mut db = connection(pool).await?;
    let query = diesel::sql_query(READ).bind::<BigInt, _>(number).bind::<BigInt, _>(PAGE);
    let rows: Vec<Row> = query.load(&mut db).await?;
    Ok(rows.into_iter().map(Line::from).collect())
}

#[derive(QueryableByName)]
struct Called {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = SqlUuid)]
    id: EventId,
}

/// What the events after a number, up to another, are called.
pub(super) async fn ids(pool: &Pool, after: i64, until: i64) -> Result<HashMap<i64, EventId>, StorageError> {
    const READ: &str = "select number, id from events where number > $1 and number <= $2";
    let mut db = connection(pool).await?;
    let query = diesel::sql_query(READ).bind::<BigInt, _>(after).bind::<BigInt, _>(until);
    let rows: Vec<Called> = query.load(&mut db).await?;
    Ok(rows.into_iter().map(|row| (row.number, row.id)).collect())
}

impl From<Row> for Line {
    fn from(row: Row) -> Self {
        let money = row.amount.zip(row.currency).map(|(amount, currency)| Money::new(amount, currency.0));
        let key = |key: i64| format!("{key:016x}");
        Self {
            number: row.number,
            kind: row.kind,
            id: row.id.into(),
            at_unix_millis: row.at.timestamp_millis(),
            user_key: row.user_key.map(key),
            payee_key: row.payee_key.map(key),
            amount: money.map(|money| money.to_string()),
            currency: money.map(|money| money.currency().code()),
            decision_id: row.decision_id.map(Into::into),
            device_key: row.device_key.map(key),
            detail: row.detail,
            country: row.country,
            network_key: row.network_key.map(key),
            known_at_unix_millis: row.known_at.map(|known| known.timestamp_millis()),
            label: row.label,
            before: row.before,
        }
    }
}
