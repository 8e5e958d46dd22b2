//! The end of rows whose time is over.

use std::fmt::Display;
use std::time::Duration;

use crate::Shutdown;

/// So many rounds follow each other at once, while there is something to delete.
const ROUNDS: usize = 100;

/// Deletes what is not kept, in rounds, until the process goes down: one at each time, and at once again as long as there was something to delete, but not for ever. `delete` tells how many rows were gone; `what` says in the log what they are. A round
/// that fails is told there, and the next one tries again: what it deletes has to be refused by its time meanwhile.
pub async fn sweep<E: Display, F: Future<Output = Result<i64, E>>>(
    shutdown: Shutdown,
    every: Duration,
    what: &'static str,
    delete: impl Fn() -> F,
) -> anyhow::Result<()> {
    while shutdown.pause(every).await {
        let mut rounds = 0;
        while rounds < ROUNDS && !shutdown.is_requested() && round(what, &delete).await {
            rounds += 1;
        }
    }
    Ok(())
}

/// Whether there was something to delete.
async fn round<E: Display, F: Future<Output = Result<i64, E>>>(what: &'static str, delete: impl Fn() -> F) -> bool {
    match delete().await {
        Ok(0) => false,
        Ok(rows) => {
            tracing::debug!(what, rows, "forgot what is not kept");
            true
        }
        Err(error) => {
            tracing::warn!(what, cause = %error, "could not forget");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::time::Instant;

    use super::*;

    const EVERY: Duration = Duration::from_millis(200);

    /// So many rows are there; a round deletes five. How many rounds there were until there was nothing left, or one more than may follow each other; how many rows
    /// are left; and whether there was a pause before the last round.
    async fn rounds_of(rows: i64) -> (usize, i64, bool) {
        let (trigger, shutdown) = Shutdown::channel();
        let (left, begun) = (AtomicI64::new(rows), Mutex::new(Vec::new()));
        let delete = || async {
            begun.lock().unwrap().push(Instant::now());
            let gone = left.load(Ordering::SeqCst).min(5);
            left.fetch_sub(gone, Ordering::SeqCst);
            if gone == 0 || begun.lock().unwrap().len() > ROUNDS {
                trigger.request();
            }
            Ok::<i64, std::convert::Infallible>(gone)
        };
        sweep(shutdown, EVERY, "rows", delete).await.unwrap();
        let begun = begun.into_inner().unwrap();
        let paused = begun.len() > ROUNDS && begun[ROUNDS] - begun[0] >= EVERY;
        (begun.len(), left.load(Ordering::SeqCst), paused)
    }

    #[tokio::test]
    async fn what_is_left_is_deleted_at_once_but_not_for_ever() {
        assert_eq!(rounds_of(0).await, (1, 0, false));
        assert_eq!(rounds_of(12).await, (4, 0, false), "the last finds nothing");
        let deleted = 5 * i64::try_from(ROUNDS + 1).unwrap();
        assert_eq!(
            rounds_of(10_000).await,
            (ROUNDS + 1, 10_000 - deleted, true),
            "others have had their turn in between"
        );
    }
}
