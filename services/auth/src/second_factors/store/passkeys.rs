//! Passkeys and their ceremonies in the database. Inside transactions about their person, for whom alone there are any.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::error::Invariant;
use crate::ids::{PasskeyId, UserId};
use crate::opaque::Digest;
use crate::schema::{passkey_ceremonies, passkeys};
use crate::store::at;
use crate::webauthn::{Asserted, Known, Registered};

/// Keeps what a challenge is made of, in the place of the interaction's last one.
pub(crate) async fn begin(
    db: &mut Connection,
    (interaction, user): (&Digest, UserId),
    nonce: &[u8],
    expires: i64,
) -> Result<(), StorageError> {
    let row = (
        passkey_ceremonies::user_id.eq(user),
        passkey_ceremonies::nonce.eq(nonce),
        passkey_ceremonies::expires_at.eq(at(expires)?),
    );
    diesel::insert_into(passkey_ceremonies::table)
        .values((passkey_ceremonies::browser_hash.eq(&interaction.0), row))
        .on_conflict(passkey_ceremonies::browser_hash)
        .do_update()
        .set(row)
        .execute(db)
        .await?;
    Ok(())
}

/// Takes it out.
pub(crate) async fn take(
    db: &mut Connection,
    interaction: &Digest,
    user: UserId,
) -> Result<Option<(Vec<u8>, DateTime<Utc>)>, StorageError> {
    let ceremony = passkey_ceremonies::table.find(&interaction.0);
    let taken = diesel::delete(ceremony.filter(passkey_ceremonies::user_id.eq(user)))
        .returning((passkey_ceremonies::nonce, passkey_ceremonies::expires_at));
    Ok(taken.get_result(db).await.optional()?)
}

/// Whether a person has any.
pub(crate) async fn are_there(db: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    let own = passkeys::table.filter(passkeys::user_id.eq(user)).select(passkeys::id);
    Ok(diesel::select(diesel::dsl::exists(own)).get_result(db).await?)
}

/// The credentials of a person, the oldest first.
pub(crate) async fn credentials(db: &mut Connection, user: UserId) -> Result<Vec<Vec<u8>>, StorageError> {
    let own = passkeys::table.filter(passkeys::user_id.eq(user)).order(passkeys::created_at);
    Ok(own.select(passkeys::credential_id).load(db).await?)
}

/// A passkey as its person sees it.
#[derive(Queryable)]
pub(crate) struct Listed {
    pub(crate) id: PasskeyId,
    pub(crate) name: Vec<u8>,
    pub(crate) since: DateTime<Utc>,
    pub(crate) used: Option<DateTime<Utc>>,
}

/// The passkeys of a person, the oldest first.
pub(crate) async fn list(db: &mut Connection, user: UserId) -> Result<Vec<Listed>, StorageError> {
    let own = passkeys::table.filter(passkeys::user_id.eq(user)).order(passkeys::created_at);
    let columns = (passkeys::id, passkeys::name_sealed, passkeys::created_at, passkeys::last_used_at);
    Ok(own.select(columns).load(db).await?)
}

/// Stores a passkey; false when somebody has that credential (step 26 of `WebAuthn` §7.1).
pub(crate) async fn insert(
    db: &mut Connection,
    (id, user): (PasskeyId, UserId),
    name: &[u8],
    registered: &Registered,
    now: i64,
) -> Result<bool, StorageError> {
    let inserted = diesel::insert_into(passkeys::table)
        .values((
            passkeys::id.eq(id),
            passkeys::user_id.eq(user),
            passkeys::credential_id.eq(&registered.credential_id),
            passkeys::public_key.eq(registered.key.as_uncompressed().as_slice()),
            passkeys::sign_count.eq(i64::from(registered.sign_count)),
            passkeys::backup_eligible.eq(registered.backup_eligible),
            passkeys::backed_up.eq(registered.backed_up),
            passkeys::name_sealed.eq(name),
            passkeys::created_at.eq(at(now)?),
        ))
        .on_conflict(passkeys::credential_id)
        .do_nothing()
        .execute(db)
        .await?;
    Ok(inserted == 1)
}

/// The person's passkey with this credential, for this transaction alone to use, and since when the person has it, in Unix seconds.
pub(crate) async fn find(
    db: &mut Connection,
    user: UserId,
    credential_id: &[u8],
) -> Result<Option<(PasskeyId, i64, Known)>, StorageError> {
    type Found = (PasskeyId, DateTime<Utc>, Vec<u8>, i64, bool);
    let row: Option<Found> = passkeys::table
        .filter(passkeys::credential_id.eq(credential_id))
        .filter(passkeys::user_id.eq(user))
        .select((
            passkeys::id,
            passkeys::created_at,
            passkeys::public_key,
            passkeys::sign_count,
            passkeys::backup_eligible,
        ))
        .for_update()
        .first(db)
        .await
        .optional()?;
    let Some((id, since, key, sign_count, backup_eligible)) = row else { return Ok(None) };
    let key = crypto::p256::PublicKey::from_uncompressed(&key).map_err(|_| Invariant("a passkey that is no key"))?;
    let sign_count = u32::try_from(sign_count).map_err(|_| Invariant("a counter beyond its bounds"))?;
    Ok(Some((id, since.timestamp(), Known { key, sign_count, backup_eligible })))
}

/// Writes down that it was used; the database lets no counter go back.
pub(crate) async fn used(db: &mut Connection, id: PasskeyId, said: &Asserted, now: i64) -> Result<(), StorageError> {
    let row = (
        passkeys::sign_count.eq(i64::from(said.sign_count)),
        passkeys::backup_eligible.eq(said.backup_eligible),
        passkeys::backed_up.eq(said.backed_up),
        passkeys::last_used_at.eq(at(now)?),
    );
    diesel::update(passkeys::table.find(id)).set(row).execute(db).await?;
    Ok(())
}

/// Removes one of a person's; false when there is none such.
pub(crate) async fn remove(db: &mut Connection, user: UserId, id: PasskeyId) -> Result<bool, StorageError> {
    let own = passkeys::table.find(id).filter(passkeys::user_id.eq(user));
    Ok(diesel::delete(own).execute(db).await? == 1)
}

/// Removes all that this person has, and says how many there were.
pub(crate) async fn remove_all(db: &mut Connection, user: UserId) -> Result<usize, StorageError> {
    Ok(diesel::delete(passkeys::table.filter(passkeys::user_id.eq(user))).execute(db).await?)
}
