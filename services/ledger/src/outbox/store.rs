//! Queries on `outbox_readers`, and on the transfers that a reader has not been told of. As `ledger_poster`.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{Queryable, QueryableByName};
use diesel_async::RunQueryDsl;
use storage::{Connection, Queue, StorageError, statement};

use crate::ids::{DecisionId, TransferId};

statement! {
    /// The next transfers after a number, which have no gaps: that the range has an end is why its index is read, and not the whole table, however small
    /// that was when the statement was planned.
    After -> (BigInt, SqlUuid, Text, BigInt, Text, Timestamptz, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<SqlUuid>) {
        "select t.sequence, t.id, t.kind, t.amount, t.currency, t.posted_at, sender.owner, recipient.owner, p.creditor_iban, w.decision_id \
         from transfers t \
         left join accounts sender on sender.id = t.from_account \
         left join accounts recipient on recipient.id = t.to_account \
         left join payouts p on p.id = t.id \
         left join risk_words w on w.transfer_id = t.id \
         where t.sequence > " position: BigInt = i64,
        " and t.sequence <= " to: BigInt = i64,
    } " order by t.sequence"
}

/// A row of [`After`]: a transfer, with whom it is from and to.
#[derive(Debug, Queryable)]
pub(super) struct News {
    pub(super) sequence: i64,
    pub(super) id: TransferId,
    pub(super) kind: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) posted_at: DateTime<Utc>,
    /// Whose account it leaves, if it is a customer's.
    pub(super) sender: Option<String>, // Text: a subject, which becomes a pseudonym.
    /// Whose account it arrives on, if it is a customer's.
    pub(super) recipient: Option<String>, // Text: the same.
    /// Where a payout goes.
    pub(super) creditor_iban: Option<String>, // Text: becomes a digest.
    /// The decision that was made before it.
    pub(super) decision_id: Option<DecisionId>,
}

/// A reader that has something to be told.
#[derive(Debug, QueryableByName)]
pub struct Reader {
    #[diesel(sql_type = Text)]
    pub(super) id: String, // Text: one of a few words of ours.
    /// Every transfer up to this number has been told to it.
    #[diesel(sql_type = BigInt)]
    pub(super) position: i64,
    /// Since it was last told something.
    #[diesel(sql_type = Integer)]
    pub(super) attempts: i32,
}

pub(super) const QUEUE: Queue = Queue {
    name: "outbox.claim",
    table: "outbox_readers",
    waiting: "position < (select h.announced from head h)",
    changes: "",
    answers: "",
};

/// The next transfers after this number, in their order.
pub(super) async fn after(db: &mut Connection, position: i64, limit: i64) -> Result<Vec<News>, StorageError> {
    // Default: there is no number beyond it.
    let to = position.saturating_add(limit);
    Ok(After { position, to, ..After::default() }.load(db).await?)
}

statement! {
    /// Moves a reader forward. The commit does not wait for the disk.
    Advance -> () {
        "with lazily as materialized (select set_config('synchronous_commit', 'off', true)) \
         update outbox_readers set attempts = 0, position = " to: BigInt = i64,
        " from lazily where position < $1 and id = " id: Text = &'a str,
    } ""
}

/// It has been told up to here. False if it had been told of more meanwhile, by another process. The commit does not wait for the disk: a position that
/// a crash takes back is told of again, and known there.
pub(super) async fn advance(db: &mut Connection, reader: &Reader, to: i64) -> Result<bool, StorageError> {
    Ok(Advance { to, id: &reader.id, ..Advance::default() }.execute(db).await? == 1)
}

/// It is to be looked at again from then on.
pub(super) async fn due(db: &mut Connection, reader: &Reader, at: DateTime<Utc>) -> Result<(), StorageError> {
    let query = diesel::sql_query("update outbox_readers set next_attempt_at = $2 where id = $1");
    query.bind::<Text, _>(&reader.id).bind::<Timestamptz, _>(at).execute(db).await?;
    Ok(())
}
