//! Log lines: one JSON object a line, with the request's and the trace's id taken from the surrounding spans.
//!
//! A newline or quote in a value is escaped by JSON, so a value cannot forge a line.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::audit::ORIGIN;

/// Span fields that every log line inside the span carries.
const INHERITED: [&str; 2] = ["trace_id", "request_id"];

/// Those, and what an audit line carries beside them.
fn is_kept(field: &str) -> bool {
    INHERITED.contains(&field) || ORIGIN.contains(&field)
}

/// Where the lines go.
#[derive(Debug, Clone)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// Memory, for tests.
    Memory(Arc<Mutex<Vec<u8>>>),
}

/// The layer that writes the lines.
#[derive(Debug)]
pub struct JsonLines {
    service: &'static str,
    sink: Sink,
}

impl JsonLines {
    /// Lines of `service` to `sink`.
    pub fn new(service: &'static str, sink: Sink) -> Self {
        Self { service, sink }
    }

    fn write(&self, line: &[u8]) {
        match &self.sink {
            // Standard output gone (the reader ended) is no reason to fail a request.
            Sink::Stdout => drop(std::io::stdout().lock().write_all(line)),
            Sink::Memory(memory) => memory.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line),
        }
    }
}

/// Fields by name, in the order in which they were said.
type Fields = Vec<(&'static str, Value)>;

/// The inherited fields of one span.
struct Inherited(Fields);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut said = Said::of(is_kept);
        attributes.record(&mut said);
        if let Some(span) = context.span(id).filter(|_| !said.fields.is_empty()) {
            span.extensions_mut().replace(Inherited(said.fields));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let mut said = Said::of(is_kept);
        record.record(&mut said);
        let Some(span) = context.span(id).filter(|_| !said.fields.is_empty()) else {
            return;
        };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Inherited>() {
            // What is said later holds.
            Some(Inherited(known)) => {
                known.retain(|(name, _)| !said.fields.iter().any(|(again, _)| again == name));
                known.append(&mut said.fields);
            }
            None => drop(extensions.replace(Inherited(said.fields))),
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line::default();
        line.add("timestamp", Value::String(timestamp()));
        line.add("level", metadata.level().as_str().into());
        line.add("target", metadata.target().into());
        line.add("service", self.service.into());
        let mut said = Said::of(|_| true);
        event.record(&mut said);
        for (name, value) in said.fields {
            line.add(name, value);
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Inherited(fields)) = span.extensions().get::<Inherited>() {
                let audit = metadata.target() == "audit";
                for (name, value) in fields.iter().filter(|(name, _)| audit || INHERITED.contains(name)) {
                    line.add(name, value.clone());
                }
            }
        }
        let mut bytes = match serde_json::to_vec(&line) {
            Ok(bytes) => bytes,
            // Said by hand: whatever it was about, that it is missing must be seen.
            Err(error) => {
                serde_json::json!({ "level": "ERROR", "message": format!("a log line cannot be written: {error}") })
                    .to_string()
                    .into_bytes()
            }
        };
        bytes.push(b'\n');
        self.write(&bytes);
    }
}

fn timestamp() -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    SystemTime.format_time(&mut Writer::new(&mut text)).ok();
    text
}

/// A line in the making.
#[derive(Default)]
struct Line(Fields);

impl Line {
    /// Adds a field. What the line is about cannot be overwritten by what is in it: the first of a name stays.
    fn add(&mut self, name: &'static str, value: Value) {
        if !self.0.iter().any(|(known, _)| *known == name) {
            self.0.push((name, value));
        }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Collects the fields that are wanted.
struct Said {
    wanted: fn(&str) -> bool,
    fields: Fields,
}

impl Said {
    fn of(wanted: fn(&str) -> bool) -> Self {
        Self { wanted, fields: Fields::new() }
    }

    fn add(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        if (self.wanted)(field.name()) {
            self.fields.push((field.name(), value()));
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, || Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, || value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, || value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, || value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, || value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, || value.into());
    }
}
