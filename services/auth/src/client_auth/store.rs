//! Assertions that were used: in the database, because an assertion is good at every process alike.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Pool, StorageError};

use super::private_key_jwt::AssertionId;
use crate::schema::client_assertions;
use crate::store::at;

/// Uses an assertion up; false when somebody was there before. One statement, so that one of many wins.
pub(super) async fn use_assertion(pool: &Pool, id: &AssertionId) -> Result<bool, StorageError> {
    let mut connection = storage::connection(pool).await?;
    let inserted = diesel::insert_into(client_assertions::table)
        .values((client_assertions::id_hash.eq(&id.digest.0), client_assertions::expires_at.eq(at(id.expires)?)))
        .on_conflict_do_nothing()
        .execute(&mut connection)
        .await?;
    Ok(inserted == 1)
}
