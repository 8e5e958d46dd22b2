//! The one statement that deletes.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use storage::{Pool, StorageError, transaction};

#[derive(QueryableByName)]
struct Gone {
    #[diesel(sql_type = BigInt)]
    gone: i64,
}

/// Deletes what is not kept, some thousand rows at most; tells how many.
pub(super) async fn forget(pool: &Pool) -> Result<i64, StorageError> {
    transaction(pool, "retention.forget", async |db| {
        let row: Gone = diesel::sql_query("select forget() as gone").get_result(db).await?;
        Ok(row.gone)
    })
    .await
}
