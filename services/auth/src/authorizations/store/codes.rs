//! Codes in the database. Each is used by one conditional UPDATE.

use api::ClientId;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use identity::Thumbprint;
use storage::{AsText, Connection, StorageError};

use crate::authorizations::interaction::Interaction;
use crate::error::Why;
use crate::grants::{self, Entitlement};
use crate::ids::GrantId;
use crate::opaque::Digest;
use crate::schema::authorization_codes;
use crate::store::{at, seek};

/// A code to be stored.
pub(crate) struct NewCode<'a> {
    pub(crate) digest: &'a Digest,
    pub(crate) grant_id: GrantId,
    pub(crate) expires: i64,
}

pub(crate) async fn insert(
    db: &mut Connection,
    interaction: &Interaction,
    code: &NewCode<'_>,
) -> Result<(), StorageError> {
    diesel::insert_into(authorization_codes::table)
        .values((
            authorization_codes::code_hash.eq(&code.digest.0),
            authorization_codes::grant_id.eq(code.grant_id),
            authorization_codes::client_id.eq(AsText(&interaction.client.id)),
            authorization_codes::redirect_uri.eq(&interaction.request.redirect_uri),
            authorization_codes::code_challenge.eq(&interaction.request.code_challenge),
            authorization_codes::nonce.eq(&interaction.request.nonce),
            authorization_codes::jkt.eq(interaction.jkt.as_ref().map(AsText)),
            authorization_codes::expires_at.eq(at(code.expires)?),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// A code that has just been used up.
pub(crate) struct Code {
    pub(crate) entitlement: Entitlement,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) jkt: Option<Thumbprint>,
}

/// The same as the database has it.
#[derive(Queryable)]
struct Used {
    grant_id: GrantId,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    jkt: Option<AsText<Thumbprint>>,
}

/// Uses a code up; else says why not, and revokes the grant if the code was used before (RFC 6749 §4.1.2).
pub(crate) async fn use_up(
    db: &mut Connection,
    digest: &Digest,
    client_id: &ClientId,
    now: i64,
) -> Result<Result<Code, Why>, StorageError> {
    seek(db, &[digest]).await?;
    let usable = authorization_codes::table
        .filter(authorization_codes::code_hash.eq(&digest.0))
        .filter(authorization_codes::client_id.eq(AsText(client_id)))
        .filter(authorization_codes::used_at.is_null())
        .filter(authorization_codes::expires_at.gt(at(now)?));
    let used: Option<Used> = diesel::update(usable)
        .set(authorization_codes::used_at.eq(at(now)?))
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
    let Some(Used { grant_id, redirect_uri, challenge, nonce, jkt }) = used else {
        return why_not(db, digest, client_id, now).await.map(Err);
    };
    let entitlement = grants::entitlement(db, grant_id).await?;
    Ok(Ok(Code { entitlement, redirect_uri, challenge, nonce, jkt: jkt.map(|jkt| jkt.0) }))
}

async fn why_not(db: &mut Connection, digest: &Digest, client_id: &ClientId, now: i64) -> Result<Why, StorageError> {
    let row: Option<(GrantId, AsText<ClientId>, Option<DateTime<Utc>>)> = authorization_codes::table
        .find(&digest.0)
        .select((authorization_codes::grant_id, authorization_codes::client_id, authorization_codes::used_at))
        .first(db)
        .await
        .optional()?;
    Ok(match row {
        None => Why::CodeUnknown,
        Some((_, owner, _)) if owner.0 != *client_id => Why::CodeOfAnotherClient,
        Some((grant_id, _, Some(_))) => {
            grants::revoke(db, grant_id, Why::CodeReused.row().reason, now).await?;
            Why::CodeReused
        }
        Some((_, _, None)) => Why::CodeExpired,
    })
}
