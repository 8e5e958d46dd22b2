//! People and counters in the database.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use super::directory::SealedProfile;
use super::throttle::{Blocked, Throttle};
use crate::error::Invariant;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::schema::{login_throttles, users};
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

/// Counts a try, one after the other for each identifier.
pub(super) async fn attempt(pool: &Pool, counter: &Digest, now: i64) -> Result<Result<(), Blocked>, StorageError> {
    storage::transaction(pool, "login_throttles.attempt", async |db| {
        seek(db, &[counter]).await?;
        // Makes the row or finds it, and locks it in both cases.
        let row: Row = diesel::insert_into(login_throttles::table)
            .values((
                login_throttles::identifier_hash.eq(&counter.0),
                login_throttles::failures.eq(0),
                login_throttles::blocked_until.eq(at(0)?),
                login_throttles::last_attempt_at.eq(at(now)?),
            ))
            .on_conflict(login_throttles::identifier_hash)
            .do_update()
            .set(login_throttles::last_attempt_at.eq(at(now)?))
            .returning((login_throttles::failures, login_throttles::blocked_until))
            .get_result(db)
            .await?;
        match throttle(row)?.attempt(now) {
            Ok(next) => set(db, counter, next).await.map(Ok),
            Err(blocked) => Ok(Err(blocked)),
        }
    })
    .await
}

/// Takes back a try that came to nothing because we were busy.
pub(super) async fn undo_attempt(pool: &Pool, counter: &Digest, now: i64) -> Result<(), StorageError> {
    storage::transaction(pool, "login_throttles.take_back", async |db| {
        seek(db, &[counter]).await?;
        let row: Option<Row> = login_throttles::table
            .find(&counter.0)
            .select((login_throttles::failures, login_throttles::blocked_until))
            .for_update()
            .first(db)
            .await
            .optional()?;
        match row {
            Some(row) => set(db, counter, throttle(row)?.undo_attempt(now)).await,
            // A success in another browser has ended the row meanwhile.
            None => Ok(()),
        }
    })
    .await
}

type Row = (i32, DateTime<Utc>);

fn throttle((failures, blocked_until): Row) -> Result<Throttle, Invariant> {
    let failures = u32::try_from(failures).map_err(|_| Invariant("a count of failures below nothing"))?;
    Ok(Throttle { failures, blocked_until: blocked_until.timestamp() })
}

async fn set(db: &mut Connection, counter: &Digest, next: Throttle) -> Result<(), StorageError> {
    // Default: a counter that is full stays full, under the longest block.
    let failures = i32::try_from(next.failures).unwrap_or(i32::MAX);
    diesel::update(login_throttles::table.find(&counter.0))
        .set((login_throttles::failures.eq(failures), login_throttles::blocked_until.eq(at(next.blocked_until)?)))
        .execute(db)
        .await?;
    Ok(())
}

/// A success ends the row of failures.
pub(super) async fn reset(db: &mut Connection, counter: &Digest) -> Result<(), StorageError> {
    diesel::delete(login_throttles::table.find(&counter.0)).execute(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_below_nothing_is_not_the_highest() {
        assert!(throttle((-1, DateTime::UNIX_EPOCH)).is_err());
    }
}
