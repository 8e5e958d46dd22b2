//! Grants and their refresh tokens in the database.

pub(crate) mod instances;

use api::ClientId;
use api::behavior::Place;
use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::{self, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use identity::{Level, Thumbprint};
use storage::{AsText, Connection, Pool, StorageError};

use super::entitlement::Entitlement;
use super::refresh_token::{IDLE, LIFETIME, Minted};
use crate::error::Why;
use crate::ids::{GrantId, UserId};
use crate::opaque::Digest;
use crate::schema::{grants, refresh_tokens};
use crate::second_factors::SecondFactor;
use crate::signals::{Signals, What};
use crate::store::{at, seek, subject};

/// A grant to be stored.
pub(crate) struct NewGrant<'a> {
    pub(crate) id: GrantId,
    pub(crate) user_id: UserId,
    pub(crate) client_id: &'a ClientId,
    /// What was allowed, which may be less than what was requested.
    pub(crate) scope: &'a str,
    pub(crate) authenticated_at: i64,
    /// What was shown beside the password.
    pub(crate) second: Option<SecondFactor>,
    /// Since when the person has had that.
    pub(crate) factor_since: Option<i64>,
    pub(crate) now: i64,
    /// When it is over; none for what holds until it is revoked.
    pub(crate) expires: Option<i64>,
}

pub(crate) async fn insert(db: &mut Connection, grant: &NewGrant<'_>) -> Result<(), StorageError> {
    diesel::insert_into(grants::table)
        .values((
            grants::id.eq(grant.id),
            grants::user_id.eq(grant.user_id),
            grants::client_id.eq(AsText(grant.client_id)),
            grants::scope.eq(grant.scope),
            grants::authenticated_at.eq(at(grant.authenticated_at)?),
            grants::second_factor.eq(grant.second.map(AsText)),
            grants::factor_since.eq(grant.factor_since.map(at).transpose()?),
            grants::created_at.eq(at(grant.now)?),
            grants::expires_at.eq(grant.expires.map(at).transpose()?),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a grant and all that was issued under it. The first reason stays.
pub(crate) async fn revoke(db: &mut Connection, id: GrantId, reason: &str, now: i64) -> Result<(), StorageError> {
    let live = grants::table.find(id).filter(grants::revoked_at.is_null());
    diesel::update(live).set((grants::revoked_at.eq(at(now)?), grants::revoked_reason.eq(reason))).execute(db).await?;
    Ok(())
}

/// Ends all that still hold, and the approvals among them; tells how many.
pub(super) async fn end_all(db: &mut Connection, now: DateTime<Utc>) -> Result<usize, StorageError> {
    let live = grants::table.filter(grants::revoked_at.is_null());
    let ended = diesel::update(live).set((grants::revoked_at.eq(now), grants::revoked_reason.eq("database_restored")));
    Ok(ended.execute(db).await?)
}

/// Whether a grant is this person's and still holds.
pub(crate) async fn is_live(pool: &Pool, user: UserId, id: GrantId, now: i64) -> Result<bool, StorageError> {
    storage::subject_transaction(pool, "grants.is_live", &user.to_string(), async |db| {
        let live = grants::table.find(id).filter(grants::user_id.eq(user)).filter(grants::revoked_at.is_null());
        let live = live.filter(grants::expires_at.is_null().or(grants::expires_at.gt(at(now)?)));
        Ok(diesel::select(exists(live.select(grants::id))).get_result(db).await?)
    })
    .await
}

/// Whether that instance of an attested client has been granted something by that person, and still is; the approval of a payment, which ends by
/// itself, makes no device known. It is asked of the database for nobody too, so that time does not tell whether an address is somebody's.
pub(crate) async fn knows_device(
    pool: &Pool,
    user_id: Option<UserId>,
    client_id: &ClientId,
    jkt: &Thumbprint,
) -> Result<bool, StorageError> {
    storage::subject_transaction(pool, "grants.knows_device", &subject(user_id), async |db| {
        let known = grants::table
            .filter(grants::user_id.nullable().eq(user_id))
            .filter(grants::client_id.eq(AsText(client_id)))
            .filter(grants::jkt.eq(AsText(jkt)))
            .filter(grants::revoked_at.is_null())
            .filter(grants::expires_at.is_null());
        Ok(diesel::select(exists(known.select(grants::id))).get_result(db).await?)
    })
    .await
}

/// What the grant of a code that has just been used up entitles to.
pub(crate) async fn entitlement(db: &mut Connection, id: GrantId) -> Result<Entitlement, StorageError> {
    type Found = (UserId, String, DateTime<Utc>, Option<AsText<SecondFactor>>, Option<DateTime<Utc>>, bool);
    let columns = (
        grants::user_id,
        grants::scope,
        grants::authenticated_at,
        grants::second_factor,
        grants::factor_since,
        grants::expires_at.is_not_null(),
    );
    let (user_id, scope, at, second, since, ends): Found = grants::table.find(id).select(columns).first(db).await?;
    Ok(Entitlement {
        grant_id: id,
        user_id,
        scope,
        authenticated_at: at.timestamp(),
        second: second.map(|second| second.0),
        factor_since: since.map(|since| since.timestamp()),
        instance: None,
        ends,
    })
}

/// Binds the grant to the key that redeemed its code, and stores the refresh token. `told` says whether word of the device was left.
pub(crate) async fn bind(
    db: &mut Connection,
    entitlement: &Entitlement,
    jkt: &Thumbprint,
    refresh: Option<&Minted>,
    told: bool,
    now: i64,
) -> Result<(), StorageError> {
    diesel::update(grants::table.find(entitlement.grant_id)).set(grants::jkt.eq(AsText(jkt))).execute(db).await?;
    if let Some(refresh) = refresh {
        diesel::insert_into(refresh_tokens::table)
            .values((
                refresh_tokens::token_hash.eq(&refresh.digest.0),
                refresh_tokens::grant_id.eq(entitlement.grant_id),
                refresh_tokens::last_used_at.eq(at(now)?),
                refresh_tokens::expires_at.eq(at(now + LIFETIME)?),
                refresh_tokens::device_told.eq(told),
            ))
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Who brings a refresh token.
pub(crate) struct Bearer<'a> {
    pub(crate) client_id: &'a ClientId,
    /// The key of the instance, where the client has instances.
    pub(crate) jkt: Option<&'a Thumbprint>,
    /// How well that key is kept.
    pub(crate) level: Option<Level>,
    /// From where, if it is known.
    pub(crate) place: Option<&'a Place>,
}

#[derive(QueryableByName)]
struct Granted {
    #[diesel(sql_type = SqlUuid)]
    id: GrantId,
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
    #[diesel(sql_type = sql_types::Text)]
    scope: String,
    #[diesel(sql_type = sql_types::Timestamptz)]
    authenticated_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    second_factor: Option<AsText<SecondFactor>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    factor_since: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Bool)]
    device_told: bool,
}

impl Granted {
    /// What it entitles this instance to.
    async fn entitles(self, db: &mut Connection, jkt: Option<&Thumbprint>) -> Result<Entitlement, StorageError> {
        let authenticated_at = self.authenticated_at.timestamp();
        let instance = match jkt {
            Some(jkt) => Some(instances::since_its_login(db, self.user_id, jkt, authenticated_at).await?),
            None => None,
        };
        Ok(Entitlement {
            grant_id: self.id,
            user_id: self.user_id,
            scope: self.scope,
            authenticated_at,
            second: self.second_factor.map(|second| second.0),
            factor_since: self.factor_since.map(|since| since.timestamp()),
            instance,
            // A payment's approval has no refresh token.
            ends: false,
        })
    }
}

/// diesel has no UPDATE … FROM; binds are typed all the same.
const USE_REFRESH_TOKEN: &str = "update refresh_tokens set last_used_at = $1 from grants \
    where token_hash = $2 and refresh_tokens.grant_id = grants.id \
    and grants.client_id = $3 and ($4 is null or grants.jkt = $4) and grants.revoked_at is null and grants.expires_at is null \
    and refresh_tokens.expires_at > $1 and refresh_tokens.last_used_at > $5 \
    returning grants.id, grants.user_id, grants.scope, grants.authenticated_at, grants.second_factor, grants.factor_since, \
    refresh_tokens.device_told";

/// Uses a refresh token; else says why not. Word is left of a device of which none was when its code was redeemed, and once: since then the person has it.
pub(crate) async fn use_refresh_token(
    pool: &Pool,
    signals: Signals,
    digest: &Digest,
    bearer: &Bearer<'_>,
    now: i64,
) -> Result<Result<Entitlement, Why>, StorageError> {
    storage::transaction(pool, "refresh_tokens.use", async |db| {
        seek(db, &[digest]).await?;
        let granted: Option<Granted> = diesel::sql_query(USE_REFRESH_TOKEN)
            .bind::<sql_types::Timestamptz, _>(at(now)?)
            .bind::<sql_types::Binary, _>(&digest.0)
            .bind::<sql_types::Text, _>(AsText(bearer.client_id))
            .bind::<sql_types::Nullable<sql_types::Text>, _>(bearer.jkt.map(AsText))
            .bind::<sql_types::Timestamptz, _>(at(now - IDLE)?)
            .get_result(db)
            .await
            .optional()?;
        if let Some(Granted { user_id, authenticated_at, device_told: false, .. }) = &granted
            && let (true, Some(jkt), Some(level)) = (signals.heard, bearer.jkt, bearer.level)
            && told_first(db, digest).await?
        {
            let what = What::Device { jkt, level, since: Some(authenticated_at.timestamp()) };
            signals.leave(db, *user_id, what, now).await?;
        }
        // A client without instances is a server: where that is, says nothing of the person.
        if let (Some(Granted { user_id, .. }), true, Some(_), Some(place)) =
            (&granted, signals.heard, bearer.jkt, bearer.place)
            && seen_anew(db, digest, place, now).await?
        {
            signals.leave(db, *user_id, What::Seen { place }, now).await?;
        }
        match granted {
            Some(granted) => granted.entitles(db, bearer.jkt).await.map(Ok),
            None => why_not_refreshed(db, digest, bearer).await.map(Err),
        }
    })
    .await
}

/// Whether it is for this transaction to leave word of the device: of many at once for one.
async fn told_first(db: &mut Connection, digest: &Digest) -> Result<bool, StorageError> {
    let untold = refresh_tokens::table.find(&digest.0).filter(refresh_tokens::device_told.eq(false));
    Ok(diesel::update(untold).set(refresh_tokens::device_told.eq(true)).execute(db).await? == 1)
}

/// Seconds after which word is left again of a token that is used where it was: so much may be missing from when a person was there last.
const STILL_THERE: i64 = 3_600;

/// Whether word is to be left of where it is used: elsewhere than when it was last, or an hour later. Of many at once one leaves it.
async fn seen_anew(db: &mut Connection, digest: &Digest, place: &Place, now: i64) -> Result<bool, StorageError> {
    let network = place.network.as_ref().map_or("", |network| network.as_str()); // Default: it is not known, and that is told apart
    let here = format!("{} {network}", place.country);
    let token = refresh_tokens::table.find(&digest.0);
    let anew = refresh_tokens::seen_in
        .is_distinct_from(here.clone())
        .or(refresh_tokens::seen_told_at.is_null())
        .or(refresh_tokens::seen_told_at.lt(at(now - STILL_THERE)?));
    let changes = (refresh_tokens::seen_in.eq(here), refresh_tokens::seen_told_at.eq(at(now)?));
    Ok(diesel::update(token.filter(anew)).set(changes).execute(db).await? == 1)
}

/// Whose a refresh token is.
#[derive(Queryable)]
struct Known {
    client_id: AsText<ClientId>,
    jkt: Option<AsText<Thumbprint>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// For the audit log only: the client is told the same in every case.
async fn why_not_refreshed(db: &mut Connection, digest: &Digest, bearer: &Bearer<'_>) -> Result<Why, StorageError> {
    let known: Option<Known> = refresh_tokens::table
        .inner_join(grants::table)
        .filter(refresh_tokens::token_hash.eq(&digest.0))
        .select((grants::client_id, grants::jkt, grants::revoked_at))
        .first(db)
        .await
        .optional()?;
    let Some(Known { client_id, jkt, revoked_at }) = known else { return Ok(Why::RefreshTokenUnknown) };
    Ok(if client_id.0 != *bearer.client_id {
        Why::RefreshTokenOfAnotherClient
    } else if bearer.jkt.is_some_and(|own| jkt.is_none_or(|jkt| jkt.0 != *own)) {
        Why::RefreshTokenOfAnotherKey
    } else if revoked_at.is_some() {
        Why::RefreshTokenRevoked
    } else {
        Why::RefreshTokenExpired
    })
}
