//! The log, as it is read and written.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Connection, Pool, StorageError, connection};

use super::live::Entry;
use crate::events::Fraud;
use crate::input::{Paid, figures};

/// A payment, as `events` and `decisions` have it.
#[derive(Clone, Copy, QueryableByName)]
pub(crate) struct PaidRow {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    user_key: i64,
    #[diesel(sql_type = BigInt)]
    payee_key: i64,
    /// In minor units.
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = Text)]
    currency: AsText<Currency>,
}

impl From<PaidRow> for Paid {
    fn from(row: PaidRow) -> Self {
        let money = Money::new(row.amount, row.currency.0);
        Self { at: row.at, user: row.user_key.cast_unsigned(), payee: row.payee_key.cast_unsigned(), money }
    }
}

/// Lines that are read at a time.
pub(crate) const PAGE: i64 = 1_000;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<BigInt>)]
    user_key: Option<i64>,
    #[diesel(sql_type = BigInt)]
    payee_key: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    amount: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    currency: Option<AsText<Currency>>,
    #[diesel(sql_type = Nullable<Text>)]
    label: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    before: Option<String>,
}

impl Line {
    fn entry(self) -> Result<(i64, Entry), StorageError> {
        let payee = self.payee_key.cast_unsigned();
        let fraud = Fraud { paid_at: self.at.timestamp(), payee };
        let entry = match (self.user_key.zip(self.amount).zip(self.currency), self.label.as_deref()) {
            (Some(((user, amount), currency)), _) => {
                Entry::Paid(figures(self.at, user.cast_unsigned(), payee, Money::new(amount, currency.0)))
            }
            (None, Some("fraud")) => Entry::Fraud(fraud),
            (None, Some(_)) if self.before.as_deref() == Some("fraud") => Entry::Cleared(fraud),
            (None, Some(_)) => Entry::Nothing,
            (None, None) => {
                let number = self.number;
                let odd = format!("line {number} of the log is neither a payment nor a word on one");
                return Err(StorageError::Query(diesel::result::Error::DeserializationError(odd.into())));
            }
        };
        Ok((self.number, entry))
    }
}

/// The lines after one, in their order, at most [`PAGE`].
pub(crate) async fn after(pool: &Pool, number: i64) -> Result<Vec<(i64, Entry)>, StorageError> {
    const READ: &str = "\
        select * from ( \
            (select number, at, user_key, payee_key, amount, currency, null::text as label, null::text as before \
             from events where number > $1 order by number limit $2) \
            union all \
            (select number, paid_at, null, payee_key, null, null, label, before \
             from labels where number > $1 order by number limit $2) \
        ) log order by number limit $2";
    let mut db = connection(pool).await?;
    let query = diesel::sql_query(READ).bind::<BigInt, _>(number).bind::<BigInt, _>(PAGE);
    let lines: Vec<Line> = query.load(&mut db).await?;
    lines.into_iter().map(Line::entry).collect()
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The last number that was given.
pub(crate) async fn end(pool: &Pool) -> Result<i64, StorageError> {
    let mut db = connection(pool).await?;
    let row: Number = diesel::sql_query("select last_number as number from log_head").get_result(&mut db).await?;
    Ok(row.number)
}

/// Takes the next number, which nobody else gets one before or after until this transaction has ended.
pub(crate) async fn next_number(db: &mut Connection) -> Result<i64, StorageError> {
    const TAKE: &str = "update log_head set last_number = last_number + 1 returning last_number as number";
    let row: Number = diesel::sql_query(TAKE).get_result(db).await?;
    Ok(row.number)
}
