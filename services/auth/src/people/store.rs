//! People in the database.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use super::directory::SealedProfile;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::schema::users;
use crate::store::{at, seek};

/// What a login needs of a person.
pub(super) struct Login {
    pub(super) id: UserId,
    pub(super) password_hash: String,
}

pub(super) async fn find(pool: &Pool, lookup: &Digest) -> Result<Option<Login>, StorageError> {
    storage::transaction(pool, "users.find", async |db| {
        seek(db, &[lookup]).await?;
        let row: Option<(UserId, String)> = users::table
            .filter(users::email_lookup.eq(&lookup.0))
            .select((users::id, users::password_hash))
            .first(db)
            .await
            .optional()?;
        Ok(row.map(|(id, password_hash)| Login { id, password_hash }))
    })
    .await
}

/// A person to be stored.
pub(super) struct NewUser<'a> {
    pub(super) id: UserId,
    pub(super) lookup: &'a Digest,
    pub(super) sealed: &'a SealedProfile,
    pub(super) password_hash: &'a str,
    pub(super) now: i64,
}

/// Stores a person; false when somebody has that address.
pub(super) async fn insert(pool: &Pool, user: &NewUser<'_>) -> Result<bool, StorageError> {
    storage::subject_transaction(pool, "users.insert", &user.id.to_string(), async |db| {
        let inserted = diesel::insert_into(users::table)
            .values((
                users::id.eq(user.id),
                users::email_lookup.eq(&user.lookup.0),
                users::email_sealed.eq(&user.sealed.email),
                users::name_sealed.eq(&user.sealed.name),
                users::password_hash.eq(user.password_hash),
                users::created_at.eq(at(user.now)?),
            ))
            .on_conflict(users::email_lookup)
            .do_nothing()
            .execute(db)
            .await?;
        Ok(inserted == 1)
    })
    .await
}

pub(super) async fn replace_hash(db: &mut Connection, id: UserId, hash: &str) -> Result<(), StorageError> {
    diesel::update(users::table.find(id)).set(users::password_hash.eq(hash)).execute(db).await?;
    Ok(())
}

pub(super) async fn profile(pool: &Pool, id: UserId) -> Result<Option<SealedProfile>, StorageError> {
    storage::subject_transaction(pool, "users.profile", &id.to_string(), async |db| {
        let row: Option<(Vec<u8>, Vec<u8>)> =
            users::table.find(id).select((users::name_sealed, users::email_sealed)).first(db).await.optional()?;
        Ok(row.map(|(name, email)| SealedProfile { name, email }))
    })
    .await
}
