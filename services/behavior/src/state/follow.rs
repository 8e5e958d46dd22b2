//! The one fold: reads the log in its order and learns it, at the start from the beginning, and then whatever comes.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Check, Shutdown};
use storage::{Pool, StorageError};

use super::live::{Live, Progress, STALE};
use super::store;

/// How often the log is looked at without being told: another process of the service may have written.
const LOOK: Duration = Duration::from_secs(1);
/// Lines that are learned while nobody can be judged: some tens of microseconds.
const AT_ONCE: usize = 32;

/// Learns until the process goes down.
pub(crate) async fn follow(pool: Pool, live: Arc<Live>, shutdown: Shutdown) -> anyhow::Result<()> {
    while !shutdown.is_requested() {
        match read_on(&pool, &live).await {
            Ok(true) => continue,
            Ok(false) => live.caught_up(),
            // What is not read now is read at the next look; if that lasts, nobody is judged any more ([`Progress::is_current`]).
            Err(error) => tracing::warn!(cause = %error, "the log cannot be read"),
        }
        tokio::select! {
            () = live.bell.notified() => (),
            going_on = shutdown.pause(LOOK) => if !going_on { break },
        }
    }
    Ok(())
}

/// Learns one page. True if there may be more.
async fn read_on(pool: &Pool, live: &Live) -> Result<bool, StorageError> {
    let Progress { number, end, .. } = live.progress();
    if end.is_none() {
        live.ends_at(store::end(pool).await?);
    }
    let lines = store::after(pool, number).await?;
    let is_full = i64::try_from(lines.len()) == Ok(store::PAGE);
    for lines in lines.chunks(AT_ONCE) {
        live.learn(lines);
        tokio::task::yield_now().await;
    }
    Ok(is_full)
}

/// Whether the profiles are made of all that was there at the start.
pub(crate) fn check(live: &Arc<Live>) -> Check {
    let live = Arc::clone(live);
    Arc::new(move || {
        let told = told(live.progress());
        Box::pin(std::future::ready(told))
    })
}

fn told(progress: Progress) -> Result<(), String> {
    match progress {
        progress if progress.is_current() => Ok(()),
        Progress { caught_up: true, .. } => {
            Err(format!("what has happened could not be read for {} s; the log says why", STALE.as_secs()))
        }
        Progress { number, end: Some(end), .. } => {
            Err(format!("being made of what has happened, {number} of {end} lines so far"))
        }
        Progress { end: None, .. } => Err("what has happened cannot be read yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_says_how_far_the_profiles_are() {
        let now = tokio::time::Instant::now();
        let at = |number, end, caught_up, read| told(Progress { number, end, caught_up, read: Some(read) });
        let progress = |number, end, caught_up| at(number, end, caught_up, now);
        assert_eq!(progress(0, None, false).unwrap_err(), "what has happened cannot be read yet");
        let half = progress(1_000, Some(2_500), false).unwrap_err();
        assert_eq!(half, "being made of what has happened, 1000 of 2500 lines so far");
        assert_eq!(progress(2_400, Some(2_500), true), Ok(()), "numbers have gaps");
        let stale = at(2_400, Some(2_500), true, now - STALE).unwrap_err();
        assert_eq!(stale, "what has happened could not be read for 15 s; the log says why");
    }
}
