//! What every request on both listeners goes through: span, request id, limits, problem+json, headers, metric, log line.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError as _};
use api::problem::MEDIA_TYPE;
use futures_util::FutureExt;
use tracing::{Instrument, Span, field};

use crate::outliving::Outliving;
use crate::pages::Pages;
use crate::service::RouteDoc;
use crate::{Clock, PeerId, Problem, Refusal, audit, incoming, metrics, problem, trace, watch};

/// Names and values of all headers of a request together.
const HEADER_LIMIT: usize = 32 * 1024;
/// Bytes of a path that go into a span.
const PATH_LOGGED: usize = 256;
/// Bytes of a path and a query: the longest that honest callers send is an authorization request of some hundred.
const TARGET_LIMIT: usize = 8 * 1024;
/// The route of what nobody answers.
const NO_ROUTE: &str = "(none)";
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Our name for the request, in the answer (`Request-Id`), in every log line and in the request's extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Which of the two listeners a request came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub(crate) enum Side {
    Public,
    Internal,
}

/// How one listener treats its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Treatment {
    pub(crate) side: Side,
    /// Whether it continues its callers' traces.
    pub(crate) traces: bool,
    /// How long a request may take.
    pub(crate) deadline: Duration,
}

/// The outermost middleware of a listener: handles a request from its head to its log line.
///
/// The framework lets go of a request whose connection is gone. It comes to its end all the same: what has passed the layers has used up what
/// is single-use, may have moved money, and has failures to be charged. So nobody escapes them, or the log, by hanging up.
pub(crate) fn handle(
    treatment: Treatment,
    clock: Arc<dyn Clock>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Outliving<Result<ServiceResponse<BoxBody>, Error>> {
    let under_way = watch::begin(&request);
    Outliving::new(async move {
        let _under_way = under_way;
        treat(treatment, clock, request, next).await
    })
}

/// A request, from its head to its log line.
async fn treat(
    Treatment { side, traces, deadline }: Treatment,
    clock: Arc<dyn Clock>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = now();
    let held = incoming::bound(&mut request);
    let pages = Pages::of(&request);
    let id = RequestId(storage::ids::new(clock.unix_millis()).to_string());
    let method = method_name(request.method());
    let peer = request.conn_data::<PeerId>().cloned();
    let span = root_span(&request, side, method, &id, peer.as_ref());
    begin_trace(&span, traces.then(|| request.headers().get(api::header::TRACEPARENT)).flatten());
    request.extensions_mut().insert(id.clone());
    let outcome = match admit(&request, side, peer.as_ref()) {
        Ok(()) => {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            call(request, deadline, next).instrument(span.clone()).await
        }
        Err(refusal) => Ok(request.into_response(span.in_scope(|| refusal.error_response()))),
    };
    let (route, mut outcome) = match outcome {
        Ok(response) => (response.request().match_pattern(), Ok(response)),
        Err(error) => (None, Err(span.in_scope(|| error.error_response()))),
    };
    let status = match &mut outcome {
        Ok(response) => finish(response.response_mut(), side, &id, pages),
        Err(response) => finish(response, side, &id, pages),
    };
    report(&span, side, method, route, status, started);
    match outcome {
        Ok(response) => Ok(response.map_body(|_, body| held.by(body))),
        // There is no request left to attach the answer to; actix sends the response that the error carries.
        Err(response) => {
            let response = response.map_body(|_, body| held.by(body));
            Err(InternalError::from_response("refused", response).into())
        }
    }
}

/// Runs the inner services. A panic ends the request with a 500, not the connection without a word; a handler that does not come to an end
/// is dropped.
async fn call(
    request: ServiceRequest,
    deadline: Duration,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let only_reads = request.method().is_safe();
    match tokio::time::timeout(deadline, AssertUnwindSafe(next.call(request)).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome.map(ServiceResponse::map_into_boxed_body),
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            // Default: what is thrown need not be a text.
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
            Err(Refusal::internal(&format!("panic in a handler: {text}")).into())
        }
        Err(_) => {
            tracing::error!(seconds = deadline.as_secs(), "a request was not answered in time");
            // What it was doing may have happened.
            let problem = if only_reads { Problem::busy(1) } else { Problem::outcome_unknown() };
            Err(Refusal::unrecorded(problem).into())
        }
    }
}

fn root_span(request: &ServiceRequest, side: Side, method: &str, id: &RequestId, peer: Option<&PeerId>) -> Span {
    let origin = audit::Origin::of_request(request.peer_addr(), request.headers());
    tracing::info_span!(
        target: "audit",
        "http.server",
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = field::Empty,
        url.path = cut(request.path()),
        http.response.status_code = field::Empty,
        redoubt.listener = side.into_str(),
        redoubt.peer = peer.map(PeerId::name),
        network.peer.address = origin.address,
        network.peer.port = origin.port,
        user_agent.original = origin.agent,
        redoubt.decisions = field::Empty,
        request_id = id.0,
        trace_id = field::Empty,
    )
}

/// What a stranger writes into our logs is no longer than this.
fn cut(text: &str) -> &str {
    // Default: it is a boundary.
    text.get(..text.floor_char_boundary(PATH_LOGGED)).unwrap_or_default()
}

fn begin_trace(span: &Span, traceparent: Option<&HeaderValue>) {
    trace::continue_from(span, traceparent.and_then(|value| value.to_str().ok()));
    if let Some(trace_id) = trace::trace_id(span) {
        span.record("trace_id", trace_id);
    }
}

/// What is decided before anything looks at the request.
fn admit(request: &ServiceRequest, side: Side, peer: Option<&PeerId>) -> Result<(), Refusal> {
    if side == Side::Internal && peer.is_none() {
        // The chain was verified by TLS, but the certificate names no workload.
        let problem = Problem::forbidden().detail("the client certificate has no SPIFFE id");
        return Err(Refusal::new("transport", "no_spiffe_id", problem));
    }
    // Default: a target without either.
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_LIMIT {
        let problem =
            Problem::of_status(StatusCode::URI_TOO_LONG).detail(format!("the target has at most {TARGET_LIMIT} bytes"));
        return Err(Refusal::new("limits", "target_too_long", problem));
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_LIMIT {
        let problem = Problem::of_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            .detail(format!("the headers have at most {HEADER_LIMIT} bytes"));
        return Err(Refusal::new("limits", "headers_too_large", problem));
    }
    Ok(())
}

/// The code of a refusal that has become a problem: with its answer, not in it.
pub(crate) struct Code(pub(crate) String);

/// Makes a refusal a problem with the request's id. Whoever signs an answer calls it before, because the body changes.
pub fn complete_problem(response: &mut HttpResponse<BoxBody>, id: &RequestId) {
    let status = response.status();
    name_bare(response);
    let wire = response.extensions_mut().remove::<api::Problem>();
    if let Some(mut wire) = wire {
        wire.request_id = Some(id.0.clone());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        let owned = std::mem::replace(response, HttpResponse::new(status));
        *response = owned.set_body(BoxBody::new(problem::body(&wire)));
        response.extensions_mut().insert(Code(wire.code));
    }
}

/// Gives a refusal that is actix's own the problem of its status.
fn name_bare(response: &mut HttpResponse<BoxBody>) {
    if !response.extensions().contains::<api::Problem>() && bare_refusal(response) {
        let wire = Problem::of_status(response.status()).wire();
        response.extensions_mut().insert(wire);
    }
}

/// Makes every refusal a page or a problem, sets the headers, and returns the status.
fn finish(response: &mut HttpResponse<BoxBody>, side: Side, id: &RequestId, pages: Option<Pages>) -> StatusCode {
    if let Some(pages) = pages {
        name_bare(response);
        pages.show(response, &id.0);
    }
    complete_problem(response, id);
    set_headers(response.headers_mut(), side, id);
    response.status()
}

/// A refusal that is actix's own: no body, or plain text about its insides.
fn bare_refusal(response: &HttpResponse<BoxBody>) -> bool {
    let text = |value: &HeaderValue| value.as_bytes().starts_with(b"text/plain");
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if refused
        && status.is_server_error()
        && let Some(error) = response.error()
    {
        tracing::error!(cause = %error, "internal error");
    }
    refused && response.headers().get(header::CONTENT_TYPE).is_none_or(text)
}

fn set_headers(headers: &mut HeaderMap, side: Side, id: &RequestId) {
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
    let mut fixed = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if side == Side::Public {
        fixed(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
    // A route may know better: public keys are cached, a page has a policy of its own.
    let mut default = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    default(header::CACHE_CONTROL, "no-store");
    default(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    default(header::REFERRER_POLICY, "no-referrer");
}

fn report(span: &Span, side: Side, method: &'static str, route: Option<String>, status: StatusCode, started: Instant) {
    // Default: nobody answers there.
    let route = route.unwrap_or_else(|| NO_ROUTE.to_owned());
    let seconds = started.elapsed().as_secs_f64();
    trace::rename(span, format!("{method} {route}"));
    span.record("http.route", &route);
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let milliseconds = (seconds * 1_000_000.0).round() / 1000.0;
    span.in_scope(|| {
        // Probes and Prometheus come every few seconds and say nothing while they succeed.
        if (route.starts_with("/health/") || route == "/metrics") && status.is_success() {
            tracing::debug!(target: "http", method, route, status = status.as_u16(), milliseconds, "request");
        } else {
            tracing::info!(target: "http", method, route, status = status.as_u16(), milliseconds, "request");
        }
    });
    metrics::request(seconds, side.into_str(), method, route, status.as_u16());
}

/// Counts from nothing what may be answered at `side`: of each route, and of what comes to none (a handler that panics or is too late does so, too).
pub(crate) fn count_from_nothing(side: Side, routes: &[RouteDoc]) {
    let listener = side.into_str();
    for route in routes.iter().filter(|route| route.listener == listener) {
        metrics::answers_may_come(listener, &route.method, &route.path);
    }
    for method in METHODS.iter().chain(&[OTHER_METHOD]) {
        metrics::answers_may_come(listener, method, NO_ROUTE);
    }
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const OTHER_METHOD: &str = "_OTHER";

/// A fixed set, because the method becomes a metric's attribute and anybody may invent one.
fn method_name(method: &Method) -> &'static str {
    // Default: one that somebody has invented.
    METHODS.iter().find(|known| **known == method.as_str()).copied().unwrap_or(OTHER_METHOD)
}

#[expect(clippy::disallowed_methods, reason = "how long a request took is telemetry, decided nowhere")]
fn now() -> Instant {
    Instant::now()
}
