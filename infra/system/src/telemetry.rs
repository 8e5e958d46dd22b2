//! `infra/watching/schema.toml` as Rust: every metric, span and attribute that the system tells of itself, each with what it means. A run is held against it
//! (`e2e::telemetry`), and so are the names in rules and dashboards (`cargo xtask check`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use toml::{Table, Value};

use crate::{Section, SystemError};

const TEXT: &str = include_str!("../../watching/schema.toml");

/// All that is told.
#[derive(Debug)]
pub struct Telemetry {
    /// By their names in OpenTelemetry.
    pub metrics: BTreeMap<String, Metric>,
    /// By their names.
    pub spans: Vec<Span>,
    /// What has values that belong to it: of a metric, a span, or what is logged in one.
    pub attributes: BTreeMap<String, Attribute>,
    /// Attributes of what is logged in a span.
    pub of_events: BTreeSet<String>,
}

/// What is measured.
#[derive(Debug)]
pub struct Metric {
    pub kind: Kind,
    /// In UCUM, as OpenTelemetry writes units: `s`, or what is counted in braces; empty: none.
    pub unit: String,
    /// Its attributes, each in every series of it.
    pub attributes: BTreeSet<String>,
    /// Their values, of those that have no others here.
    pub values: BTreeMap<String, BTreeSet<String>>,
    /// Why no run of the demonstration shows it.
    pub unseen: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A piece of work.
#[derive(Debug)]
pub struct Span {
    /// `{…}` stands for what is no space: `{method} {route}`.
    pub name: String,
    /// `server`, `client`, `internal`, `producer` or `consumer`.
    pub kind: String,
    /// The attributes that it may have.
    pub attributes: BTreeSet<String>,
    /// Why no run of the demonstration shows it.
    pub unseen: Option<String>,
}

#[derive(Debug)]
pub struct Attribute {
    /// All values that there are; none: any.
    pub values: BTreeSet<String>,
    /// Why no run of the demonstration shows it.
    pub unseen: Option<String>,
}

/// The telemetry of this system.
///
/// # Errors
///
/// [`SystemError`], of which a test is the first to hear.
pub fn telemetry() -> Result<&'static Telemetry, SystemError> {
    static TELEMETRY: OnceLock<Result<Telemetry, SystemError>> = OnceLock::new();
    TELEMETRY.get_or_init(|| Telemetry::read(TEXT)).as_ref().map_err(Clone::clone)
}

impl Telemetry {
    fn read(text: &str) -> Result<Self, SystemError> {
        let file: Table = text.parse().map_err(|error: toml::de::Error| SystemError::Syntax(error.to_string()))?;
        let file = Section::of("", &file, &["attributes", "metrics", "spans", "events"])?;
        let attributes = entries(&file.section("attributes")?, &["means", "values", "unseen"], |entry| {
            let values = if entry.has(&["values"]) { set(entry, "values")? } else { BTreeSet::new() };
            Ok(Attribute { values, unseen: unseen(entry)? })
        })?;
        let metrics = entries(
            &file.section("metrics")?,
            &["kind", "unit", "means", "attributes", "values", "unseen"],
            Metric::read,
        )?;
        let spans = entries(&file.section("spans")?, &["kind", "means", "attributes", "unseen"], |entry| {
            Ok(Span {
                name: String::new(),
                kind: text_of(entry, "kind")?.to_owned(),
                attributes: set(entry, "attributes")?,
                unseen: unseen(entry)?,
            })
        })?;
        let spans = spans.into_iter().map(|(name, span)| Span { name, ..span }).collect();
        let of_events = set(&file.table("events", &["means", "attributes"])?, "attributes")?;
        let schema = Self { metrics, spans, attributes, of_events };
        schema.is_whole()?;
        Ok(schema)
    }

    /// Each attribute that is named is there, and each that is there is named.
    fn is_whole(&self) -> Result<(), SystemError> {
        let of_metrics = self.metrics.values().flat_map(|metric| &metric.attributes);
        let of_spans = self.spans.iter().flat_map(|span| &span.attributes);
        let named: BTreeSet<&String> = of_metrics.chain(of_spans).chain(&self.of_events).collect();
        let known: BTreeSet<&String> = self.attributes.keys().collect();
        if let Some(name) = named.difference(&known).next() {
            return Err(SystemError::Entry(format!("attributes.{name}"), "there"));
        }
        match known.difference(&named).next() {
            Some(name) => Err(SystemError::Entry(format!("attributes.{name}"), "an attribute of anything")),
            None => Ok(()),
        }
    }

    /// The span of that name and kind.
    pub fn span(&self, name: &str, kind: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.kind == kind && matches(&span.name, name))
    }

    /// What Prometheus has, each under the metric that it is of.
    pub fn series(&self) -> BTreeMap<String, &str> {
        let series = self
            .metrics
            .iter()
            .flat_map(|(name, metric)| metric.series(name).into_iter().map(move |series| (series, name.as_str())));
        series.collect()
    }
}

impl Metric {
    fn read(entry: &Section<'_>) -> Result<Self, SystemError> {
        let kind = match text_of(entry, "kind")? {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            _ => return Err(SystemError::Entry(entry.place("kind"), "counter, gauge or histogram")),
        };
        let unit = text_of(entry, "unit")?;
        if !(unit.is_empty() || unit == "s" || unit.starts_with('{') && unit.ends_with('}')) {
            // Prometheus would name it by a rule that nobody has written down here.
            return Err(SystemError::Entry(entry.place("unit"), "`s`, something in braces, or empty"));
        }
        let attributes = set(entry, "attributes")?;
        let mut values = BTreeMap::new();
        if entry.has(&["values"]) {
            let known: Vec<&str> = attributes.iter().map(String::as_str).collect();
            let section = entry.table("values", &known)?;
            for (name, _) in section.entries() {
                values.insert(name.clone(), set(&section, name)?);
            }
        }
        Ok(Self { kind, unit: unit.to_owned(), attributes, values, unseen: unseen(entry)? })
    }

    /// Its names in Prometheus: `_` for whatever is no letter or digit, the unit, and what the kind adds.
    pub fn series(&self, name: &str) -> Vec<String> {
        let mut base: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if self.unit == "s" {
            base.push_str("_seconds");
        }
        match self.kind {
            Kind::Counter => vec![base + "_total"],
            Kind::Gauge => vec![base],
            Kind::Histogram => ["_bucket", "_sum", "_count"].map(|end| format!("{base}{end}")).into(),
        }
    }
}

/// Each `{…}` of the pattern is one character or more, and no space.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((literal, rest)) = pattern.split_once('{') else { return pattern == name };
    let (Some((_, rest)), Some(name)) = (rest.split_once('}'), name.strip_prefix(literal)) else { return false };
    let ends = name.char_indices().map(|(at, c)| (at + c.len_utf8(), c)).take_while(|(_, c)| *c != ' ');
    ends.map(|(end, _)| end).any(|end| matches(rest, name.get(end..).unwrap_or_default())) // Default: `end` is a boundary.
}

/// Each entry of a section, with its meaning, which has to be there.
fn entries<T>(
    section: &Section<'_>,
    known: &[&str],
    read: impl Fn(&Section<'_>) -> Result<T, SystemError>,
) -> Result<BTreeMap<String, T>, SystemError> {
    let mut all = BTreeMap::new();
    for (name, _) in section.entries() {
        let entry = section.table(name, known)?;
        if text_of(&entry, "means")?.is_empty() {
            return Err(SystemError::Entry(entry.place("means"), "a meaning"));
        }
        all.insert(name.clone(), read(&entry)?);
    }
    Ok(all)
}

fn text_of<'a>(section: &Section<'a>, name: &str) -> Result<&'a str, SystemError> {
    section.table.get(name).and_then(Value::as_str).ok_or_else(|| SystemError::Entry(section.place(name), "a text"))
}

/// Why no run shows it, if the file has a word on that.
fn unseen(entry: &Section<'_>) -> Result<Option<String>, SystemError> {
    entry.has(&["unseen"]).then(|| text_of(entry, "unseen").map(str::to_owned)).transpose()
}

fn set(section: &Section<'_>, name: &str) -> Result<BTreeSet<String>, SystemError> {
    Ok(section.names(name)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        attributes.layer = { means = "A layer", values = ["waf"] }
        attributes.reader = { means = "A reader" }
        events = { means = "Lines", attributes = ["reader"] }
        [metrics."a.wait"]
        kind = "histogram"
        unit = "s"
        means = "A wait"
        attributes = ["layer"]
        values.layer = ["waf"]
        [spans."db.{operation}"]
        kind = "client"
        means = "A transaction"
        attributes = ["layer"]
    "#;

    #[test]
    fn the_telemetry_of_this_system_is_read() {
        let told = telemetry().unwrap();
        assert!(told.metrics.contains_key("http.server.request.duration") && told.spans.len() > 5);
        assert!(told.span("GET /v1/accounts/{id}", "server").is_some());
        assert!(told.span("GET /v1/accounts/{id}", "producer").is_none());
    }

    #[test]
    fn a_metric_has_the_names_that_prometheus_gives_it() {
        let schema = Telemetry::read(SMALL).unwrap();
        let names: Vec<String> = schema.series().into_keys().collect();
        assert_eq!(names, ["a_wait_seconds_bucket", "a_wait_seconds_count", "a_wait_seconds_sum"]);
        let counter = SMALL.replace("histogram", "counter").replace("unit = \"s\"", "unit = \"{turn}\"");
        assert_eq!(Telemetry::read(&counter).unwrap().series().into_keys().collect::<Vec<_>>(), ["a_wait_total"]);
    }

    #[test]
    fn a_name_is_what_its_pattern_says() {
        for (pattern, name, is) in [
            ("db.{operation}", "db.accounts.open", true),
            ("db.{operation}", "db.", false),
            ("db.{operation}", "xdb.a", false),
            ("{method} {route}", "GET /v1", true),
            ("{method} {route}", "GET", false),
            ("{method} {route}", "GET /v1 x", false),
            ("send {kind}", "send a", true),
            ("connection", "connection", true),
            ("connection", "connections", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_not_whole_is_named() {
        for (from, to, named) in [
            ("attributes = [\"reader\"]", "attributes = []", "attributes.reader"),
            ("attributes = [\"reader\"]", "attributes = [\"reader\", \"who\"]", "attributes.who"),
            ("\"histogram\"", "\"meter\"", "metrics.a.wait.kind"),
            ("unit = \"s\"", "unit = \"ms\"", "metrics.a.wait.unit"),
            ("means = \"A wait\"", "", "metrics.a.wait.means"),
            ("means = \"A wait\"", "means = \"\"", "metrics.a.wait.means"),
            ("values.layer", "values.other", "metrics.a.wait.values.other"),
            ("kind = \"client\"", "", "spans.db.{operation}.kind"),
        ] {
            assert!(SMALL.contains(from), "{from}");
            let error = Telemetry::read(&SMALL.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{named}`")), "{to}: {error}");
        }
    }
}
