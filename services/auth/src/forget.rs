//! The end of rows whose time is over.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Clock, Shutdown};
use storage::{Pool, StorageError};

use crate::{authorizations, client_auth, grants, people};

/// How often rows whose time is over are deleted.
const EVERY: Duration = Duration::from_mins(1);

/// Deletes what is not kept, until the process ends.
pub(crate) async fn always(pool: Pool, clock: Arc<dyn Clock>, shutdown: Shutdown) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = shutdown.requested() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
        match once(&pool, clock.unix()).await {
            Ok(0) => (),
            Ok(rows) => tracing::debug!(rows, "forgot what is not kept"),
            // The next round tries again; the rows are refused by their time meanwhile.
            Err(error) => tracing::warn!(cause = %error, "could not forget"),
        }
    }
}

/// Deletes what its table's comment says is not kept; tells how many rows that were.
async fn once(pool: &Pool, now: i64) -> Result<usize, StorageError> {
    let mut db = storage::connection(pool).await?;
    Ok(authorizations::forget(&mut db, now).await?
        + grants::forget(&mut db, now).await?
        + client_auth::forget(&mut db, now).await?
        + people::forget(&mut db, now).await?)
}
