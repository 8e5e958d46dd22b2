//! The end of rows whose time is over.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Clock, Shutdown, sweep};
use storage::Pool;

use crate::store;

/// How often rows whose time is over are deleted.
const EVERY: Duration = Duration::from_mins(1);

/// Deletes what is not kept, until the process ends.
pub(crate) async fn always(pool: Pool, clock: Arc<dyn Clock>, shutdown: Shutdown) -> anyhow::Result<()> {
    let others = sweep(shutdown.clone(), EVERY, "what is over", || store::forget(&pool, clock.unix()));
    // By itself: neither waits for the other.
    let outbox = sweep(shutdown, EVERY, "what nobody has listened to", || store::forget_outbox(&pool, clock.unix()));
    tokio::try_join!(others, outbox).map(|_| ())
}
