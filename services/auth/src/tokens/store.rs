//! Codes and refresh tokens in the database. Each is used by one conditional UPDATE.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};
use uuid::Uuid;

use super::Entitlement;
use super::minted::{IDLE, LIFETIME, Minted};
use crate::opaque::Digest;
use crate::schema::{authorization_codes, grants, refresh_tokens};
use crate::store::at;

/// A code that has just been used up.
pub(super) struct Code {
    pub(super) entitlement: Entitlement,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) jkt: Option<String>,
}

/// Uses a code up; else says why not, and revokes the grant if the code was used before (RFC 6749 §4.1.2).
pub(super) async fn use_code(
    db: &mut Connection,
    digest: &Digest,
    client_id: &str,
    now: i64,
) -> Result<Result<Code, &'static str>, StorageError> {
    type Row = (Uuid, String, String, Option<String>, Option<String>);
    let usable = authorization_codes::table
        .filter(authorization_codes::code_hash.eq(&digest.0))
        .filter(authorization_codes::client_id.eq(client_id))
        .filter(authorization_codes::used_at.is_null())
        .filter(authorization_codes::expires_at.gt(at(now)));
    let used: Option<Row> = diesel::update(usable)
        .set(authorization_codes::used_at.eq(at(now)))
        .returning((
            authorization_codes::grant_id,
            authorization_codes::redirect_uri,
            authorization_codes::code_challenge,
            authorization_codes::nonce,
            authorization_codes::jkt,
        ))
        .get_result(db)
        .await
        .optional()?;
    let Some((grant_id, redirect_uri, challenge, nonce, jkt)) = used else {
        return why_not(db, digest, client_id, now).await.map(Err);
    };
    let (user_id, scope, authenticated_at): (Uuid, String, DateTime<Utc>) = grants::table
        .find(grant_id)
        .select((grants::user_id, grants::scope, grants::authenticated_at))
        .first(db)
        .await?;
    let entitlement = Entitlement { grant_id, user_id, scope, authenticated_at: authenticated_at.timestamp() };
    Ok(Ok(Code { entitlement, redirect_uri, challenge, nonce, jkt }))
}

async fn why_not(
    db: &mut Connection,
    digest: &Digest,
    client_id: &str,
    now: i64,
) -> Result<&'static str, StorageError> {
    let row: Option<(Uuid, String, Option<DateTime<Utc>>)> = authorization_codes::table
        .find(&digest.0)
        .select((authorization_codes::grant_id, authorization_codes::client_id, authorization_codes::used_at))
        .first(db)
        .await
        .optional()?;
    Ok(match row {
        None => "code_unknown",
        Some((_, owner, _)) if owner != client_id => "code_of_another_client",
        Some((grant_id, _, Some(_))) => {
            crate::consent::store::revoke(db, grant_id, "code_reused", now).await?;
            "code_reused"
        }
        Some((_, _, None)) => "code_expired",
    })
}

/// Binds the grant to the key that redeemed its code, and stores the refresh token.
pub(super) async fn bind(
    db: &mut Connection,
    entitlement: &Entitlement,
    jkt: &str,
    refresh: Option<&Minted>,
    now: i64,
) -> Result<(), StorageError> {
    diesel::update(grants::table.find(entitlement.grant_id)).set(grants::jkt.eq(jkt)).execute(db).await?;
    if let Some(refresh) = refresh {
        diesel::insert_into(refresh_tokens::table)
            .values((
                refresh_tokens::token_hash.eq(&refresh.digest.0),
                refresh_tokens::grant_id.eq(entitlement.grant_id),
                refresh_tokens::last_used_at.eq(at(now)),
                refresh_tokens::expires_at.eq(at(now + LIFETIME)),
            ))
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Who brings a refresh token.
pub(super) struct Bearer<'a> {
    pub(super) client_id: &'a str,
    /// The key of the instance, where the client has instances.
    pub(super) jkt: Option<&'a str>,
}

#[derive(QueryableByName)]
struct Granted {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
    #[diesel(sql_type = sql_types::Uuid)]
    user_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    scope: String,
    #[diesel(sql_type = sql_types::Timestamptz)]
    authenticated_at: DateTime<Utc>,
}

/// diesel has no UPDATE … FROM; binds are typed all the same.
const USE_REFRESH_TOKEN: &str = "update refresh_tokens set last_used_at = $1 from grants \
    where token_hash = $2 and refresh_tokens.grant_id = grants.id \
    and grants.client_id = $3 and ($4 is null or grants.jkt = $4) and grants.revoked_at is null \
    and refresh_tokens.expires_at > $1 and refresh_tokens.last_used_at > $5 \
    returning grants.id, grants.user_id, grants.scope, grants.authenticated_at";

/// Uses a refresh token; else says why not.
pub(super) async fn use_refresh_token(
    pool: &Pool,
    digest: &Digest,
    bearer: &Bearer<'_>,
    now: i64,
) -> Result<Result<Entitlement, &'static str>, StorageError> {
    let mut connection = storage::connection(pool).await?;
    let granted: Option<Granted> = diesel::sql_query(USE_REFRESH_TOKEN)
        .bind::<sql_types::Timestamptz, _>(at(now))
        .bind::<sql_types::Binary, _>(&digest.0)
        .bind::<sql_types::Text, _>(bearer.client_id)
        .bind::<sql_types::Nullable<sql_types::Text>, _>(bearer.jkt)
        .bind::<sql_types::Timestamptz, _>(at(now - IDLE))
        .get_result(&mut connection)
        .await
        .optional()?;
    match granted {
        Some(granted) => Ok(Ok(Entitlement {
            grant_id: granted.id,
            user_id: granted.user_id,
            scope: granted.scope,
            authenticated_at: granted.authenticated_at.timestamp(),
        })),
        None => why_not_refreshed(&mut connection, digest, bearer).await.map(Err),
    }
}

/// For the audit log only: the client is told the same in every case.
async fn why_not_refreshed(
    db: &mut Connection,
    digest: &Digest,
    bearer: &Bearer<'_>,
) -> Result<&'static str, StorageError> {
    let row: Option<(String, Option<String>, Option<DateTime<Utc>>)> = refresh_tokens::table
        .inner_join(grants::table)
        .filter(refresh_tokens::token_hash.eq(&digest.0))
        .select((grants::client_id, grants::jkt, grants::revoked_at))
        .first(db)
        .await
        .optional()?;
    Ok(match row {
        None => "refresh_token_unknown",
        Some((client_id, ..)) if client_id != bearer.client_id => "refresh_token_of_another_client",
        Some((_, jkt, _)) if bearer.jkt.is_some_and(|own| jkt.as_deref() != Some(own)) => {
            "refresh_token_of_another_key"
        }
        Some((_, _, Some(_))) => "grant_revoked",
        Some((_, _, None)) => "refresh_token_expired",
    })
}
