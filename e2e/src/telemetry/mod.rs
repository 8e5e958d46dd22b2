//! What a run has told of itself: held against the schema (`infra/watching/schema.toml`), and searched for what is nobody's business.
//!
//! All of it counts: the spans that the collector has, the last metrics that each service has sent there, what each shows to Prometheus at that moment, and
//! the lines that it has logged.

mod shown;
mod told;
pub mod words;

pub use told::{Measured, Told};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use system::telemetry::Telemetry;
use testkit::collector::Span;

/// What in `told` is not as the schema has it, each thing once.
pub fn violations(schema: &Telemetry, told: &Told) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut seen = Seen::default();
    for span in &told.spans {
        look_at_span(schema, span, &mut seen, &mut found);
    }
    for (service, measured) in &told.metrics {
        for one in measured {
            look_at_metric(schema, service, one, &mut seen, &mut found);
        }
    }
    for (service, text) in &told.shown {
        let names: BTreeSet<&str> = told.metrics.get(service).into_iter().flatten().map(|m| m.name.as_str()).collect();
        found.extend(shown::differences(schema, service, &names, text));
    }
    found.extend(seen.lacking(schema));
    found
}

/// What of the schema has been met.
#[derive(Default)]
struct Seen {
    metrics: BTreeSet<String>,
    spans: BTreeSet<String>,
    attributes: BTreeSet<String>,
}

impl Seen {
    /// What has not been, and no word says why.
    fn lacking(&self, schema: &Telemetry) -> Vec<String> {
        let metrics =
            schema.metrics.iter().filter(|(name, metric)| metric.unseen.is_none() && !self.metrics.contains(*name));
        let spans = schema.spans.iter().filter(|span| span.unseen.is_none() && !self.spans.contains(&span.name));
        let attributes =
            schema.attributes.iter().filter(|(name, it)| it.unseen.is_none() && !self.attributes.contains(*name));
        let named = metrics.map(|(name, _)| format!("the metric {name}"));
        let named = named.chain(spans.map(|span| format!("the span {}", span.name)));
        let named = named.chain(attributes.map(|(name, _)| format!("the attribute {name}")));
        named.map(|what| format!("{what} is in the schema and in nothing that was told")).collect()
    }

    /// An attribute that the schema gives to what has it.
    fn attribute(&mut self, schema: &Telemetry, place: &str, name: &str, value: &Value) -> Option<String> {
        self.attributes.insert(name.to_owned());
        let known = schema.attributes.get(name)?;
        let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let strange = !known.values.is_empty() && !known.values.contains(&said);
        strange.then(|| format!("{place}: {name} is {said}, which the schema does not have"))
    }
}

fn look_at_span(schema: &Telemetry, span: &Span, seen: &mut Seen, found: &mut BTreeSet<String>) {
    let Some(known) = schema.span(&span.name, &span.kind) else {
        found.insert(format!(
            "{} tells of a span `{}` ({}), which the schema does not have",
            span.service, span.name, span.kind
        ));
        return;
    };
    seen.spans.insert(known.name.clone());
    for (name, value) in &span.attributes {
        if known.attributes.contains(name) {
            found.extend(seen.attribute(schema, &known.name, name, value));
        } else {
            found.insert(format!("the span {} has {name}, which the schema does not give it", known.name));
        }
    }
    let events = span.events.iter().filter_map(|event| event.get("attributes")?.as_object()).flatten();
    for (name, value) in events {
        if schema.of_events.contains(name) {
            found.extend(seen.attribute(schema, "what is logged", name, value));
        } else {
            found.insert(format!("what is logged in {} has {name}, which the schema does not have", known.name));
        }
    }
}

fn look_at_metric(schema: &Telemetry, service: &str, one: &Measured, seen: &mut Seen, found: &mut BTreeSet<String>) {
    let name = &one.name;
    let Some(known) = schema.metrics.get(name) else {
        found.insert(format!("{service} measures {name}, which the schema does not have"));
        return;
    };
    seen.metrics.insert(name.clone());
    if (one.kind, one.unit.as_str()) != (known.kind, known.unit.as_str()) {
        found.insert(format!(
            "{name} of {service} is a {:?} in `{}`, which the schema does not say",
            one.kind, one.unit
        ));
    }
    for series in &one.series {
        let names: BTreeSet<&String> = series.keys().collect();
        if names != known.attributes.iter().collect() {
            found.insert(format!("a series of {name} has {names:?}, which is not what the schema gives it"));
        }
        for (attribute, value) in series {
            found.extend(match known.values.get(attribute) {
                Some(values) if !values.contains(value) => {
                    Some(format!("{name}: {attribute} is {value}, which the schema does not have"))
                }
                Some(_) => {
                    seen.attributes.insert(attribute.clone());
                    None
                }
                None => seen.attribute(schema, name, attribute, &value.as_str().into()),
            });
        }
    }
}

/// A series' attributes, as texts.
pub type Series = BTreeMap<String, String>;

#[cfg(test)]
mod tests;
