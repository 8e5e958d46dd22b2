//! Second factors in the database.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use crate::ids::UserId;
use crate::opaque::Digest;
use crate::schema::{recovery_codes, totp_secrets};
use crate::store::at;

/// Whether a person has a second factor. Inside a transaction about that person: to others it looks as if nobody had.
pub(crate) async fn is_enrolled(db: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    let enrolled = totp_secrets::table.find(user).select(totp_secrets::user_id);
    Ok(diesel::select(exists(enrolled)).get_result(db).await?)
}

/// The app's secret, sealed.
pub(super) async fn secret(pool: &Pool, user: UserId) -> Result<Option<Vec<u8>>, StorageError> {
    storage::subject_transaction(pool, "totp_secrets.find", &user.to_string(), async |db| {
        Ok(totp_secrets::table.find(user).select(totp_secrets::sealed).first(db).await.optional()?)
    })
    .await
}

/// Since when a person has an app, and how many recovery codes are left.
pub(super) async fn state(pool: &Pool, user: UserId) -> Result<Option<(DateTime<Utc>, i64)>, StorageError> {
    storage::subject_transaction(pool, "totp_secrets.state", &user.to_string(), async |db| {
        let since = totp_secrets::table.find(user).select(totp_secrets::created_at).first(db).await.optional()?;
        let Some(since) = since else { return Ok(None) };
        let own = recovery_codes::table.filter(recovery_codes::user_id.eq(user));
        Ok(Some((since, own.count().get_result(db).await?)))
    })
    .await
}

/// Stores an app whose first code was of that step; false when the person has one.
pub(super) async fn insert(
    db: &mut Connection,
    user: UserId,
    sealed: &[u8],
    step: i64,
    now: i64,
) -> Result<bool, StorageError> {
    let inserted = diesel::insert_into(totp_secrets::table)
        .values((
            totp_secrets::user_id.eq(user),
            totp_secrets::sealed.eq(sealed),
            totp_secrets::last_step.eq(step),
            totp_secrets::created_at.eq(at(now)?),
        ))
        .on_conflict(totp_secrets::user_id)
        .do_nothing()
        .execute(db)
        .await?;
    Ok(inserted == 1)
}

/// Uses a step up; false when it or a later one was used before.
pub(super) async fn use_step(db: &mut Connection, user: UserId, step: i64) -> Result<bool, StorageError> {
    let unused = totp_secrets::table.find(user).filter(totp_secrets::last_step.lt(step));
    Ok(diesel::update(unused).set(totp_secrets::last_step.eq(step)).execute(db).await? == 1)
}

/// Uses a recovery code up; false when there is none such.
pub(super) async fn use_code(db: &mut Connection, user: UserId, code: &Digest) -> Result<bool, StorageError> {
    let code = recovery_codes::table.find(&code.0).filter(recovery_codes::user_id.eq(user));
    Ok(diesel::delete(code).execute(db).await? == 1)
}

/// Puts these recovery codes in the place of all others. Others that do the same wait for it, so that nobody is left with codes of both.
pub(super) async fn replace_codes(db: &mut Connection, user: UserId, codes: &[Digest]) -> Result<bool, StorageError> {
    let app = totp_secrets::table.find(user).select(totp_secrets::user_id).for_update();
    if app.first::<UserId>(db).await.optional()?.is_none() {
        return Ok(false);
    }
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(db).await?;
    let rows: Vec<_> =
        codes.iter().map(|code| (recovery_codes::code_hash.eq(&code.0), recovery_codes::user_id.eq(user))).collect();
    diesel::insert_into(recovery_codes::table).values(rows).execute(db).await?;
    Ok(true)
}

/// Removes the app, and the recovery codes with it; false when there was none.
pub(super) async fn remove(pool: &Pool, user: UserId) -> Result<bool, StorageError> {
    storage::subject_transaction(pool, "totp_secrets.remove", &user.to_string(), async |db| {
        Ok(diesel::delete(totp_secrets::table.find(user)).execute(db).await? == 1)
    })
    .await
}
