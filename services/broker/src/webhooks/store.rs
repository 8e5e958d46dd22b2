//! Queries on `webhook_inbox`.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};
use uuid::Uuid;

use crate::schema::webhook_inbox as inbox;

/// A verified message.
pub(super) struct NewMessage<'a> {
    pub(super) id: Uuid,
    pub(super) provider: &'a str,
    pub(super) event_id: &'a str,
    pub(super) kind: &'a str,
    pub(super) digest: [u8; 32],
    /// `None` for a message that asks nothing of us.
    pub(super) body: Option<&'a [u8]>,
    pub(super) traceparent: Option<String>,
    pub(super) now: DateTime<Utc>,
}

/// What an insert met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    /// The same message was there.
    Same,
    /// Another message with this id was there.
    Different,
}

/// A message that is due.
#[derive(Queryable)]
pub(super) struct Due {
    pub(super) id: Uuid,
    pub(super) provider: String,
    pub(super) event_id: String,
    pub(super) kind: String,
    pub(super) body: Option<Vec<u8>>,
    pub(super) traceparent: Option<String>,
    pub(super) attempts: i32,
}

/// Stores a message unless its id is known.
pub(super) async fn insert(db: &mut Connection, message: &NewMessage<'_>) -> Result<Inserted, StorageError> {
    let settled = message.body.is_none().then_some(message.now);
    let inserted = diesel::insert_into(inbox::table)
        .values((
            inbox::id.eq(message.id),
            inbox::provider.eq(message.provider),
            inbox::event_id.eq(message.event_id),
            inbox::kind.eq(message.kind),
            inbox::digest.eq(&message.digest[..]),
            inbox::body.eq(message.body),
            inbox::traceparent.eq(&message.traceparent),
            inbox::state.eq(if settled.is_some() { "ignored" } else { "pending" }),
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
    let known: Vec<u8> = inbox::table
        .filter(inbox::provider.eq(message.provider).and(inbox::event_id.eq(message.event_id)))
        .select(inbox::digest)
        .first(db)
        .await?;
    Ok(if known == message.digest { Inserted::Same } else { Inserted::Different })
}

/// Takes up to `limit` due messages for `lease`: until then nobody else sees them, after it anybody does.
pub(super) async fn claim(
    db: &mut Connection,
    limit: i64,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Vec<Due>, StorageError> {
    let due: Vec<Uuid> = inbox::table
        .filter(inbox::state.eq("pending").and(inbox::next_attempt_at.le(now)))
        .order(inbox::next_attempt_at)
        .limit(limit)
        .select(inbox::id)
        .for_update()
        .skip_locked()
        .load(db)
        .await?;
    let claimed = diesel::update(inbox::table.filter(inbox::id.eq_any(due)))
        .set((inbox::next_attempt_at.eq(now + lease), inbox::attempts.eq(inbox::attempts + 1)))
        .returning((
            inbox::id,
            inbox::provider,
            inbox::event_id,
            inbox::kind,
            inbox::body,
            inbox::traceparent,
            inbox::attempts,
        ))
        .get_results(db)
        .await?;
    Ok(claimed)
}

/// It is where it belongs: the message itself is not needed any more.
pub(super) async fn delivered(db: &mut Connection, id: Uuid, now: DateTime<Utc>) -> Result<(), StorageError> {
    diesel::update(inbox::table.filter(inbox::id.eq(id).and(inbox::state.eq("pending"))))
        .set((
            inbox::state.eq("delivered"),
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
    id: Uuid,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(inbox::table.filter(inbox::id.eq(id).and(inbox::state.eq("pending"))))
        .set((inbox::state.eq("rejected"), inbox::settled_at.eq(now), inbox::last_error.eq(error)))
        .execute(db)
        .await?;
    Ok(())
}

/// Not now; again at `next`.
pub(super) async fn postponed(
    db: &mut Connection,
    id: Uuid,
    error: &str,
    next: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(inbox::table.filter(inbox::id.eq(id).and(inbox::state.eq("pending"))))
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
