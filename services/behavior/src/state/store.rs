//! The log, as it is read and written.

use api::behavior::Country;
use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Connection, Pool, StorageError, connection};

use super::live::Entry;
use crate::events::{Fraud, Key, Place, Signal, What};
use crate::input::Paid;

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

/// The kind of a payment in `events`.
pub(crate) const PAYMENT: &str = "payment";

/// What happened, as `events` has it.
#[derive(QueryableByName)]
pub(crate) struct EventRow {
    #[diesel(sql_type = Text)]
    kind: String, // Text: what is none of the kinds is an error, when it is read.
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    user_key: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    payee_key: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    amount: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    currency: Option<AsText<Currency>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    device_key: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    country: Option<AsText<Country>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    network_key: Option<i64>,
}

/// What a row of `events` says.
pub(crate) enum Read {
    /// A payment.
    Paid(Paid),
    /// Something at a user's door.
    Noticed { at: DateTime<Utc>, user: Key, what: What, place: Option<Place> },
}

impl EventRow {
    pub(crate) fn read(self) -> Result<Read, StorageError> {
        let (at, user) = (self.at, self.user_key.cast_unsigned());
        if self.kind == PAYMENT
            && let (Some(payee), Some(amount), Some(currency)) = (self.payee_key, self.amount, self.currency)
        {
            let money = Money::new(amount, currency.0);
            return Ok(Read::Paid(Paid { at, user, payee: payee.cast_unsigned(), money }));
        }
        let device = self.device_key.map(i64::cast_unsigned);
        let what = What::of_parts(&self.kind, device, self.detail.as_deref());
        let what = what.ok_or_else(|| odd(format!("an event of the kind `{}` is none", self.kind)))?;
        let network = self.network_key.map(i64::cast_unsigned);
        let place = self.country.map(|country| Place { country: country.0, network });
        Ok(Read::Noticed { at, user, what, place })
    }
}

fn odd(what: String) -> StorageError {
    StorageError::Query(diesel::result::Error::DeserializationError(what.into()))
}

/// A line of the log: an event, or a word on one, which has its label as its kind and the word before it as its detail.
#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(embed)]
    row: EventRow,
}

impl Line {
    fn entry(self) -> Result<(i64, Entry), StorageError> {
        let Self { number, row } = self;
        let word = Word::of(&row);
        let entry = match (word, row.payee_key) {
            (None, _) => match row.read()? {
                Read::Paid(paid) => Entry::Paid(paid.figures()),
                Read::Noticed { at, user, what, place } => {
                    Entry::Noticed(Signal { at: at.timestamp(), user, what, place })
                }
            },
            (Some(word), Some(payee)) => {
                let fraud = Fraud { paid_at: row.at.timestamp(), payee: payee.cast_unsigned() };
                match word {
                    Word::Fraud => Entry::Fraud(fraud),
                    Word::TakenBack => Entry::Cleared(fraud),
                    Word::Honest => Entry::Nothing,
                }
            }
            (Some(_), None) => return Err(odd(format!("line {number} of the log is a word on no payment"))),
        };
        Ok((number, entry))
    }
}

/// What was said of a payment.
enum Word {
    Fraud,
    /// Honest, after all.
    TakenBack,
    Honest,
}

impl Word {
    /// None, if the line is an event.
    fn of(row: &EventRow) -> Option<Self> {
        match row.kind.as_str() {
            "fraud" => Some(Self::Fraud),
            "honest" if row.detail.as_deref() == Some("fraud") => Some(Self::TakenBack),
            "honest" => Some(Self::Honest),
            _ => None,
        }
    }
}

/// The lines after one, in their order, at most [`PAGE`].
pub(crate) async fn after(pool: &Pool, number: i64) -> Result<Vec<(i64, Entry)>, StorageError> {
    const READ: &str = "\
        select * from ( \
            (select number, kind, at, user_key, payee_key, amount, currency, device_key, detail, country, network_key \
             from events where number > $1 order by number limit $2) \
            union all \
            (select number, label, paid_at, 0, payee_key, null, null, null, before, null, null \
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
