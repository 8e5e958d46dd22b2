//! W3C Trace Context, in and out: one trace from the phone to the database and the broker. Third parties neither get it nor
//! add to it.
//!
//! A `traceparent` from outside decides the trace's id and nothing else: not whether we record (we always do), and no
//! `tracestate` or baggage is read or passed on.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes `span` a child of the remote span that `traceparent` names. Call it before the span is entered.
///
/// Beside requests this is for work that is done later: an outbox row keeps the `traceparent` it was written under.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    if let Some(traceparent) = traceparent {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Only(traceparent));
        // Fails only where no tracing subscriber is installed (tests); there is no trace to continue then.
        drop(span.set_parent(parent));
    }
}

/// Links `span` to the remote span that `traceparent` names: two traces that tell of the same thing and stay two, such as an
/// order and the message about it that arrives from outside days later.
pub fn link(span: &Span, traceparent: Option<&str>) {
    if let Some(traceparent) = traceparent {
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Only(traceparent));
        let other = context.span().span_context().clone();
        if other.is_valid() {
            span.add_link(other);
        }
    }
}

/// The `traceparent` of a span, to be sent or to be stored beside work that is done later.
pub fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}

/// The `traceparent` of the current span.
pub fn current() -> Option<String> {
    traceparent(&Span::current())
}

/// The id of the trace that a span belongs to, as 32 hexadecimal digits.
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// Gives a span that has begun another name; recording `otel.name` comes too late then.
pub(crate) fn rename(span: &Span, name: String) {
    span.context().span().update_name(name);
}

/// A carrier of one header.
struct Only<'a>(&'a str);

impl Extractor for Only<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
