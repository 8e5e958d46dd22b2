//! Queries on `outbox`.

use api::behavior::Event;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use identity::Thumbprint;
use storage::{AsText, Connection, Pool, Queue, StorageError};

use super::signal::{Told, What};
use crate::error::Invariant;
use crate::ids::{SignalId, UserId};
use crate::schema::outbox;
use crate::store::{at, subject};

pub(super) const QUEUE: Queue =
    Queue { name: "outbox.claim", table: "outbox", waiting: "true", changes: "", answers: "" };

/// A row of the outbox.
#[derive(Debug, QueryableByName)]
pub(crate) struct Left {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: SignalId,
    #[diesel(sql_type = Text)]
    kind: String, // Text: one of a few words of ours.
    /// None of a failed login with an address that nobody has.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    user_id: Option<UserId>,
    #[diesel(sql_type = Timestamptz)]
    happened_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    jkt: Option<AsText<Thumbprint>>,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
    /// This one counted.
    #[diesel(sql_type = Integer)]
    pub(super) attempts: i32,
}

impl Left {
    /// As it is told; nothing, where it is nobody's.
    pub(super) fn event(&self) -> Result<Option<Event>, Invariant> {
        let told = |user: UserId| Told {
            id: self.id,
            kind: &self.kind,
            user,
            at_unix_millis: self.happened_at.timestamp_millis(),
            jkt: self.jkt.as_ref().map(|jkt| &jkt.0),
            detail: self.detail.as_deref(),
        };
        self.user_id.map(|user| told(user).event()).transpose()
    }
}

/// Leaves word of what has happened, in the transaction in which it happens.
pub(crate) async fn leave(
    db: &mut Connection,
    user: Option<UserId>,
    what: What<'_>,
    now: i64,
) -> Result<(), StorageError> {
    let id: SignalId = storage::ids::new(now.saturating_mul(1000)).into();
    let (kind, detail) = what.words();
    let jkt = match what {
        What::Device { jkt, .. } => Some(AsText(jkt)),
        What::Login { .. } | What::FailedLogin | What::SecondFactor(_) => None,
    };
    let (happened_at, detail) = (at(now)?, detail.map(str::to_owned));
    diesel::insert_into(outbox::table)
        .values((
            outbox::id.eq(id),
            outbox::kind.eq(kind),
            outbox::user_id.eq(user),
            outbox::happened_at.eq(happened_at),
            outbox::jkt.eq(jkt),
            outbox::detail.eq(detail),
            outbox::next_attempt_at.eq(happened_at),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// Leaves word of a failed login, in a transaction of its own. With an address that nobody has, the same is written: of nobody.
pub(crate) async fn try_failed(pool: &Pool, user: Option<UserId>, now: i64) -> Result<(), StorageError> {
    storage::subject_transaction(pool, "outbox.try_failed", &subject(user), async |db| {
        leave(db, user, What::FailedLogin, now).await
    })
    .await
}

/// They are told, or there was nothing to tell.
pub(super) async fn done(pool: &Pool, ids: &[SignalId]) -> Result<(), StorageError> {
    storage::transaction(pool, "outbox.done", async |db| {
        let done = diesel::sql_query("delete from outbox where id = any($1)").bind::<Array<SqlUuid>, _>(ids);
        done.execute(db).await?;
        Ok(())
    })
    .await
}

/// They are to be told again from then on.
pub(super) async fn again(pool: &Pool, ids: &[SignalId], at: DateTime<Utc>) -> Result<(), StorageError> {
    storage::transaction(pool, "outbox.again", async |db| {
        let again = diesel::sql_query("update outbox set next_attempt_at = $2 where id = any($1)");
        again.bind::<Array<SqlUuid>, _>(ids).bind::<Timestamptz, _>(at).execute(db).await?;
        Ok(())
    })
    .await
}
