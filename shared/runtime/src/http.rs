//! Outgoing calls: a client span around each, and inside the house the W3C trace context in its headers.

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Error, RequestBuilder, Response};
use tracing::Instrument;

use crate::trace::traceparent;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Sends a request inside a client span and passes the trace on (`traceparent` only: no baggage, no vendor state).
///
/// The span names method, host and path; never the query, which may hold personal data.
pub async fn send(request: RequestBuilder) -> Result<Response, Error> {
    execute(request, true).await
}

/// The same to a third party: the span stays with us, and nothing of the trace is sent. Its id would let outsiders join what
/// the system does for one person, and recognize it wherever else the id appears.
pub async fn send_outside(request: RequestBuilder) -> Result<Response, Error> {
    execute(request, false).await
}

async fn execute(request: RequestBuilder, pass_trace_on: bool) -> Result<Response, Error> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let url = request.url();
    let span = tracing::info_span!(
        "http.client",
        otel.name = format!("{} {}", request.method(), url.path()),
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        http.request.method = %request.method(),
        server.address = url.host_str(),
        server.port = url.port_or_known_default(),
        url.path = url.path(),
        http.response.status_code = tracing::field::Empty,
        error.message = tracing::field::Empty,
    );
    let context = traceparent(&span).filter(|_| pass_trace_on);
    if let Some(value) = context.and_then(|value| HeaderValue::try_from(value).ok()) {
        request.headers_mut().insert(TRACEPARENT, value);
    }
    let outcome = client.execute(request).instrument(span.clone()).await;
    match &outcome {
        Ok(response) => {
            span.record("http.response.status_code", response.status().as_u16());
            if response.status().is_server_error() {
                span.record("otel.status_code", "ERROR");
            }
        }
        Err(error) => {
            span.record("otel.status_code", "ERROR");
            span.record("error.message", cause(error));
        }
    }
    outcome
}

/// The innermost cause of a failed call, for logs: "connection refused", "the server is spiffe://…, not …".
pub fn cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
