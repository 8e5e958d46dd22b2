//! The end of rows whose time is over.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Clock, Shutdown};
use storage::Pool;

use crate::store;

/// How often rows whose time is over are deleted.
const EVERY: Duration = Duration::from_mins(1);

/// Deletes what is not kept, until the process ends.
pub(crate) async fn always(pool: Pool, clock: Arc<dyn Clock>, shutdown: Shutdown) -> anyhow::Result<()> {
    while shutdown.pause(EVERY).await {
        match store::forget(&pool, clock.unix()).await {
            Ok(0) => (),
            Ok(rows) => tracing::debug!(rows, "forgot what is not kept"),
            // The next round tries again; the rows are refused by their time meanwhile.
            Err(error) => tracing::warn!(cause = %error, "could not forget"),
        }
    }
    Ok(())
}
