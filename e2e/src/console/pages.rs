//! The pages. What clients, partners and attackers sent stands in them as text: the templates escape it.

use std::cmp::Reverse;

use anyhow::Result;
use askama::Template;
use mobile_sdk::{Clock as _, SystemClock};
use serde_json::Value;

use super::ask::{Attributes, Health};
use super::logs::{self, Logs, Refusal};
use super::show::{self, Found, Law, Row};
use super::{Console, LAST, LISTED, Query, edge};
use crate::browser::Person;
use crate::receipt::Receipt;
use crate::trace::Span;
use crate::waterfall::{Bar, bars};
use crate::{operator, seed};

/// Of every page: the report's, and what only the console has.
pub(super) const STYLE: &str =
    concat!(include_str!("../../templates/report.css"), include_str!("../../templates/console/console.css"));
/// Spans of one trace that are shown.
const SHOWN: usize = 500;

/// Whether a page is asked for again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    /// It stays as it is.
    Never,
    On,
    /// The reader has switched it off.
    Off,
}

/// What stands around a page.
struct Frame {
    title: &'static str,
    /// The page of the navigation that it belongs to.
    here: &'static str,
    live: Live,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    frame: Frame,
    postgres: String,
    health: Vec<Health>,
    books: Result<Books, String>,
    users: Vec<Person>,
    rows: Vec<Row>,
    refusals: Vec<Refusal>,
    faults: Vec<String>,
}

struct Books {
    laws: Vec<Law>,
    counted: api::internal::Invariants,
    asked: String,
}

#[derive(Template)]
#[template(path = "console/requests.html")]
struct Requests {
    frame: Frame,
    rows: Vec<Row>,
    faults: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/request.html")]
struct OneRequest {
    frame: Frame,
    id: String,
    /// None of what is refused before it is answered.
    answered: Option<operator::Request>,
    trace_id: Option<String>,
    lines: Vec<Line>,
    receipt: Result<Option<Receipt>, String>,
    faults: Vec<String>,
}

/// A line of a log.
struct Line {
    time: String,
    what: String,
    fields: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/refusals.html")]
struct Denied {
    frame: Frame,
    refusals: Vec<Refusal>,
    faults: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/traces.html")]
struct Traces<'a> {
    frame: Frame,
    asked: Vec<(&'static str, &'static str, &'a str)>,
    services: Vec<String>,
    service: &'a str,
    all: bool,
    found: Result<Vec<Found>, String>,
}

#[derive(Template)]
#[template(path = "console/trace.html")]
struct OneTrace<'a> {
    frame: Frame,
    id: &'a str,
    bars: Vec<Bar<'a>>,
    more: usize,
    requests: Vec<String>,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "console/absent.html")]
struct Absent<'a> {
    frame: Frame,
    words: &'a str,
}

/// That it is not there.
pub(super) fn absent(words: &str) -> Result<(u16, String)> {
    let frame = Frame { title: "Not found", here: "", live: Live::Never };
    Ok((404, Absent { frame, words }.render()?))
}

/// A page that could not be made.
pub(super) fn fault(error: &anyhow::Error) -> String {
    let frame = Frame { title: "A fault", here: "", live: Live::Never };
    let words = format!("This page could not be made: {error:#}");
    // Default: whoever cannot make that page either says it without one, escaped as askama would.
    Absent { frame, words: &words }.render().unwrap_or_else(|_| words.replace(['<', '&'], " "))
}

impl Console {
    fn services(&self) -> Vec<String> {
        self.stack.services.iter().map(|service| service.name.clone()).collect()
    }

    /// Who keeps logs: the services, and the edge before them.
    fn loggers(&self) -> Vec<String> {
        let edge = self.stack.edge.then(|| edge::NAME.to_owned());
        self.services().into_iter().chain(edge).collect()
    }

    /// Requests with what their spans know of them, refusals, and what could not be read.
    async fn told(&self) -> Result<(Vec<Row>, Vec<Refusal>, Vec<String>)> {
        let (logs, spans) = tokio::join!(logs::read(&self.stack.logs, self.loggers()), self.spans_of_requests());
        let Logs { requests, refusals, mut faults } = logs?;
        let spans = spans.unwrap_or_else(|cause| {
            faults.push(format!("the collector of spans, of clients and layers: {cause}"));
            Attributes::new()
        });
        Ok((show::rows(requests, &spans), refusals, faults))
    }

    pub(super) async fn overview(&self, live: Live) -> Result<(u16, String)> {
        let (health, books, told) = tokio::join!(self.health(), self.invariants(), self.told());
        let (mut rows, mut refusals, faults) = told?;
        rows.truncate(LAST);
        refusals.truncate(LAST);
        let asked = show::of_nanos(u64::try_from(SystemClock.unix_nanos())?);
        let users = if self.seeded { ["alice", "bob"].map(seed::known).into() } else { Vec::new() };
        let page = Overview {
            frame: Frame { title: "Overview", here: "/", live },
            postgres: self.stack.postgres.clone(),
            health,
            books: books.map(|counted| Books { laws: show::laws(&counted), counted, asked }),
            users,
            rows,
            refusals,
            faults,
        };
        Ok((200, page.render()?))
    }

    pub(super) async fn requests(&self, live: Live) -> Result<(u16, String)> {
        let (rows, _, faults) = self.told().await?;
        let frame = Frame { title: "Requests", here: "/requests", live };
        Ok((200, Requests { frame, rows, faults }.render()?))
    }

    pub(super) async fn refusals(&self, live: Live) -> Result<(u16, String)> {
        let Logs { refusals, faults, .. } = logs::read(&self.stack.logs, self.loggers()).await?;
        let frame = Frame { title: "Refusals", here: "/refusals", live };
        Ok((200, Denied { frame, refusals, faults }.render()?))
    }

    pub(super) async fn request(&self, id: &str) -> Result<(u16, String)> {
        let (lines, faults) = logs::about(&self.stack.logs, self.loggers(), id).await?;
        let Some(service) = lines.iter().find_map(|line| operator::text(line, "service")) else {
            let words = format!("No request {id} stands in the ends of the logs. {}", faults.join(" "));
            return absent(&words);
        };
        let receipt = self.receipt(service, id).await;
        let page = OneRequest {
            frame: Frame { title: "A request", here: "/requests", live: Live::Never },
            id: id.to_owned(),
            answered: lines.iter().find_map(|line| operator::request(service, line)),
            trace_id: lines.iter().find_map(|line| operator::text(line, "trace_id")).map(str::to_owned),
            lines: lines.iter().map(line).collect(),
            receipt,
            faults,
        };
        Ok((200, page.render()?))
    }

    pub(super) async fn traces(&self, query: &Query) -> Result<(u16, String)> {
        let all = query.get("all") == "on";
        let (service, least) = (query.get("service"), query.get("at_least_ms"));
        let found = if least.is_empty() || least.parse::<u64>().is_ok() {
            let limit = LISTED.to_string();
            let mut search = vec![("limit", limit.as_str()), ("public", if all { "false" } else { "true" })];
            for name in ["id", "service", "name", "status", "at_least_ms"] {
                search.extend(Some((name, query.get(name))).filter(|(_, value)| !value.is_empty()));
            }
            let found = self.search(&search).await;
            // They come in the order in which their first spans were sent.
            found.map(|mut found| {
                found.sort_by_key(|summary| Reverse(summary.start_ns));
                found.into_iter().map(Found::from).collect()
            })
        } else {
            Err("that is no number of milliseconds".to_owned())
        };
        let field = |name, label| (name, label, query.get(name));
        let asked = vec![
            field("name", "Name contains"),
            field("id", "Trace id"),
            field("status", "Status"),
            field("at_least_ms", "At least … ms"),
        ];
        let frame = Frame { title: "Traces", here: "/traces", live: Live::Never };
        let services = self.services().into_iter().chain(["partner".to_owned()]).collect();
        Ok((200, Traces { frame, asked, services, service, all, found }.render()?))
    }

    pub(super) async fn trace(&self, id: &str) -> Result<(u16, String)> {
        let (spans, fault) = match self.spans(id).await {
            Ok(spans) if spans.is_empty() => return absent("The collector has no span of that trace (any more)."),
            Ok(spans) => (spans, None),
            Err(cause) => (Vec::new(), Some(cause)),
        };
        let request = |span: &Span| Some(span.attributes.get("request_id")?.as_str()?.to_owned());
        let mut bars = bars(&spans);
        let more = bars.len().saturating_sub(SHOWN);
        bars.truncate(SHOWN);
        let requests = spans.iter().filter_map(request).collect();
        let frame = Frame { title: "A trace", here: "/traces", live: Live::Never };
        Ok((200, OneTrace { frame, id, bars, more, requests, fault }.render()?))
    }
}

fn line(line: &Value) -> Line {
    let fields = line.as_object().into_iter().flatten();
    let told =
        fields.filter(|(name, _)| !["timestamp", "level", "target", "message", "request_id"].contains(&name.as_str()));
    // Default: a line that does not say it.
    let word = |name: &str| operator::text(line, name).unwrap_or_default();
    Line {
        time: show::of_day(word("timestamp")),
        what: operator::text(line, "event").unwrap_or_else(|| word("message")).to_owned(), // Default: no event has a message.
        fields: told.map(|(name, value)| (name.clone(), crate::in_words(value))).collect(),
    }
}
