//! Queries on `webhook_inbox`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl;
use storage::{AsText, Connection, Queue, StorageError};

use crate::ids::{EventId, MessageId, ProviderName};
use crate::schema::webhook_inbox as inbox;

/// How often a provider can have a rejected message judged anew by sending it again. After that a person has to.
const REOPENED_BY_PROVIDER: i32 = 10;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::AsRefStr, strum::EnumString, clap::ValueEnum)]
#[strum(serialize_all = "snake_case")]
pub enum MessageState {
    // It waits for a person.
    Rejected,
    // It is on its way.
    Pending,
    // It is where it belongs.
    Delivered,
    // It asks nothing of us.
    Ignored,
    // It was where it belongs, and has been forgotten there: its provider has to send it again.
    Awaited,
}

/// A verified message.
pub(super) struct NewMessage<'a> {
    pub(super) id: MessageId,
    pub(super) provider: &'a ProviderName,
    pub(super) event_id: EventId,
    pub(super) kind: &'a str,
    pub(super) digest: [u8; 32],
    /// `None` for a message that asks nothing of us.
    pub(super) body: Option<&'a [u8]>,
    /// Why it is for a person from the beginning.
    pub(super) rejected: Option<&'static str>,
    pub(super) traceparent: Option<String>,
    pub(super) now: DateTime<Utc>,
}

/// What an insert met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    /// The same message was there.
    Same,
    /// The same message was there, rejected, and waits for another judgement now.
    Reopened,
    /// Another message with this id was there.
    Different,
}

/// The inbox as work to do.
pub(super) const QUEUE: Queue =
    Queue { name: "webhooks.claim", table: "webhook_inbox", waiting: "state = 'pending'", changes: "", answers: "" };

/// A message that is due.
#[derive(QueryableByName)]
#[diesel(table_name = inbox)]
pub struct Due {
    pub(super) id: MessageId,
    pub(super) provider: ProviderName,
    pub(super) event_id: EventId,
    pub(super) kind: String,
    pub(super) body: Option<Vec<u8>>,
    pub(super) traceparent: Option<String>,
    pub(super) attempts: i32,
}

/// A message as an operator sees it: everything but the message itself, which can name a payer.
#[derive(Queryable)]
pub(super) struct Listed {
    pub(super) id: MessageId,
    pub(super) provider: ProviderName,
    pub(super) event_id: EventId,
    pub(super) kind: String,
    pub(super) state: AsText<MessageState>,
    pub(super) attempts: i32,
    pub(super) reopened: i32,
    pub(super) received_at: DateTime<Utc>,
    pub(super) settled_at: Option<DateTime<Utc>>,
    pub(super) last_error: Option<String>,
}

/// Stores a message unless its id is known. A rejected one that comes again is judged anew, a limited number of times.
pub(super) async fn insert(db: &mut Connection, message: &NewMessage<'_>) -> Result<Inserted, StorageError> {
    let state = match (message.body, message.rejected) {
        (None, _) => MessageState::Ignored,
        (Some(_), Some(_)) => MessageState::Rejected,
        (Some(_), None) => MessageState::Pending,
    };
    let settled = (state != MessageState::Pending).then_some(message.now);
    let inserted = diesel::insert_into(inbox::table)
        .values((
            inbox::id.eq(message.id),
            inbox::provider.eq(message.provider),
            inbox::event_id.eq(&message.event_id),
            inbox::kind.eq(message.kind),
            inbox::digest.eq(&message.digest[..]),
            inbox::body.eq(message.body),
            inbox::traceparent.eq(&message.traceparent),
            inbox::state.eq(AsText(state)),
            inbox::last_error.eq(message.rejected),
            inbox::received_at.eq(message.now),
            inbox::next_attempt_at.eq(message.now),
            inbox::settled_at.eq(settled),
        ))
        .on_conflict((inbox::provider, inbox::event_id))
        .do_nothing()
        .execute(db)
        .await?;
    if inserted == 1 {
        return Ok(Inserted::New);
    }
    let (id, known): (MessageId, Vec<u8>) = inbox::table
        .filter(inbox::provider.eq(message.provider).and(inbox::event_id.eq(&message.event_id)))
        .select((inbox::id, inbox::digest))
        .first(db)
        .await?;
    if known != message.digest {
        return Ok(Inserted::Different);
    }
    if let Some(body) = message.body
        && refill(db, id, body, message.now).await?
    {
        return Ok(Inserted::Reopened);
    }
    let reopened = reopen(db, id, REOPENED_BY_PROVIDER, message.now).await?;
    Ok(if reopened { Inserted::Reopened } else { Inserted::Same })
}

/// Puts a rejected message back into the queue unless that was done `limit` times before; tells whether it is there now.
pub(super) async fn reopen(
    db: &mut Connection,
    id: MessageId,
    limit: i32,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let rejected = inbox::id.eq(id).and(inbox::state.eq(AsText(MessageState::Rejected))).and(inbox::reopened.lt(limit));
    let reopened = diesel::update(inbox::table.filter(rejected))
        .set((
            inbox::state.eq(AsText(MessageState::Pending)),
            inbox::reopened.eq(inbox::reopened + 1),
            inbox::attempts.eq(0),
            inbox::next_attempt_at.eq(now),
            inbox::settled_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(db)
        .await?;
    Ok(reopened == 1)
}

/// Puts an awaited message that has come again into the queue; tells whether it is there now.
async fn refill(db: &mut Connection, id: MessageId, body: &[u8], now: DateTime<Utc>) -> Result<bool, StorageError> {
    let awaited = inbox::id.eq(id).and(inbox::state.eq(AsText(MessageState::Awaited)));
    let filled = diesel::update(inbox::table.filter(awaited))
        .set((
            inbox::state.eq(AsText(MessageState::Pending)),
            inbox::body.eq(body),
            inbox::reopened.eq(inbox::reopened + 1),
            inbox::attempts.eq(0),
            inbox::next_attempt_at.eq(now),
            inbox::settled_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(db)
        .await?;
    Ok(filled == 1)
}

/// All that were delivered since then, whenever they came, are awaited once more; tells how many.
pub(super) async fn await_again(db: &mut Connection, since: DateTime<Utc>) -> Result<usize, StorageError> {
    let delivered = inbox::state.eq(AsText(MessageState::Delivered)).and(inbox::settled_at.ge(since));
    let awaited = diesel::update(inbox::table.filter(delivered)).set(inbox::state.eq(AsText(MessageState::Awaited)));
    Ok(awaited.execute(db).await?)
}

/// Messages in a state after one, oldest first: ids sort by time.
pub(super) async fn list(
    db: &mut Connection,
    state: MessageState,
    after: MessageId,
    limit: i64,
) -> Result<Vec<Listed>, StorageError> {
    let listed = inbox::table
        .filter(inbox::state.eq(AsText(state)).and(inbox::id.gt(after)))
        .order(inbox::id)
        .limit(limit)
        .select((
            inbox::id,
            inbox::provider,
            inbox::event_id,
            inbox::kind,
            inbox::state,
            inbox::attempts,
            inbox::reopened,
            inbox::received_at,
            inbox::settled_at,
            inbox::last_error,
        ))
        .load(db)
        .await?;
    Ok(listed)
}

/// It is where it belongs: the message itself is not needed any more.
pub(super) async fn delivered(db: &mut Connection, id: MessageId, now: DateTime<Utc>) -> Result<(), StorageError> {
    diesel::update(inbox::table.filter(inbox::id.eq(id).and(inbox::state.eq(AsText(MessageState::Pending)))))
        .set((
            inbox::state.eq(AsText(MessageState::Delivered)),
            inbox::body.eq(None::<Vec<u8>>),
            inbox::settled_at.eq(now),
            inbox::last_error.eq(None::<String>),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// It is not wanted as it is: a person has to look at it.
pub(super) async fn rejected(
    db: &mut Connection,
    id: MessageId,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(inbox::table.filter(inbox::id.eq(id).and(inbox::state.eq(AsText(MessageState::Pending)))))
        .set((inbox::state.eq(AsText(MessageState::Rejected)), inbox::settled_at.eq(now), inbox::last_error.eq(error)))
        .execute(db)
        .await?;
    Ok(())
}

/// Not now; again at `next`.
pub(super) async fn postponed(
    db: &mut Connection,
    id: MessageId,
    error: &str,
    next: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(inbox::table.filter(inbox::id.eq(id).and(inbox::state.eq(AsText(MessageState::Pending)))))
        .set((inbox::next_attempt_at.eq(next), inbox::last_error.eq(error)))
        .execute(db)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Purged {
    #[diesel(sql_type = BigInt)]
    gone: i64,
}

/// Deletes what was settled before `before`; tells how many.
pub(super) async fn purge(db: &mut Connection, before: DateTime<Utc>) -> Result<i64, StorageError> {
    let purged: Purged = diesel::sql_query("select webhook_inbox_purge($1) as gone")
        .bind::<Timestamptz, _>(before)
        .get_result(db)
        .await?;
    Ok(purged.gone)
}
