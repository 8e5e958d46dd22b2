//! Interactions in the database.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{AsText, Connection, Pool, StorageError};

use super::requests::{Pushed, StoredRequest, complete};
use crate::authorizations::authenticated::{Authenticated, Known};
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::schema::{interactions, pushed_requests};
use crate::second_factors::SecondFactor;
use crate::store::{at, seek};

/// An interaction and its request.
pub(crate) struct Row {
    pub(crate) request_digest: Digest,
    pub(crate) stored: StoredRequest,
    pub(crate) known: Option<Known>,
    pub(crate) shown: Option<Vec<u8>>,
    pub(crate) enrolling: Option<Vec<u8>>,
}

/// Whom the database says that an interaction knows.
#[derive(Queryable)]
struct KnownRow {
    user_id: Option<UserId>,
    authenticated_at: Option<DateTime<Utc>>,
    awaits_user_id: Option<UserId>,
    second: Option<AsText<SecondFactor>>,
    factor_since: Option<DateTime<Utc>>,
}

impl KnownRow {
    fn read(self) -> Option<Known> {
        let second = self.second.map(|second| second.0);
        let factor_since = self.factor_since.map(|since| since.timestamp());
        let person = self.user_id.zip(self.authenticated_at);
        let person = person.map(|(user_id, at)| Authenticated { user_id, at: at.timestamp(), second, factor_since });
        person.map(Known::Authenticated).or(self.awaits_user_id.map(Known::Awaiting))
    }
}

pub(crate) async fn insert(pool: &Pool, browser: &Digest, request: &Digest, expires: i64) -> Result<(), StorageError> {
    let mut connection = storage::connection(pool).await?;
    diesel::insert_into(interactions::table)
        .values((
            interactions::browser_hash.eq(&browser.0),
            interactions::request_hash.eq(&request.0),
            interactions::expires_at.eq(at(expires)?),
        ))
        .execute(&mut connection)
        .await?;
    Ok(())
}

pub(crate) async fn find(pool: &Pool, browser: &Digest, now: i64) -> Result<Option<Row>, StorageError> {
    type Found = (Vec<u8>, KnownRow, Option<Vec<u8>>, Option<Vec<u8>>, Pushed);
    let row = storage::transaction(pool, "interactions.find", async |db| {
        seek(db, &[browser]).await?;
        let row: Option<Found> = interactions::table
            .inner_join(pushed_requests::table)
            .filter(interactions::browser_hash.eq(&browser.0))
            .filter(interactions::expires_at.gt(at(now)?))
            .select((
                interactions::request_hash,
                (
                    interactions::user_id,
                    interactions::authenticated_at,
                    interactions::awaits_user_id,
                    interactions::second_factor,
                    interactions::factor_since,
                ),
                interactions::shown_sealed,
                interactions::enrolling_sealed,
                (pushed_requests::client_id, pushed_requests::jkt, pushed_requests::parameters),
            ))
            .first(db)
            .await
            .optional()?;
        Ok::<_, StorageError>(row)
    });
    let Some((request_hash, known, shown, enrolling, request)) = row.await? else {
        return Ok(None);
    };
    let (request_digest, known) = (Digest(request_hash), known.read());
    Ok(Some(Row { request_digest, stored: request.read()?, known, shown, enrolling }))
}

/// Answers a request for which there is no interaction; false when it has been answered before.
pub(crate) async fn answer_silently(pool: &Pool, request: &Digest, now: i64) -> Result<bool, StorageError> {
    storage::transaction(pool, "pushed_requests.answer_silently", async |db| {
        seek(db, &[request]).await?;
        complete(db, request, now).await
    })
    .await
}

/// Puts one that knows its person better in the place of an interaction; false when it is not there any more.
pub(crate) async fn replace(
    db: &mut Connection,
    old: &Digest,
    new: &Digest,
    known: &Known,
) -> Result<bool, StorageError> {
    let replaced: Option<(Vec<u8>, DateTime<Utc>)> =
        diesel::delete(interactions::table.filter(interactions::browser_hash.eq(&old.0)))
            .returning((interactions::request_hash, interactions::expires_at))
            .get_result(db)
            .await
            .optional()?;
    let Some((request_hash, expires_at)) = replaced else {
        return Ok(false);
    };
    let (person, awaits) = match known {
        Known::Authenticated(person) => (Some(person), None),
        Known::Awaiting(user_id) => (None, Some(*user_id)),
    };
    diesel::insert_into(interactions::table)
        .values((
            interactions::browser_hash.eq(&new.0),
            interactions::request_hash.eq(request_hash),
            interactions::user_id.eq(person.map(|person| person.user_id)),
            interactions::authenticated_at.eq(person.map(|person| at(person.at)).transpose()?),
            interactions::awaits_user_id.eq(awaits),
            interactions::second_factor.eq(person.and_then(|person| person.second).map(AsText)),
            interactions::factor_since.eq(person.and_then(|person| person.factor_since).map(at).transpose()?),
            interactions::expires_at.eq(expires_at),
        ))
        .execute(db)
        .await?;
    Ok(true)
}

/// Keeps what is being shown, in place of what was shown before; false when the interaction is not there any more.
pub(crate) async fn keep_shown(pool: &Pool, browser: &Digest, sealed: &[u8]) -> Result<bool, StorageError> {
    storage::transaction(pool, "interactions.keep_shown", async |db| {
        seek(db, &[browser]).await?;
        let shown = diesel::update(interactions::table.filter(interactions::browser_hash.eq(&browser.0)));
        Ok(shown.set(interactions::shown_sealed.eq(sealed)).execute(db).await? == 1)
    })
    .await
}

/// Keeps the secret of an app that is being set up, in place of one before it; false when the interaction is not there any more.
pub(crate) async fn keep_enrolling(pool: &Pool, browser: &Digest, sealed: &[u8]) -> Result<bool, StorageError> {
    storage::transaction(pool, "interactions.keep_enrolling", async |db| {
        seek(db, &[browser]).await?;
        let enrolling = diesel::update(interactions::table.filter(interactions::browser_hash.eq(&browser.0)));
        Ok(enrolling.set(interactions::enrolling_sealed.eq(sealed)).execute(db).await? == 1)
    })
    .await
}

/// Ends an interaction, inside the transaction that answers its request.
pub(crate) async fn end(db: &mut Connection, browser: &Digest) -> Result<(), StorageError> {
    diesel::delete(interactions::table.filter(interactions::browser_hash.eq(&browser.0))).execute(db).await?;
    Ok(())
}
