//! Since when instances of an app act for a person.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use identity::{Instance, Thumbprint};
use storage::{AsText, Connection, StorageError};

use crate::ids::UserId;
use crate::schema::instances;
use crate::store::at;

/// Notes that this instance acts for the person, from now on if it did not before; says since when. Of several new ones at once one is the first.
pub(crate) async fn note(
    db: &mut Connection,
    user: UserId,
    jkt: &Thumbprint,
    now: i64,
) -> Result<Instance, StorageError> {
    diesel::insert_into(instances::table)
        .values((instances::user_id.eq(user), instances::jkt.eq(AsText(jkt)), instances::since.eq(at(now)?)))
        .on_conflict((instances::user_id, instances::jkt))
        .do_nothing()
        .execute(db)
        .await?;
    since(db, user, jkt, now).await
}

/// Since when this instance has acted for the person; one that is not noted, since `otherwise`.
pub(crate) async fn since(
    db: &mut Connection,
    user: UserId,
    jkt: &Thumbprint,
    otherwise: i64,
) -> Result<Instance, StorageError> {
    // Default: it is as new as whoever asks knows it to be.
    Ok(noted(db, user, jkt).await?.unwrap_or(Instance { since: otherwise, first: false }))
}

/// Since when this instance, which has a refresh token, has acted for the person. One that a process of the former version has let in is noted now, with when its
/// person had logged in: else it would be of this moment in each approval, and new for ever.
pub(crate) async fn since_its_login(
    db: &mut Connection,
    user: UserId,
    jkt: &Thumbprint,
    authenticated_at: i64,
) -> Result<Instance, StorageError> {
    match noted(db, user, jkt).await? {
        Some(instance) => Ok(instance),
        None => note(db, user, jkt, authenticated_at).await,
    }
}

async fn noted(db: &mut Connection, user: UserId, jkt: &Thumbprint) -> Result<Option<Instance>, StorageError> {
    let noted: Option<(DateTime<Utc>, bool)> = instances::table
        .find((user, AsText(jkt)))
        .select((instances::since, instances::first))
        .first(db)
        .await
        .optional()?;
    Ok(noted.map(|(since, first)| Instance { since: since.timestamp(), first }))
}
