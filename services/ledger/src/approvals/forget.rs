//! The end of approvals that nobody has used.

use std::time::Duration;

use runtime::{Shutdown, sweep};
use storage::Pool;

use super::store;

/// How often they are looked for.
const EVERY: Duration = Duration::from_mins(10);

/// Deletes what is not kept, until the process ends.
pub(crate) async fn always(pool: Pool, shutdown: Shutdown) -> anyhow::Result<()> {
    sweep(shutdown, EVERY, "approvals that nobody has used", || {
        storage::transaction(&pool, "approvals.forget", async |db| store::forget(db).await)
    })
    .await
}
