//! End to end: the story of the demo and the attacks, over HTTP and the SDK only.
//!
//! Nothing here knows a service's internals. What an attack's layer was is read where an operator would read it: in the
//! audit log, under the request's id.

pub mod analyst;
pub mod attacks;
pub mod browser;
pub mod classifier;
pub mod console;
pub mod decoys;
pub mod edge;
pub mod handset;
pub mod hooked;
pub mod journey;
pub mod load;
pub mod narrator;
pub mod operator;
pub mod phone;
pub mod receipt;
pub mod report;
pub mod seed;
pub mod stack;
pub mod stuffing;
pub mod trace;
mod waterfall;

use std::time::Duration;

use anyhow::{Context as _, Result};

#[expect(clippy::disallowed_methods, reason = "a story and a load measure real time")]
fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// A value as a person reads it: a text without its quotes, anything else as JSON.
fn in_words(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Asks again until there is an answer. By the clock: asking takes time, too. What is not there in time is named.
async fn until<T>(what: &str, patience: Duration, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = instant() + patience;
    loop {
        if let Some(answer) = ask().await.with_context(|| format!("waiting for {what}"))? {
            return Ok(answer);
        }
        anyhow::ensure!(instant() < deadline, "{what}: not there after {} s", patience.as_secs());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
