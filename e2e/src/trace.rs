//! Traces as the collector has them, and when one is whole: it has a root, every span's parent, and each edge of the system that its story names.
//! Processes send their spans when they like, so that what has come so far proves nothing; what is whole does.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crypto::random;
use mobile_sdk::{CallRecord, Clock as _, SystemClock};
use serde::Deserialize;

use crate::stack::Stack;

/// How long the slowest process may take to send its spans: it does so each second, but the machine may have other things to do.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two questions to the collector.
const PAUSE: Duration = Duration::from_millis(100);

/// A finished span, as the collector gives it.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    /// `service.name`.
    pub service: String,
    /// What happened, e.g. `POST /v1/transfers`.
    pub name: String,
    /// `server`, `client`, `internal`, `producer` or `consumer`.
    #[serde(default)]
    pub kind: String,
    /// Hexadecimal.
    pub span_id: String,
    /// Hexadecimal; absent or empty at the root.
    #[serde(default)]
    pub parent: Option<String>,
    /// Nanoseconds since the epoch.
    pub start_ns: u64,
    /// Nanoseconds since the epoch.
    pub end_ns: u64,
    /// What is known about it.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

impl Span {
    /// The root of a trace that begins outside the system, where nobody sends spans: a call as the phone saw it.
    pub fn of_call(call: &CallRecord) -> Result<Self> {
        let result = call.error.clone().unwrap_or_else(|| "ok".to_owned());
        Ok(Self {
            service: "phone".to_owned(),
            name: call.name.to_owned(),
            kind: "client".to_owned(),
            span_id: call.span_id.clone(),
            parent: None,
            start_ns: u64::try_from(call.start)?,
            end_ns: u64::try_from(call.end)?,
            attributes: BTreeMap::from([("result".to_owned(), result.into())]),
        })
    }

    #[cfg(test)]
    pub(crate) fn of_a_test(id: &str, parent: Option<&str>, start_ns: u64) -> Self {
        Self {
            service: "s".to_owned(),
            name: id.to_owned(),
            kind: "internal".to_owned(),
            span_id: id.to_owned(),
            parent: parent.map(str::to_owned),
            start_ns,
            end_ns: start_ns + 1,
            attributes: BTreeMap::new(),
        }
    }

    fn is_root(&self) -> bool {
        self.parent.as_deref().is_none_or(str::is_empty)
    }
}

/// A way from one process to the next that a trace must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The first calls the second: a span of the second has one of the first as its parent.
    Calls(&'static str, &'static str),
    /// It asks PostgreSQL.
    AsksPostgres(&'static str),
    /// It calls the partner so often, or oftener; the partner's own spans are in no trace of ours.
    CallsPartner(&'static str, usize),
}

impl std::fmt::Display for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Calls(from, to) => write!(f, "{from} → {to}"),
            Self::AsksPostgres(from) => write!(f, "{from} → PostgreSQL"),
            Self::CallsPartner(from, times) => write!(f, "{from} → the partner, {times} ×"),
        }
    }
}

impl Edge {
    fn is_in(self, spans: &[Span], partner_port: u16) -> bool {
        match self {
            Self::Calls(from, to) => spans.iter().filter(|span| span.service == to).any(|span| {
                let parent = span.parent.as_deref();
                spans.iter().any(|other| other.service == from && parent == Some(other.span_id.as_str()))
            }),
            Self::AsksPostgres(from) => {
                spans.iter().any(|span| span.service == from && span.attributes.contains_key("db.system"))
            }
            Self::CallsPartner(from, times) => {
                // A number as some exporters write it, and as text, as others do.
                let calls = spans.iter().filter(|span| {
                    let port =
                        span.attributes.get("server.port").map(|port| port.to_string().trim_matches('"').to_owned());
                    span.service == from && span.kind == "client" && port == Some(partner_port.to_string())
                });
                calls.count() >= times
            }
        }
    }
}

/// A trace that must be there, and what must be in it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// W3C trace id.
    pub id: String,
    /// Its root, if that is outside the system.
    pub root: Option<Span>,
    /// All of them must be in it.
    pub edges: &'static [Edge],
}

/// A trace that begins with the operator, who has no telemetry of their own.
pub struct Begun {
    id: String,
    span_id: String,
    start: i64,
}

impl Begun {
    pub fn now() -> Self {
        let (id, span_id) = (hex::encode(random::bytes::<16>()), hex::encode(random::bytes::<8>()));
        Self { id, span_id, start: SystemClock.unix_nanos() }
    }

    /// The header, sampled (W3C Trace Context §3.2).
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.id, self.span_id)
    }

    /// It ends now: the call was `name`.
    pub fn end(self, name: &str, edges: &'static [Edge]) -> Result<Expected> {
        let root = Span {
            service: "operator".to_owned(),
            name: name.to_owned(),
            kind: "client".to_owned(),
            span_id: self.span_id,
            parent: None,
            start_ns: u64::try_from(self.start)?,
            end_ns: u64::try_from(SystemClock.unix_nanos())?,
            attributes: BTreeMap::new(),
        };
        Ok(Expected { id: self.id, root: Some(root), edges })
    }
}

/// A trace that is whole.
#[derive(Debug, Clone)]
pub struct Trace {
    /// W3C trace id.
    pub id: String,
    /// Its spans, in any order.
    pub spans: Vec<Span>,
}

impl Trace {
    /// The processes that have a span in it.
    pub fn processes(&self) -> HashSet<&str> {
        self.spans.iter().map(|span| span.service.as_str()).collect()
    }
}

impl Expected {
    /// What is not there yet.
    fn missing(&self, spans: &[Span], partner_port: u16) -> Vec<String> {
        let mut missing = Vec::new();
        match spans.iter().filter(|span| span.is_root()).count() {
            0 => missing.push("its root".to_owned()),
            1 => (),
            roots => missing.push(format!("one root ({roots} have no parent)")),
        }
        let lacks = |edge: &&Edge| !edge.is_in(spans, partner_port);
        missing.extend(self.edges.iter().filter(lacks).map(Edge::to_string));
        let known: HashSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
        for span in spans.iter().filter(|span| !span.is_root()) {
            let parent = span.parent.as_deref().unwrap_or_default();
            if !known.contains(parent) {
                missing.push(format!("the parent of `{}` of {}", span.name, span.service));
            }
        }
        missing
    }
}

/// The collector of one system.
pub struct Collector {
    http: reqwest::Client,
    url: String,
    partner_port: u16,
}

#[derive(Deserialize)]
struct Summary {
    trace_id: String,
    name: Option<String>,
    start_ns: Option<u64>,
}

impl Collector {
    pub fn of(stack: &Stack) -> Result<Self> {
        let http = testkit::server::client(&testkit::pki::Pki::create(&stack.pki)?.public_ca(), None)?;
        Ok(Self { http, url: stack.collector_url.clone(), partner_port: stack.partner_port })
    }

    /// The traces that are expected, each whole, in their order. By the clock: what is not there in time is named.
    pub async fn whole(&self, expected: &[(&str, &Expected)]) -> Result<Vec<Trace>> {
        let deadline = crate::instant() + PATIENCE;
        let (mut traces, mut lacking) = (Vec::new(), Vec::new());
        for (title, expected) in expected {
            loop {
                let (trace, missing) = self.ask(expected).await?;
                if missing.is_empty() {
                    traces.push(trace);
                    break;
                }
                if crate::instant() >= deadline {
                    lacking.push(format!("that of “{title}” ({}) lacks {}", expected.id, missing.join(", ")));
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        ensure!(lacking.is_empty(), "traces are not whole after {} s: {}", PATIENCE.as_secs(), lacking.join("; "));
        Ok(traces)
    }

    /// The first trace since then that begins with a span of this name: one that nobody outside could begin.
    pub async fn begun(&self, name: &str, since_ns: u64) -> Result<String> {
        crate::until(&format!("a trace that begins with `{name}`"), PATIENCE, async || {
            let all: Vec<Summary> = self.get("traces").await?;
            let since = |summary: &&Summary| {
                summary.name.as_deref() == Some(name) && summary.start_ns.is_some_and(|start| start >= since_ns)
            };
            Ok(all.iter().filter(since).min_by_key(|summary| summary.start_ns).map(|found| found.trace_id.clone()))
        })
        .await
    }

    async fn ask(&self, expected: &Expected) -> Result<(Trace, Vec<String>)> {
        let mut spans: Vec<Span> = self.get(&format!("traces/{}", expected.id)).await?;
        spans.extend(expected.root.clone());
        let missing = expected.missing(&spans, self.partner_port);
        Ok((Trace { id: expected.id.clone(), spans }, missing))
    }

    /// What it answers to a question.
    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        let url = format!("{}/{path}", self.url);
        let answer = self.http.get(&url).send().await.and_then(reqwest::Response::error_for_status);
        answer.context("the collector")?.json().await.with_context(|| format!("what is at {url}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(service: &str, id: &str, parent: Option<&str>, attributes: &[(&str, u64)]) -> Span {
        Span {
            service: service.to_owned(),
            name: format!("name of {id}"),
            kind: "client".to_owned(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
            ..Span::of_a_test(id, parent, 1)
        }
    }

    const EDGES: &[Edge] = &[
        Edge::Calls("phone", "ledger"),
        Edge::AsksPostgres("ledger"),
        Edge::Calls("ledger", "broker"),
        Edge::CallsPartner("broker", 1),
    ];

    /// phone → ledger → (PostgreSQL, call → broker → call to the partner).
    fn whole() -> Vec<Span> {
        vec![
            span("phone", "1", None, &[]),
            span("ledger", "2", Some("1"), &[]),
            span("ledger", "3", Some("2"), &[("db.system", 1)]),
            span("ledger", "4", Some("2"), &[("server.port", 7104)]),
            span("broker", "5", Some("4"), &[]),
            span("broker", "6", Some("5"), &[("server.port", 7010)]),
        ]
    }

    fn missing(spans: &[Span]) -> String {
        Expected { id: "t".to_owned(), root: None, edges: EDGES }.missing(spans, 7010).join("; ")
    }

    #[test]
    fn a_trace_is_whole_with_every_one_of_its_spans_and_without_any_of_them_it_says_what_is_missing() {
        assert_eq!(missing(&whole()), "");
        let without = [
            "its root",
            "phone → ledger",
            "ledger → PostgreSQL",
            "ledger → broker",
            "ledger → broker",
            "broker → the partner, 1 ×",
        ];
        for (at, named) in without.into_iter().enumerate() {
            let mut spans = whole();
            spans.remove(at);
            assert!(missing(&spans).contains(named), "without {at}: {}", missing(&spans));
        }
        assert_eq!(
            missing(&[]),
            "its root; phone → ledger; ledger → PostgreSQL; ledger → broker; broker → the partner, 1 ×"
        );
    }

    #[test]
    fn a_span_whose_parent_has_not_come_is_an_orphan_also_where_every_edge_is_there() {
        let mut spans = whole();
        spans.push(span("ledger", "8", Some("7"), &[]));
        assert_eq!(missing(&spans), "the parent of `name of 8` of ledger");
        spans.push(span("ledger", "7", Some("2"), &[]));
        assert_eq!(missing(&spans), "");
    }

    #[test]
    fn a_call_to_somebody_else_is_none_to_the_partner_and_a_second_root_is_none() {
        let mut spans = whole();
        spans[5] = span("broker", "6", Some("5"), &[("server.port", 7011)]);
        assert_eq!(missing(&spans), "broker → the partner, 1 ×");
        spans[5].attributes.insert("server.port".to_owned(), "7010".into());
        assert_eq!(missing(&spans), "");
        let twice = Expected { id: "t".to_owned(), root: None, edges: &[Edge::CallsPartner("broker", 2)] };
        assert_eq!(twice.missing(&spans, 7010), ["broker → the partner, 2 ×"]);
        spans.push(span("broker", "7", Some("5"), &[("server.port", 7010)]));
        assert!(twice.missing(&spans, 7010).is_empty());
        let mut spans = whole();
        spans.push(span("ledger", "9", Some(""), &[]));
        assert_eq!(missing(&spans), "one root (2 have no parent)");
    }
}
