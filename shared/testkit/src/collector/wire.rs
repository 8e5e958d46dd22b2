//! OTLP in the words of its JSON form, as far as it is kept (opentelemetry-proto, trace/v1 and metrics/v1).

use anyhow::Result;
use prost::Message;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Span;

/// Reads a message, as far as it is kept.
pub(super) fn read<M: Message + Default + Serialize, T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    Ok(serde_json::from_value(serde_json::to_value(M::decode(body)?)?)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TraceExport {
    #[serde(default)]
    pub(super) resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricExport {
    #[serde(default)]
    pub(super) resource_metrics: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSpans {
    #[serde(default)]
    pub(super) resource: Resource,
    #[serde(default)]
    pub(super) scope_spans: Vec<ScopeSpans>,
}

#[derive(Default, Deserialize)]
pub(super) struct Resource {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

impl Resource {
    pub(super) fn service(&self) -> String {
        let name = self.attributes.iter().find(|attribute| attribute.key == "service.name");
        let name = name.and_then(|attribute| plain(&attribute.value).as_str().map(str::to_owned));
        name.unwrap_or_else(|| "unknown".to_owned())
    }
}

#[derive(Deserialize)]
pub(super) struct ScopeSpans {
    #[serde(default)]
    pub(super) spans: Vec<WireSpan>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireSpan {
    pub(super) trace_id: String,
    span_id: String,
    #[serde(default)]
    parent_span_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    kind: u8,
    #[serde(default)]
    start_time_unix_nano: Value,
    #[serde(default)]
    end_time_unix_nano: Value,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    events: Vec<WireEvent>,
    #[serde(default)]
    status: Option<WireStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEvent {
    #[serde(default)]
    time_unix_nano: Value,
    #[serde(default)]
    name: String,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct WireStatus {
    #[serde(default)]
    code: u8,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Value,
}

impl WireSpan {
    pub(super) fn into_span(self, service: &str) -> Span {
        let kind = match self.kind {
            2 => "server",
            3 => "client",
            4 => "producer",
            5 => "consumer",
            _ => "internal",
        };
        let event = |event: WireEvent| json!({ "time_ns": nanos(&event.time_unix_nano), "name": event.name, "attributes": attributes(event.attributes) });
        Span {
            service: service.to_owned(),
            name: self.name,
            kind: kind.to_owned(),
            span_id: self.span_id,
            parent: Some(self.parent_span_id).filter(|id| !id.is_empty()),
            start_ns: nanos(&self.start_time_unix_nano),
            end_ns: nanos(&self.end_time_unix_nano),
            error: self.status.is_some_and(|status| status.code == 2),
            attributes: attributes(self.attributes),
            events: self.events.into_iter().map(event).collect(),
        }
    }
}

fn attributes(list: Vec<Attribute>) -> Map<String, Value> {
    list.into_iter().map(|attribute| (attribute.key, plain(&attribute.value))).collect()
}

/// `{"stringValue": "x"}` → `"x"`; 64-bit integers travel as strings (proto3's JSON mapping).
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "intValue" => {
            inner.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| inner.clone(), Value::from)
        }
        "arrayValue" => {
            let values = inner.get("values").and_then(Value::as_array);
            Value::Array(values.into_iter().flatten().map(plain).collect())
        }
        _ => inner.clone(),
    }
}

fn nanos(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}
