//! The pages. What clients, partners and attackers sent stands in them as text: the templates escape it.

use std::cmp::Reverse;

use anyhow::Result;
use askama::Template;
use mobile_sdk::{Clock as _, SystemClock};
use serde_json::Value;
use testkit::browser::Person;
use testkit::pages::Page;

use super::ask::{Attributes, Health};
use super::form::{Field, Form, Live, Part, Shape};
use super::logs::{self, Logs, Refusal, Wanted};
use super::show::{self, Found, Law, Row};
use super::{AGAIN, Console, LAST, LISTED, edge};
use crate::receipt::Receipt;
use crate::trace::Span;
use crate::waterfall::{Bar, bars};
use crate::{operator, seed};

/// Of every page: the report's, and what only the console has.
pub(super) const STYLE: &str =
    concat!(include_str!("../../templates/report.css"), include_str!("../../templates/console/console.css"));
/// Spans of one trace that are shown.
const SHOWN: usize = 500;
/// The field that shows routine refusals, too.
const ROUTINE: &str = "nonces";

/// What stands around a page.
struct Frame {
    title: &'static str,
    /// The page of the navigation that it belongs to.
    here: &'static str,
    live: Live,
    /// Where it is held still, or goes on.
    turned: String,
    /// What was asked of it that is none of its fields.
    complaints: Vec<String>,
}

impl Frame {
    fn of(title: &'static str, here: &'static str, form: &Form) -> Self {
        Self { title, here, live: form.live(), turned: form.turned(), complaints: form.complaints() }
    }

    /// Of a page of which nothing is asked.
    fn plain(title: &'static str) -> Self {
        Self { title, here: "", live: Live::Never, turned: String::new(), complaints: Vec::new() }
    }
}

/// Refusals in a list, and what is said of those that are not.
struct Denials {
    list: Vec<Refusal>,
    /// How many routine ones are left out.
    routine: usize,
    /// Where those are shown, too.
    with_routine: String,
    /// Whether some were chosen.
    narrowed: bool,
    /// Who has refused.
    layers: String,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    frame: Frame,
    postgres: String,
    health: Vec<Health>,
    books: Result<Books, String>,
    users: Vec<Person>,
    /// Where the analysts' desk is.
    desk: Option<String>,
    rows: Vec<Row>,
    denials: Denials,
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
    part: Part,
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
    form: Form,
    part: Part,
    denials: Denials,
    faults: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/traces.html")]
struct Traces {
    frame: Frame,
    form: Form,
    part: Part,
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

/// As it is sent: with what does not fit it is no answer to what was asked.
fn page(form: &Form, html: String) -> Page {
    let again = (form.live() == Live::On).then_some(AGAIN);
    Page { status: if form.is_wrong() { 400 } else { 200 }, html, again }
}

/// That it is not there.
pub(super) fn absent(words: &str) -> Result<Page> {
    let html = Absent { frame: Frame::plain("Not found"), words }.render()?;
    Ok(Page { status: 404, html, again: None })
}

/// A page that could not be made.
pub(super) fn fault(error: &anyhow::Error) -> String {
    let words = format!("This page could not be made: {error:#}");
    let page = Absent { frame: Frame::plain("A fault"), words: &words }.render();
    // Default: whoever cannot make that page either says it without one, escaped as askama would.
    page.unwrap_or_else(|_| words.replace(['<', '&'], " "))
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

    /// Requests with what their spans know of them, the logs' other words, and what could not be read.
    async fn told(&self) -> Result<(Vec<Row>, Logs)> {
        let reading = logs::read(&self.stack.logs, self.loggers(), Wanted::default());
        let (logs, spans) = tokio::join!(reading, self.spans_of_requests());
        let mut logs = logs?;
        let spans = spans.unwrap_or_else(|cause| {
            logs.faults.push(format!("the collector of spans, of clients and layers: {cause}"));
            Attributes::new()
        });
        Ok((show::rows(std::mem::take(&mut logs.requests), &spans), logs))
    }

    pub(super) async fn overview(&self, form: &Form) -> Result<Page> {
        let (health, books, told) = tokio::join!(self.health(), self.invariants(), self.told());
        let (mut rows, mut logs) = told?;
        rows.truncate(LAST);
        logs.refusals.truncate(LAST);
        let asked = show::of_nanos(u64::try_from(SystemClock.unix_nanos())?);
        let users = if self.seeded { ["alice", "bob"].map(seed::known).into() } else { Vec::new() };
        let html = Overview {
            frame: Frame::of("Overview", "/", form),
            postgres: self.stack.postgres.clone(),
            health,
            books: books.map(|counted| Books { laws: show::laws(&counted), counted, asked }),
            users,
            desk: self.desk.clone(),
            rows,
            faults: std::mem::take(&mut logs.faults),
            denials: denials(logs, format!("/refusals?{ROUTINE}=on"), false),
        };
        Ok(page(form, html.render()?))
    }

    pub(super) async fn requests(&self, mut form: Form) -> Result<Page> {
        let (mut rows, Logs { faults, .. }) = self.told().await?;
        let part = form.part(&mut rows);
        let frame = Frame::of("Requests", "/requests", &form);
        Ok(page(&form, Requests { frame, part, rows, faults }.render()?))
    }

    pub(super) fn refusal_fields(&self) -> Vec<Field> {
        vec![
            Field::one_of("service", "Service", self.loggers()),
            Field::words("layer", "Layer that has refused"),
            Field::words("reason", "Reason contains"),
            Field::check(ROUTINE, "also routine nonce round trips"),
            Field::live(),
            Field::page(),
        ]
    }

    pub(super) async fn refusals(&self, mut form: Form) -> Result<Page> {
        let value = |name: &str| form.value(name).to_owned();
        let routine = form.value(ROUTINE) == "on";
        let wanted = Wanted { service: value("service"), layer: value("layer"), reason: value("reason"), routine };
        let mut logs = logs::read(&self.stack.logs, self.loggers(), wanted).await?;
        form.offer("layer", logs.layers.clone());
        let part = form.part(&mut logs.refusals);
        if form.is_wrong() {
            logs.routine = 0;
        }
        let frame = Frame::of("Refusals", "/refusals", &form);
        let faults = std::mem::take(&mut logs.faults);
        let denials = denials(logs, form.first_page(&[(ROUTINE, "on")]), form.narrows());
        let html = Denied { frame, form, part, denials, faults };
        Ok(page(&html.form, html.render()?))
    }

    pub(super) async fn request(&self, form: &Form, id: &str) -> Result<Page> {
        let (lines, faults) = logs::about(&self.stack.logs, self.loggers(), id).await?;
        let Some(service) = lines.iter().find_map(|line| operator::text(line, "service")) else {
            let words = format!("No request {id} stands in the ends of the logs. {}", faults.join(" "));
            return absent(&words);
        };
        let receipt = self.receipt(service, id).await;
        let html = OneRequest {
            frame: Frame::of("A request", "/requests", form),
            id: id.to_owned(),
            answered: lines.iter().find_map(|line| operator::request(service, line)),
            trace_id: lines.iter().find_map(|line| operator::text(line, "trace_id")).map(str::to_owned),
            lines: lines.iter().map(line).collect(),
            receipt,
            faults,
        };
        Ok(page(form, html.render()?))
    }

    pub(super) fn trace_fields(&self) -> Vec<Field> {
        let text = |name, label, takes, fits: fn(&str) -> bool| Field::new(name, label, Shape::Text, takes, fits);
        vec![
            Field::one_of("service", "Service", self.services().into_iter().chain(["partner".to_owned()]).collect()),
            Field::words("name", "Name contains"),
            text("id", "Trace id begins with", "up to 32 hexadecimal digits, such as 6d0bb227", is_trace),
            text("status", "Status", "three digits from 100 to 599, such as 404", is_status),
            text("at_least_ms", "Took at least (ms)", "a whole number of at most 9 digits, such as 250", is_millis),
            Field::check("all", "include work in the background"),
            Field::page(),
        ]
    }

    pub(super) async fn traces(&self, mut form: Form) -> Result<Page> {
        let mut found = if form.is_wrong() { Ok(Vec::new()) } else { self.found(&form).await };
        let part = match &mut found {
            Ok(found) => form.part(found),
            Err(_) => Part::default(),
        };
        let frame = Frame::of("Traces", "/traces", &form);
        let html = Traces { frame, form, part, found };
        Ok(page(&html.form, html.render()?))
    }

    /// The traces that a form looks for, the newest first.
    async fn found(&self, form: &Form) -> Result<Vec<Found>, String> {
        let limit = LISTED.to_string();
        let public = if form.value("all") == "on" { "false" } else { "true" };
        let id = form.value("id").to_ascii_lowercase();
        let mut search = vec![("limit", limit.as_str()), ("public", public)];
        let others = ["service", "name", "status", "at_least_ms"].map(|name| (name, form.value(name)));
        search.extend([("id", id.as_str())].into_iter().chain(others).filter(|(_, value)| !value.is_empty()));
        let mut found = self.search(&search).await?;
        // They come in the order in which their first spans were sent.
        found.sort_by_key(|summary| Reverse(summary.start_ns));
        Ok(found.into_iter().map(Found::from).collect())
    }

    pub(super) async fn trace(&self, form: &Form, id: &str) -> Result<Page> {
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
        let frame = Frame::of("A trace", "/traces", form);
        Ok(page(form, OneTrace { frame, id, bars, more, requests, fault }.render()?))
    }
}

/// The beginning of a trace's id.
fn is_trace(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_status(text: &str) -> bool {
    text.len() == 3 && text.parse::<u16>().is_ok_and(|status| (100..600).contains(&status))
}

fn is_millis(text: &str) -> bool {
    text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn denials(logs: Logs, with_routine: String, narrowed: bool) -> Denials {
    let layers = logs.layers.into_iter().collect::<Vec<_>>().join(", ");
    Denials { list: logs.refusals, routine: logs.routine, with_routine, narrowed, layers }
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
