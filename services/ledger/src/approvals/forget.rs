//! The end of approvals that nobody has used.

use std::time::Duration;

use runtime::Shutdown;
use storage::Pool;

use super::store;

/// How often they are looked for.
const EVERY: Duration = Duration::from_mins(10);

/// Deletes what is not kept, until the process ends.
pub(crate) async fn always(pool: Pool, shutdown: Shutdown) -> anyhow::Result<()> {
    while shutdown.pause(EVERY).await {
        match storage::transaction(&pool, "approvals.forget", async |db| store::forget(db).await).await {
            Ok(0) => (),
            Ok(rows) => tracing::debug!(rows, "forgot approvals that nobody has used"),
            // The next round tries again; nothing can be paid with them meanwhile.
            Err(error) => tracing::warn!(cause = %error, "could not forget approvals"),
        }
    }
    Ok(())
}
