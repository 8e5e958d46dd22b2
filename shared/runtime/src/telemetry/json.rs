//! Log lines: one JSON object a line, with the request's and the trace's id taken from the surrounding spans.
//!
//! A newline or quote in a value is escaped by JSON, so a value cannot forge a line.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
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

/// The inherited fields of one span.
struct Inherited(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        fields.0.retain(|name, _| is_kept(name));
        if let Some(span) = context.span(id).filter(|_| !fields.0.is_empty()) {
            span.extensions_mut().replace(Inherited(fields.0));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        record.record(&mut fields);
        fields.0.retain(|name, _| is_kept(name));
        let Some(span) = context.span(id).filter(|_| !fields.0.is_empty()) else {
            return;
        };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Inherited>() {
            Some(inherited) => inherited.0.extend(fields.0),
            None => drop(extensions.replace(Inherited(fields.0))),
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        let metadata = event.metadata();
        line.insert("timestamp".to_owned(), Value::String(timestamp()));
        line.insert("level".to_owned(), Value::String(metadata.level().to_string()));
        line.insert("target".to_owned(), Value::String(metadata.target().to_owned()));
        line.insert("service".to_owned(), Value::String(self.service.to_owned()));
        let mut fields = Fields::default();
        event.record(&mut fields);
        for (name, value) in fields.0 {
            // What the line is about cannot be overwritten by what is in it.
            line.entry(name).or_insert(value);
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(inherited) = span.extensions().get::<Inherited>() {
                let audit = metadata.target() == "audit";
                for (name, value) in inherited.0.iter().filter(|(name, _)| audit || INHERITED.contains(&name.as_str()))
                {
                    line.entry(name.clone()).or_insert_with(|| value.clone());
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

/// Collects fields as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::String(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
}
