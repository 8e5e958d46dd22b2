//! Queries on `exchanges` and on the outcomes of their keys, as `ledger_app`; what is written there beside a posting, as `ledger_poster`.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Connection, StorageError, row};

use super::deal::Deal;
use crate::error::Error;
use crate::ids::{IdempotencyKey, Subject, TransferId};
use crate::posting::{Beside, Broken, Kind, Posted, Posting, Reason, Rejection, Rows};
use crate::schema::{exchanges, idempotency, transfers};

/// The outcome of a key.
pub(super) struct Known {
    pub(super) fingerprint: Vec<u8>,
    pub(super) outcome: Result<(Deal, Posted), Rejection>,
}

#[derive(Queryable)]
struct OutcomeRow {
    fingerprint: Vec<u8>,
    transfer_id: Option<TransferId>,
    rejection: Option<AsText<Reason>>,
    rejected_leg: Option<i16>,
}

#[derive(Queryable)]
struct Row {
    id: TransferId,
    sequence: i64,
    posted_at: DateTime<Utc>,
    amount: i64,
    currency: AsText<Currency>,
    bought: i64,
    bought_currency: AsText<Currency>,
    rate: String,
    rate_date: NaiveDate,
    rate_source: String,
}

/// What became of an exchange under this key, if there was one.
pub(super) async fn find_decided(
    db: &mut Connection,
    owner: &Subject,
    key: &IdempotencyKey,
) -> Result<Option<Known>, Error> {
    let outcome: Option<OutcomeRow> = idempotency::table
        .find((owner, Kind::Exchange.operation(), key))
        .select((idempotency::fingerprint, idempotency::transfer_id, idempotency::rejection, idempotency::rejected_leg))
        .first(db)
        .await
        .optional()
        .map_err(StorageError::from)?;
    let Some(outcome) = outcome else { return Ok(None) };
    let decided = match (outcome.transfer_id, outcome.rejection, outcome.rejected_leg) {
        (Some(transfer), None, _) => Ok(deal(db, transfer).await?),
        (None, Some(reason), Some(leg)) => Err(Rejection { reason: reason.0, leg }),
        _ => return Err(odd("a key without an outcome").into()),
    };
    Ok(Some(Known { fingerprint: outcome.fingerprint, outcome: decided }))
}

fn odd(what: &'static str) -> StorageError {
    diesel::result::Error::DeserializationError(what.into()).into()
}

async fn deal(db: &mut Connection, transfer: TransferId) -> Result<(Deal, Posted), Error> {
    let row: Row = exchanges::table
        .inner_join(transfers::table.on(transfers::id.eq(exchanges::transfer_id)))
        .filter(transfers::id.eq(transfer))
        .select((
            transfers::id,
            transfers::sequence,
            transfers::posted_at,
            transfers::amount,
            transfers::currency,
            exchanges::bought,
            exchanges::bought_currency,
            sql::<Text>("exchanges.rate::text"),
            exchanges::rate_date,
            exchanges::rate_source,
        ))
        .first(db)
        .await
        .map_err(StorageError::from)?;
    let deal = Deal {
        sold: Money::new(row.amount, row.currency.0),
        bought: Money::new(row.bought, row.bought_currency.0),
        rate: row.rate.parse().map_err(|_| odd("a rate that is not a decimal"))?,
        rate_date: row.rate_date,
        rate_source: row.rate_source,
    };
    Ok((deal, Posted { id: row.id, sequence: row.sequence, at: row.posted_at }))
}

row! {
    /// The quote of an exchange.
    Quote at 10 waits false: "insert into exchanges (transfer_id, bought, bought_currency, rate, rate_date, rate_source) \
            select r.transfer_id, r.bought, r.bought_currency, r.rate::numeric, r.rate_date, r.rate_source from" {
        transfer_id: TransferId, bought: i64, bought_currency: &'static str, rate: String, rate_date: NaiveDate, rate_source: String,
    } ""
}

impl Beside for Deal {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        rows.add(Quote {
            transfer_id: posting.id,
            bought: self.bought.minor(),
            bought_currency: self.bought.currency().code(),
            rate: self.rate.to_string(),
            rate_date: self.rate_date,
            rate_source: self.rate_source.clone(),
        })
    }
}
