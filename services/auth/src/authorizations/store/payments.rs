//! Approved payments in the database, on their way to a token: put there with the code, taken out with it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::ids::GrantId;
use crate::schema::approved_payments;

pub(crate) async fn insert(
    db: &mut Connection,
    grant_id: GrantId,
    sealed: &[u8],
    expires: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::insert_into(approved_payments::table)
        .values((
            approved_payments::grant_id.eq(grant_id),
            approved_payments::sealed.eq(sealed),
            approved_payments::expires_at.eq(expires),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// What was approved under the grant of the code that this transaction has just used up; it is not kept.
pub(crate) async fn take(db: &mut Connection, grant_id: GrantId) -> Result<Option<Vec<u8>>, StorageError> {
    let taken = diesel::delete(approved_payments::table.find(grant_id)).returning(approved_payments::sealed);
    Ok(taken.get_result(db).await.optional()?)
}
