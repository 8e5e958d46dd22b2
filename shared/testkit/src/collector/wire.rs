//! OTLP as protobuf (opentelemetry-proto, trace/v1 and metrics/v1), as far as it is kept. Each field is read once and moved: a receiver that shares
//! the machine with what is measured must cost little.

use anyhow::Result;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as trace;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use serde_json::{Map, Value, json};

use super::Span;

/// The spans of an export, each with its trace's id.
pub(super) fn spans(body: &[u8]) -> Result<Vec<(String, Span)>> {
    let mut all = Vec::new();
    for resource in ExportTraceServiceRequest::decode(body)?.resource_spans {
        let service = service(resource.resource.as_ref());
        let wired = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        all.extend(wired.map(|wire| (hex::encode(&wire.trace_id), span(&service, wire))));
    }
    Ok(all)
}

/// The metrics of an export, each resource's in the words of OTLP's JSON form, with the service that has sent them.
pub(super) fn metrics(body: &[u8]) -> Result<Vec<(String, Value)>> {
    let export = ExportMetricsServiceRequest::decode(body)?;
    let of = |metrics: &ResourceMetrics| Ok((service(metrics.resource.as_ref()), serde_json::to_value(metrics)?));
    export.resource_metrics.iter().map(of).collect()
}

fn service(resource: Option<&Resource>) -> String {
    let attributes = resource.into_iter().flat_map(|resource| &resource.attributes);
    let name = attributes.filter(|attribute| attribute.key == "service.name").find_map(|name| name.value.as_ref());
    match name.and_then(|name| name.value.as_ref()) {
        Some(any_value::Value::StringValue(name)) => name.clone(),
        _ => "unknown".to_owned(),
    }
}

fn span(service: &str, wire: trace::Span) -> Span {
    let kind = match SpanKind::try_from(wire.kind) {
        Ok(SpanKind::Server) => "server",
        Ok(SpanKind::Client) => "client",
        Ok(SpanKind::Producer) => "producer",
        Ok(SpanKind::Consumer) => "consumer",
        _ => "internal",
    };
    Span {
        service: service.to_owned(),
        name: wire.name,
        kind: kind.to_owned(),
        span_id: hex::encode(&wire.span_id),
        parent: Some(hex::encode(&wire.parent_span_id)).filter(|id| !id.is_empty()),
        start_ns: wire.start_time_unix_nano,
        end_ns: wire.end_time_unix_nano,
        error: wire.status.is_some_and(|status| status.code() == StatusCode::Error),
        attributes: attributes(wire.attributes),
        events: wire.events.into_iter().map(event).collect(),
    }
}

fn event(event: Event) -> Value {
    json!({ "time_ns": event.time_unix_nano, "name": event.name, "attributes": attributes(event.attributes) })
}

fn attributes(list: Vec<KeyValue>) -> Map<String, Value> {
    list.into_iter().map(|attribute| (attribute.key, plain(attribute.value))).collect()
}

/// A text is a text and a number a number; what has no word in JSON is null.
fn plain(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text.into(),
        Some(any_value::Value::BoolValue(truth)) => truth.into(),
        Some(any_value::Value::IntValue(number)) => number.into(),
        Some(any_value::Value::DoubleValue(number)) => number.into(),
        Some(any_value::Value::ArrayValue(list)) => list.values.into_iter().map(|value| plain(Some(value))).collect(),
        Some(any_value::Value::KvlistValue(list)) => attributes(list.values).into(),
        Some(any_value::Value::BytesValue(bytes)) => hex::encode(bytes).into(),
        // An index into a table that only profiles have.
        Some(any_value::Value::StringValueStrindex(_)) | None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};

    use super::*;

    #[test]
    fn a_value_is_read_as_what_it_is() {
        let any = |value| AnyValue { value: Some(value) };
        let text = || any(any_value::Value::StringValue("x".to_owned()));
        let list =
            any_value::Value::ArrayValue(ArrayValue { values: vec![text(), any(any_value::Value::IntValue(-7))] });
        let pair = KeyValue { key: "k".to_owned(), value: Some(text()), ..KeyValue::default() };
        for (value, read) in [
            (any_value::Value::StringValue("x".to_owned()), json!("x")),
            (any_value::Value::BoolValue(true), json!(true)),
            (any_value::Value::IntValue(i64::MAX), json!(i64::MAX)),
            (any_value::Value::DoubleValue(0.5), json!(0.5)),
            (any_value::Value::DoubleValue(f64::NAN), Value::Null),
            (list, json!(["x", -7])),
            (any_value::Value::KvlistValue(KeyValueList { values: vec![pair] }), json!({"k": "x"})),
            (any_value::Value::BytesValue(vec![0, 255]), json!("00ff")),
        ] {
            assert_eq!(plain(Some(any(value))), read);
        }
        assert_eq!((plain(None), plain(Some(AnyValue::default()))), (Value::Null, Value::Null));
    }
}
