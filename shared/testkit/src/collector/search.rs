//! Which of the traces that are kept somebody looks for.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Span;

/// Traces in one answer, if nobody says otherwise.
const MOST: usize = 100_000;

/// What is looked for; what is left out or empty, anything is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    /// The beginning of the trace's id.
    id: String,
    /// A process that has a span in it.
    service: String,
    /// Is in the name of one of its spans.
    name: String,
    /// Of one of its answers.
    status: String,
    /// The shortest, in milliseconds.
    at_least_ms: Option<u64>,
    /// Whether somebody outside has begun it: a listener for the public is in it.
    public: bool,
    /// How many, the newest first.
    limit: Option<usize>,
}

impl Search {
    pub(super) fn most(&self) -> usize {
        self.limit.unwrap_or(MOST)
    }

    pub(super) fn finds(&self, id: &str, spans: &[Span]) -> bool {
        let any = |wanted: &str, is: &dyn Fn(&Span) -> bool| wanted.is_empty() || spans.iter().any(is);
        id.starts_with(&self.id)
            && any(&self.service, &|span| span.service == self.service)
            && any(&self.name, &|span| span.name.contains(&self.name))
            && any(&self.status, &|span| status(span).is_some_and(|status| status == self.status))
            && self.at_least_ms.is_none_or(|least| length(spans) >= least.saturating_mul(1_000_000))
            && (!self.public || spans.iter().any(is_public))
    }
}

/// What a list of traces says of one.
pub(super) fn summary(id: &str, spans: &[Span]) -> Value {
    let first = spans.iter().min_by_key(|span| (span.start_ns, span.end_ns));
    let mut services: Vec<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let statuses: BTreeSet<String> = spans.iter().filter_map(status).collect();
    json!({
        "trace_id": id,
        "name": first.map(|span| span.name.as_str()),
        "start_ns": first.map(|span| span.start_ns),
        "length_ns": length(spans),
        "statuses": statuses,
        "error": spans.iter().any(|span| span.error),
        "spans": spans.len(),
        "services": services,
    })
}

/// What an operator asks, and a console that is open asks all the time: it would take the place of the others.
const OPERATORS: [&str; 4] = ["/health/", "/metrics", "/internal/v1/invariants", "/internal/v1/receipts/"];

/// The attributes of the server's span of a request, if it is one and no operator's.
pub(super) fn request(span: &Span) -> Option<(&str, &Map<String, Value>)> {
    let id = span.attributes.get("request_id")?.as_str()?;
    // Default: a span without a route is a request that no route has taken.
    let route = span.attributes.get("http.route").and_then(Value::as_str).unwrap_or_default();
    let is_one = span.kind == "server" && !OPERATORS.iter().any(|operators| route.starts_with(operators));
    is_one.then_some((id, &span.attributes))
}

fn is_public(span: &Span) -> bool {
    span.attributes.get("redoubt.listener").and_then(Value::as_str) == Some("public")
}

fn length(spans: &[Span]) -> u64 {
    let first = spans.iter().map(|span| span.start_ns).min();
    let last = spans.iter().map(|span| span.end_ns).max();
    first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first))
}

/// Exporters write it as a number or as text.
fn status(span: &Span) -> Option<String> {
    let status = span.attributes.get("http.response.status_code")?;
    Some(status.as_str().map_or_else(|| status.to_string(), str::to_owned))
}
