//! Interactions in the database.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use super::requests::{Pushed, StoredRequest, complete};
use crate::authorizations::authenticated::Authenticated;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::schema::{interactions, pushed_requests};
use crate::store::{at, seek};

/// An interaction and its request.
pub(crate) struct Row {
    pub(crate) request_digest: Digest,
    pub(crate) stored: StoredRequest,
    pub(crate) authenticated: Option<Authenticated>,
    pub(crate) shown: Option<Vec<u8>>,
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
    type Found = (Vec<u8>, Option<UserId>, Option<DateTime<Utc>>, Option<Vec<u8>>, Pushed);
    let row = storage::transaction(pool, "interactions.find", async |db| {
        seek(db, &[browser]).await?;
        let row: Option<Found> = interactions::table
            .inner_join(pushed_requests::table)
            .filter(interactions::browser_hash.eq(&browser.0))
            .filter(interactions::expires_at.gt(at(now)?))
            .select((
                interactions::request_hash,
                interactions::user_id,
                interactions::authenticated_at,
                interactions::shown_sealed,
                (pushed_requests::client_id, pushed_requests::jkt, pushed_requests::parameters),
            ))
            .first(db)
            .await
            .optional()?;
        Ok::<_, StorageError>(row)
    });
    let Some((request_hash, user_id, authenticated_at, shown, request)) = row.await? else {
        return Ok(None);
    };
    let authenticated = user_id
        .zip(authenticated_at)
        .map(|(user_id, authenticated_at)| Authenticated { user_id, at: authenticated_at.timestamp() });
    Ok(Some(Row { request_digest: Digest(request_hash), stored: request.read()?, authenticated, shown }))
}

/// Answers a request for which there is no interaction; false when it has been answered before.
pub(crate) async fn answer_silently(pool: &Pool, request: &Digest, now: i64) -> Result<bool, StorageError> {
    storage::transaction(pool, "pushed_requests.answer_silently", async |db| {
        seek(db, &[request]).await?;
        complete(db, request, now).await
    })
    .await
}

/// Puts an authenticated interaction in the place of an anonymous one; false when it is not there any more.
pub(crate) async fn authenticate(
    db: &mut Connection,
    old: &Digest,
    new: &Digest,
    person: Authenticated,
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
    diesel::insert_into(interactions::table)
        .values((
            interactions::browser_hash.eq(&new.0),
            interactions::request_hash.eq(request_hash),
            interactions::user_id.eq(person.user_id),
            interactions::authenticated_at.eq(at(person.at)?),
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

/// Ends an interaction, inside the transaction that answers its request.
pub(crate) async fn end(db: &mut Connection, browser: &Digest) -> Result<(), StorageError> {
    diesel::delete(interactions::table.filter(interactions::browser_hash.eq(&browser.0))).execute(db).await?;
    Ok(())
}
