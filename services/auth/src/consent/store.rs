//! Grants in the database.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};
use uuid::Uuid;

use crate::authorize::{Authenticated, Interaction};
use crate::opaque::Digest;
use crate::schema::{authorization_codes, grants};
use crate::store::at;

/// A grant to be stored, with its code.
pub(super) struct NewGrant<'a> {
    pub(super) id: Uuid,
    pub(super) person: Authenticated,
    /// What was allowed, which may be less than what was requested.
    pub(super) scope: &'a str,
    pub(super) code: &'a Digest,
    pub(super) code_expires: i64,
    pub(super) now: i64,
}

pub(super) async fn insert(
    db: &mut Connection,
    interaction: &Interaction,
    grant: &NewGrant<'_>,
) -> Result<(), StorageError> {
    diesel::insert_into(grants::table)
        .values((
            grants::id.eq(grant.id),
            grants::user_id.eq(grant.person.user_id),
            grants::client_id.eq(&interaction.client.id),
            grants::scope.eq(grant.scope),
            grants::authenticated_at.eq(at(grant.person.at)),
            grants::created_at.eq(at(grant.now)),
        ))
        .execute(db)
        .await?;
    diesel::insert_into(authorization_codes::table)
        .values((
            authorization_codes::code_hash.eq(&grant.code.0),
            authorization_codes::grant_id.eq(grant.id),
            authorization_codes::client_id.eq(&interaction.client.id),
            authorization_codes::redirect_uri.eq(&interaction.request.redirect_uri),
            authorization_codes::code_challenge.eq(&interaction.request.code_challenge),
            authorization_codes::nonce.eq(&interaction.request.nonce),
            authorization_codes::jkt.eq(&interaction.jkt),
            authorization_codes::expires_at.eq(at(grant.code_expires)),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a grant and all that was issued under it. The first reason stays.
pub(crate) async fn revoke(db: &mut Connection, id: Uuid, reason: &str, now: i64) -> Result<(), StorageError> {
    let live = grants::table.find(id).filter(grants::revoked_at.is_null());
    diesel::update(live).set((grants::revoked_at.eq(at(now)), grants::revoked_reason.eq(reason))).execute(db).await?;
    Ok(())
}

/// Whether a grant still holds.
pub(crate) async fn is_live(db: &mut Connection, id: Uuid) -> Result<bool, StorageError> {
    let live = grants::table.find(id).filter(grants::revoked_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(live)).get_result(db).await?)
}
