//! Ctrl-C and SIGTERM: a flag that every wait looks at, so that the ordinary way out does the cleaning.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::stop::Stop;

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// How often waits look.
const STEP: Duration = Duration::from_millis(20);

pub(crate) fn listen() -> Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(asked)).context("cannot listen for signals")?;
    }
    Ok(())
}

/// Err once somebody asked us to stop.
pub(crate) fn check() -> Result<()> {
    if ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed)) {
        return Err(Stop::Interrupted.into());
    }
    Ok(())
}

/// Whoever asked us to stop has been heard: what cleans up after it waits as always, until they ask again.
pub(crate) fn heard() {
    if let Some(asked) = ASKED.get() {
        asked.store(false, Ordering::Relaxed);
    }
}

/// Asks until there is an answer; None after `limit`.
pub(crate) fn wait<T>(limit: Option<Duration>, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    // By the clock: asking takes time, too.
    let began = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        check()?;
        if limit.is_some_and(|limit| began.elapsed() >= limit) {
            return Ok(None);
        }
        std::thread::sleep(STEP);
    }
}
