//! End to end: the story of the demo and the attacks, over HTTP and the SDK only.
//!
//! Nothing here knows a service's internals. What an attack's layer was is read where an operator would read it: in the
//! audit log, under the request's id.

pub mod analyst;
pub mod attacks;
pub mod classifier;
pub mod console;
pub mod decoys;
pub mod edge;
mod elsewhere;
pub mod handset;
pub mod hooked;
pub mod journey;
pub mod load;
mod names;
pub mod narrator;
pub mod operator;
pub mod payouts;
pub mod phone;
mod pieces;
pub mod receipt;
pub mod report;
pub mod seed;
pub mod stack;
pub mod stuffing;
pub mod takeover;
pub mod telemetry;
pub mod trace;
mod waterfall;

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// How long money may take on its way: it goes by way of queues, on a machine that may have other things to do.
const PATIENCE: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "a story and a load measure real time")]
fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// A value as a person reads it: without JSON's quotes and braces.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::Object(all) => {
            all.iter().map(|(name, value)| format!("{name} {}", in_words(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// So many of something.
fn counted(number: impl std::fmt::Display, one: &str) -> String {
    let number = number.to_string();
    let end = if number == "1" { "" } else { "s" };
    format!("{number} {one}{end}")
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_told_without_the_signs_of_json() {
        let left = json!({"all": 9, "of": ["a", {"device": null}]});
        assert_eq!(in_words(&left), "all 9, of a, device null");
        assert_eq!((in_words(&json!("\"text\"")), in_words(&json!(1.5))), ("\"text\"".to_owned(), "1.5".to_owned()));
    }

    #[test]
    fn one_of_something_is_no_many() {
        let told = [0, 1, 2, 11].map(|number| counted(number, "span"));
        assert_eq!(told, ["0 spans", "1 span", "2 spans", "11 spans"]);
    }
}
