//! Second factors in the database.

pub(super) mod passkeys;

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text};
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use crate::ids::UserId;
use crate::opaque::Digest;
use crate::schema::{recovery_codes, totp_secrets};
use crate::store::{at, seek};

/// Of the locks that a transaction can take by a number, those of this file.
const LOCK: i32 = 31;

/// Lets nobody else change what this person has until the transaction ends: what is decided here depends on all of it.
pub(super) async fn alone(db: &mut Connection, user: UserId) -> Result<(), StorageError> {
    let lock = diesel::sql_query("select pg_advisory_xact_lock($1, hashtext($2))");
    lock.bind::<Integer, _>(LOCK).bind::<Text, _>(user.to_string()).execute(db).await?;
    Ok(())
}

/// Whether the interaction in which something is changed still goes on. Asked after [`alone`]: what was changed before it may have ended it.
pub(super) async fn is_there(db: &mut Connection, interaction: &Digest) -> Result<bool, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        goes_on: bool,
    }
    seek(db, &[interaction]).await?;
    Ok(diesel::sql_query("select under_way() as goes_on").get_result::<Row>(db).await?.goes_on)
}

/// Ends all other sign-ins of the transaction's person: whoever sits there may have come in with what is gone now.
pub(super) async fn end_others(db: &mut Connection, interaction: &Digest) -> Result<(), StorageError> {
    seek(db, &[interaction]).await?;
    diesel::sql_query("select end_other_sign_ins()").execute(db).await?;
    Ok(())
}

/// Ends all sign-ins of the transaction's person: what they were begun with may be gone.
pub(super) async fn end_all(db: &mut Connection) -> Result<(), StorageError> {
    seek(db, &[]).await?;
    diesel::sql_query("select end_other_sign_ins()").execute(db).await?;
    Ok(())
}

/// Whether a person has a second factor. Inside a transaction about that person: to others it looks as if nobody had.
pub(crate) async fn is_enrolled(db: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    let app = totp_secrets::table.find(user).select(totp_secrets::user_id);
    Ok(diesel::select(exists(app)).get_result(db).await? || passkeys::are_there(db, user).await?)
}

/// The app's secret, sealed.
pub(super) async fn secret(pool: &Pool, user: UserId) -> Result<Option<Vec<u8>>, StorageError> {
    storage::subject_transaction(pool, "totp_secrets.find", &user.to_string(), async |db| {
        Ok(totp_secrets::table.find(user).select(totp_secrets::sealed).first(db).await.optional()?)
    })
    .await
}

/// Since when a person has an app.
pub(super) async fn app(db: &mut Connection, user: UserId) -> Result<Option<DateTime<Utc>>, StorageError> {
    Ok(totp_secrets::table.find(user).select(totp_secrets::created_at).first(db).await.optional()?)
}

/// How many recovery codes are left.
pub(super) async fn codes_left(db: &mut Connection, user: UserId) -> Result<i64, StorageError> {
    Ok(recovery_codes::table.filter(recovery_codes::user_id.eq(user)).count().get_result(db).await?)
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

/// Uses a step up, and says since when the person has the app, in Unix seconds; nothing when the step or a later one was used before.
pub(super) async fn use_step(db: &mut Connection, user: UserId, step: i64) -> Result<Option<i64>, StorageError> {
    let unused = totp_secrets::table.find(user).filter(totp_secrets::last_step.lt(step));
    let taken = diesel::update(unused).set(totp_secrets::last_step.eq(step)).returning(totp_secrets::created_at);
    let since: Option<DateTime<Utc>> = taken.get_result(db).await.optional()?;
    Ok(since.map(|since| since.timestamp()))
}

/// Uses a recovery code up; false when there is none such.
pub(super) async fn use_code(db: &mut Connection, user: UserId, code: &Digest) -> Result<bool, StorageError> {
    let code = recovery_codes::table.find(&code.0).filter(recovery_codes::user_id.eq(user));
    Ok(diesel::delete(code).execute(db).await? == 1)
}

/// Puts these recovery codes in the place of all others; false for whoever has no second factor. In a transaction that is alone with the person.
pub(super) async fn replace_codes(db: &mut Connection, user: UserId, codes: &[Digest]) -> Result<bool, StorageError> {
    if !is_enrolled(db, user).await? {
        return Ok(false);
    }
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(db).await?;
    let rows: Vec<_> =
        codes.iter().map(|code| (recovery_codes::code_hash.eq(&code.0), recovery_codes::user_id.eq(user))).collect();
    diesel::insert_into(recovery_codes::table).values(rows).execute(db).await?;
    Ok(true)
}

/// Removes the app; the recovery codes go with it if nothing else is left. False when there was none.
pub(super) async fn remove(db: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    Ok(diesel::delete(totp_secrets::table.find(user)).execute(db).await? == 1)
}
