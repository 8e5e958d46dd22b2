//! The end of rows whose time is over.

use std::fmt::Display;
use std::time::Duration;

use crate::Shutdown;

/// Deletes what is not kept, in rounds, until the process goes down. `delete` tells how many rows were gone; `what` says in the log what they are. A round
/// that fails is told there, and the next one tries again: what it deletes has to be refused by its time meanwhile.
pub async fn sweep<E: Display, F: Future<Output = Result<i64, E>>>(
    shutdown: Shutdown,
    every: Duration,
    what: &'static str,
    delete: impl Fn() -> F,
) -> anyhow::Result<()> {
    while shutdown.pause(every).await {
        match delete().await {
            Ok(0) => (),
            Ok(rows) => tracing::debug!(what, rows, "forgot what is not kept"),
            Err(error) => tracing::warn!(what, cause = %error, "could not forget"),
        }
    }
    Ok(())
}
