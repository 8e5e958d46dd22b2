//! Queries on `outbox`.

use std::time::Duration;

use api::behavior::{Country, Event, Place};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
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
    /// Read when it is told: a row that cannot be keeps no other from being claimed.
    #[diesel(sql_type = Nullable<Text>)]
    // Text: of a thumbprint, before it is looked at.
    jkt: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
    /// Of a device that acted for the person before it was told of.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    since: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    // Text: of a country, before it is looked at.
    country: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    // Text: of a digest, as it is told.
    network: Option<String>,
    /// This one counted.
    #[diesel(sql_type = Integer)]
    pub(super) attempts: i32,
}

impl Left {
    /// As it is told; nothing, where it is nobody's.
    pub(super) fn event(&self) -> Result<Option<Event>, Invariant> {
        let jkt = self.jkt.as_deref().map(str::parse::<Thumbprint>).transpose();
        let jkt = jkt.map_err(|_| Invariant("a thumbprint that is none"))?; // Lost: it says only that it is none
        let country = self.country.as_deref().map(str::parse::<Country>).transpose();
        let country = country.map_err(|_| Invariant("a country that is none"))?; // Lost: it says only that it is none
        let network = self.network.as_deref().map(Into::into);
        let told = |user: UserId| Told {
            id: self.id,
            kind: &self.kind,
            user,
            // Default: it began when it was told of.
            at_unix_millis: self.since.unwrap_or(self.happened_at).timestamp_millis(),
            jkt: jkt.as_ref(),
            detail: self.detail.as_deref(),
            place: country.map(|country| Place { country, network: network.clone() }),
        };
        self.user_id.map(|user| told(user).event()).transpose()
    }
}

/// The outbox, as those see it to whose people things happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signals {
    /// Whether anybody is to be told. If not, nothing is written: of whom, would make no difference.
    pub(crate) heard: bool,
}

impl Signals {
    /// Leaves word of what has happened to this person, in the transaction in which it happens.
    pub(crate) async fn leave(
        self,
        db: &mut Connection,
        user: UserId,
        what: What<'_>,
        now: i64,
    ) -> Result<(), StorageError> {
        if self.heard { leave(db, Some(user), what, now).await } else { Ok(()) }
    }

    /// Leaves word of a failed login, in a transaction of its own. With an address that nobody has, the same is written: of nobody.
    pub(crate) async fn try_failed(
        self,
        pool: &Pool,
        user: Option<UserId>,
        place: Option<&Place>,
        now: i64,
    ) -> Result<(), StorageError> {
        if !self.heard {
            return Ok(());
        }
        storage::subject_transaction(pool, "outbox.try_failed", &subject(user), async |db| {
            leave(db, user, What::FailedLogin { place }, now).await
        })
        .await
    }
}

async fn leave(db: &mut Connection, user: Option<UserId>, what: What<'_>, now: i64) -> Result<(), StorageError> {
    let id: SignalId = storage::ids::new(now.saturating_mul(1000)).into();
    let (kind, detail) = what.words();
    let (jkt, since) = match what {
        What::Device { jkt, since, .. } => (Some(AsText(jkt)), since.map(at).transpose()?),
        What::Login { .. } | What::FailedLogin { .. } | What::Seen { .. } | What::SecondFactor(_) => (None, None),
    };
    let (happened_at, detail) = (at(now)?, detail.map(str::to_owned));
    let country = what.place().map(|place| place.country.to_string());
    let network = what.place().and_then(|place| place.network.as_ref()).map(|network| network.as_str().to_owned());
    diesel::insert_into(outbox::table)
        .values((
            outbox::id.eq(id),
            outbox::kind.eq(kind),
            outbox::user_id.eq(user),
            outbox::happened_at.eq(happened_at),
            outbox::jkt.eq(jkt),
            outbox::detail.eq(detail),
            outbox::since.eq(since),
            outbox::country.eq(country),
            outbox::network.eq(network),
            outbox::next_attempt_at.eq(happened_at),
        ))
        .execute(db)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Oldest {
    #[diesel(sql_type = Double)]
    seconds: f64,
}

/// How long ago the oldest happened that has not been told. Ids are in the order of time, so this reads one row, however many there are.
pub(super) async fn lag(pool: &Pool) -> Result<Duration, StorageError> {
    const READ: &str = "select greatest(extract(epoch from clock_timestamp() - happened_at), 0)::float8 as seconds \
                        from outbox order by id limit 1";
    let mut db = storage::connection(pool).await?;
    let oldest: Option<Oldest> = diesel::sql_query(READ).get_result(&mut db).await.optional()?;
    Ok(oldest.map_or(Duration::ZERO, |oldest| Duration::from_secs_f64(oldest.seconds))) // Default: all is told.
}

/// They are told, or there was nothing to tell.
pub(super) async fn done(pool: &Pool, ids: &[SignalId]) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
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
