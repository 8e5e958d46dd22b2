//! Queries on `outbox_readers`, and on the transfers that a reader has not been told of. As `ledger_poster`.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{Connection, Queue, StorageError};

use crate::ids::{DecisionId, TransferId};

/// A transfer, with whom it is from and to.
#[derive(Debug, QueryableByName)]
pub(super) struct News {
    #[diesel(sql_type = BigInt)]
    pub(super) sequence: i64,
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: TransferId,
    #[diesel(sql_type = Text)]
    pub(super) kind: String,
    #[diesel(sql_type = BigInt)]
    pub(super) amount: i64,
    #[diesel(sql_type = Text)]
    pub(super) currency: String,
    #[diesel(sql_type = Timestamptz)]
    pub(super) posted_at: DateTime<Utc>,
    /// Whose account it leaves, if it is a customer's.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) sender: Option<String>, // Text: a subject, which becomes a pseudonym.
    /// Whose account it arrives on, if it is a customer's.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) recipient: Option<String>, // Text: the same.
    /// Where a payout goes.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) creditor_iban: Option<String>, // Text: becomes a digest.
    /// The decision that was made before it.
    #[diesel(sql_type = Nullable<SqlUuid>)]
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
    const AFTER: &str = "\
        select t.sequence, t.id, t.kind, t.amount, t.currency, t.posted_at, sender.owner as sender, recipient.owner as recipient, p.creditor_iban, \
        w.decision_id \
        from transfers t \
        left join accounts sender on sender.id = t.from_account \
        left join accounts recipient on recipient.id = t.to_account \
        left join payouts p on p.id = t.id \
        left join risk_words w on w.transfer_id = t.id \
        where t.sequence > $1 order by t.sequence limit $2";
    let query = diesel::sql_query(AFTER).bind::<BigInt, _>(position).bind::<BigInt, _>(limit);
    Ok(query.load(db).await?)
}

/// It has been told up to here. False if it had been told of more meanwhile, by another process. The commit does not wait for the disk: a position that
/// a crash takes back is told of again, and known there.
pub(super) async fn advance(db: &mut Connection, reader: &Reader, to: i64) -> Result<bool, StorageError> {
    const ADVANCE: &str = "\
        with lazily as materialized (select set_config('synchronous_commit', 'off', true)) \
        update outbox_readers set position = $2, attempts = 0 from lazily where id = $1 and position < $2";
    let query = diesel::sql_query(ADVANCE).bind::<Text, _>(&reader.id).bind::<BigInt, _>(to);
    Ok(query.execute(db).await? == 1)
}

/// It is to be looked at again from then on.
pub(super) async fn due(db: &mut Connection, reader: &Reader, at: DateTime<Utc>) -> Result<(), StorageError> {
    let query = diesel::sql_query("update outbox_readers set next_attempt_at = $2 where id = $1");
    query.bind::<Text, _>(&reader.id).bind::<Timestamptz, _>(at).execute(db).await?;
    Ok(())
}
