//! A receiver for telemetry: OTLP over HTTP as protobuf, spans kept in memory, for the demonstration's trace page and for tests
//! that ask what a request did. A stand-in for a collector, on loopback or in a container: plain HTTP, no authentication.
//!
//! | Route | What it does |
//! | --- | --- |
//! | `POST /v1/traces`, `POST /v1/metrics` | what the services' exporters send (OTLP/HTTP) |
//! | `GET /traces` | the traces that are kept, newest first: id, spans, services, length, name of the first span and all statuses that were answered in it; which of them, says a query ([`search`]) |
//! | `GET /traces/{trace_id}` | the spans of one trace, by start |
//! | `GET /spans` | all spans that are kept |
//! | `GET /requests` | what is known of the newest requests, by their ids: the attributes of the server's span |
//! | `GET /metrics` | the last metrics of each service, as they came |
//!
//! Bounded: the oldest traces give way ([`MAX_SPANS`]), one trace cannot take everything ([`MAX_SPANS_PER_TRACE`]).

mod search;
mod wire;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::search::Search;

/// Spans kept in all.
pub const MAX_SPANS: usize = 50_000;
/// Spans kept of one trace.
pub const MAX_SPANS_PER_TRACE: usize = 5_000;
/// Requests that are told of at once.
const MAX_REQUESTS: usize = 1_000;
/// Bytes of one export; a batch of 512 spans is well below.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// One span of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The process it happened in.
    pub service: String,
    /// What happened, e.g. `POST /v1/transfers` or `db.transfers.post`.
    pub name: String,
    /// `server`, `client`, `internal`, `producer` or `consumer`.
    pub kind: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The span it happened in; absent for the first one of the trace.
    pub parent: Option<String>,
    /// Nanoseconds since the epoch.
    pub start_ns: u64,
    /// Nanoseconds since the epoch.
    pub end_ns: u64,
    /// True when the span ended in an error.
    pub error: bool,
    /// What is known about it.
    pub attributes: Map<String, Value>,
    /// What was logged in it: `time_ns`, `name`, `attributes`.
    pub events: Vec<Value>,
}

/// A running receiver; it ends when this value is dropped.
pub struct Collector {
    address: SocketAddr,
    handle: ServerHandle,
    store: Arc<Mutex<Store>>,
}

/// Serves on `listener`, which must be on loopback, from a thread of its own.
pub fn serve(listener: TcpListener) -> Result<Collector> {
    let address = listener.local_addr()?;
    ensure!(
        address.ip().is_loopback(),
        "the collector has no authentication: it listens on loopback only, not on {address}"
    );
    serve_network(listener)
}

/// The same on any address, in a container of its own: it has no authentication, so the container's networks must say who reaches it.
pub fn serve_network(listener: TcpListener) -> Result<Collector> {
    let address = listener.local_addr()?;
    let store = Arc::new(Mutex::new(Store::default()));
    let data = web::Data::from(Arc::clone(&store));
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    // actix wants a System of its own; a thread keeps it apart from the runtime of the caller.
    std::thread::Builder::new().name("collector".to_owned()).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let bound = HttpServer::new(move || App::new().app_data(data.clone()).configure(routes))
                .workers(1)
                .disable_signals()
                .shutdown_timeout(1)
                .listen(listener);
            match bound {
                Ok(server) => {
                    let running = server.run();
                    drop(sender.send(Ok(running.handle())));
                    drop(running.await);
                }
                Err(error) => drop(sender.send(Err(error))),
            }
        });
    })?;
    let handle = receiver.recv()?.with_context(|| format!("the collector cannot listen on {address}"))?;
    Ok(Collector { address, handle, store })
}

impl Collector {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What goes into `telemetry.otlp_endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Keeps a span of this trace as if it had been sent.
    pub fn keep(&self, trace_id: &str, span: Span) {
        lock(&self.store).keep(trace_id, span);
    }

    /// The spans of one trace, by start.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        lock(&self.store).trace(trace_id)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // The stop command is queued when the future is made; nobody needs to wait for it.
        drop(self.handle.stop(false));
    }
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::default().limit(MAX_BODY))
        .service(web::resource("/v1/traces").route(web::post().to(post_traces)))
        .service(web::resource("/v1/metrics").route(web::post().to(post_metrics)))
        .service(web::resource("/traces").route(web::get().to(get_traces)))
        .service(web::resource("/traces/{trace_id}").route(web::get().to(get_trace)))
        .service(web::resource("/spans").route(web::get().to(get_spans)))
        .service(web::resource("/requests").route(web::get().to(get_requests)))
        .service(web::resource("/metrics").route(web::get().to(get_metrics)));
}

async fn post_traces(store: web::Data<Mutex<Store>>, body: web::Bytes) -> HttpResponse {
    let Ok(spans) = wire::spans(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let mut store = lock(&store);
    for (trace_id, span) in spans {
        store.keep(&trace_id, span);
    }
    taken()
}

async fn post_metrics(store: web::Data<Mutex<Store>>, body: web::Bytes) -> HttpResponse {
    let Ok(metrics) = wire::metrics(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    lock(&store).metrics.extend(metrics);
    taken()
}

/// All of it: a message without a field (opentelemetry.io/docs/specs/otlp, OTLP/HTTP response).
fn taken() -> HttpResponse {
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

async fn get_traces(store: web::Data<Mutex<Store>>, search: web::Query<Search>) -> HttpResponse {
    HttpResponse::Ok().json(lock(&store).summaries(&search))
}

async fn get_requests(store: web::Data<Mutex<Store>>) -> HttpResponse {
    HttpResponse::Ok().json(lock(&store).requests())
}

async fn get_trace(store: web::Data<Mutex<Store>>, trace_id: web::Path<String>) -> HttpResponse {
    HttpResponse::Ok().json(lock(&store).trace(&trace_id))
}

async fn get_spans(store: web::Data<Mutex<Store>>) -> HttpResponse {
    let store = lock(&store);
    HttpResponse::Ok().json(store.newest_first().flat_map(|(_, spans)| spans).collect::<Vec<_>>())
}

async fn get_metrics(store: web::Data<Mutex<Store>>) -> HttpResponse {
    HttpResponse::Ok().json(&lock(&store).metrics)
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept, and in which order it came.
#[derive(Default)]
struct Store {
    traces: HashMap<String, Vec<Span>>,
    order: VecDeque<String>,
    spans: usize,
    metrics: BTreeMap<String, Value>,
}

impl Store {
    fn keep(&mut self, trace_id: &str, span: Span) {
        let spans = self.traces.entry(trace_id.to_owned()).or_insert_with(|| {
            self.order.push_back(trace_id.to_owned());
            Vec::new()
        });
        if spans.len() < MAX_SPANS_PER_TRACE {
            spans.push(span);
            self.spans += 1;
        }
        while self.spans > MAX_SPANS {
            let Some(oldest) = self.order.pop_front() else { break };
            self.spans -= self.traces.remove(&oldest).map_or(0, |spans| spans.len());
        }
    }

    fn trace(&self, trace_id: &str) -> Vec<Span> {
        let mut spans = self.traces.get(trace_id).cloned().unwrap_or_default();
        spans.sort_by_key(|span| (span.start_ns, span.end_ns));
        spans
    }

    fn newest_first(&self) -> impl Iterator<Item = (&String, &Vec<Span>)> {
        self.order.iter().rev().filter_map(|id| self.traces.get_key_value(id))
    }

    fn summaries(&self, search: &Search) -> Vec<Value> {
        let found = self.newest_first().filter(|(id, spans)| search.finds(id, spans)).take(search.most());
        found.map(|(id, spans)| search::summary(id, spans)).collect()
    }

    fn requests(&self) -> BTreeMap<&str, &Map<String, Value>> {
        let spans = self.newest_first().flat_map(|(_, spans)| spans);
        spans.filter_map(search::request).take(MAX_REQUESTS).collect()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
    use opentelemetry_proto::tonic::trace::v1::{self as trace, ResourceSpans, ScopeSpans, Status};
    use prost::Message as _;
    use serde_json::json;

    use super::*;

    fn export(trace: u32, spans: usize) -> ExportTraceServiceRequest {
        let attribute = |key: &str, value: &str| {
            let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
            KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
        };
        let status = any_value::Value::IntValue(200);
        let status =
            KeyValue { value: Some(AnyValue { value: Some(status) }), ..attribute("http.response.status_code", "") };
        let span = |n: usize| trace::Span {
            trace_id: u128::from(trace).to_be_bytes().to_vec(),
            span_id: n.to_be_bytes().to_vec(),
            name: "GET /v1/accounts".to_owned(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: 1000 + n as u64,
            end_time_unix_nano: 2000,
            attributes: vec![status.clone(), attribute("http.route", "/v1/accounts")],
            status: Some(Status { code: StatusCode::Error.into(), ..Status::default() }),
            ..trace::Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: (0..spans).map(span).collect(), ..ScopeSpans::default() }];
        let resource = Resource { attributes: vec![attribute("service.name", "ledger")], ..Resource::default() };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }],
        }
    }

    fn fill(store: &mut Store, trace: u32, spans: usize) {
        for (trace_id, span) in wire::spans(&export(trace, spans).encode_to_vec()).unwrap() {
            store.keep(&trace_id, span);
        }
    }

    #[test]
    fn a_span_is_read_as_it_was_sent() {
        let mut store = Store::default();
        fill(&mut store, 7, 2);
        let spans = store.trace("00000000000000000000000000000007");
        let first = spans.first().unwrap();
        assert_eq!((first.service.as_str(), first.kind.as_str(), first.start_ns), ("ledger", "server", 1000));
        assert_eq!(first.attributes["http.response.status_code"], 200);
        assert!(first.parent.is_none() && first.error);
    }

    #[test]
    fn the_oldest_traces_give_way_and_one_trace_cannot_take_everything() {
        let mut store = Store::default();
        fill(&mut store, 1, MAX_SPANS_PER_TRACE + 10);
        assert_eq!(store.spans, MAX_SPANS_PER_TRACE);
        for trace in 2..=11 {
            fill(&mut store, trace, MAX_SPANS_PER_TRACE);
        }
        assert!(store.spans <= MAX_SPANS);
        assert!(store.trace(&format!("{:032x}", 1)).is_empty());
        assert!(!store.trace(&format!("{:032x}", 11)).is_empty());
    }

    #[test]
    fn whoever_looks_for_a_trace_finds_that_one() {
        let mut store = Store::default();
        fill(&mut store, 1, 1);
        fill(&mut store, 2, 1);
        let mut other = store.traces.remove(&format!("{:032x}", 2)).unwrap();
        let span = &mut other[0];
        (span.service, span.name, span.kind) = ("broker".to_owned(), "db.call".to_owned(), "client".to_owned());
        span.end_ns = 5_001_000;
        span.attributes = serde_json::from_value(
            json!({"http.response.status_code": "503", "redoubt.listener": "public", "request_id": "r"}),
        )
        .unwrap();
        store.traces.insert(format!("{:032x}", 2), other);
        let found = |search: Value| {
            let search: Search = serde_json::from_value(search.clone()).unwrap();
            let ids = store.summaries(&search).into_iter().map(|found| found["trace_id"].as_str().unwrap().to_owned());
            ids.map(|id| id.trim_start_matches('0').to_owned()).collect::<Vec<_>>().join(" ")
        };
        for (search, ids) in [
            (json!({}), "2 1"),
            (json!({"limit": 1}), "2"),
            (json!({"id": format!("{:032x}", 1)}), "1"),
            (json!({"service": "broker"}), "2"),
            (json!({"name": "accounts"}), "1"),
            (json!({"status": "200"}), "1"),
            (json!({"status": "503"}), "2"),
            (json!({"at_least_ms": 5}), "2"),
            (json!({"at_least_ms": 6}), ""),
            (json!({"public": true}), "2"),
            (json!({"service": "broker", "name": "accounts"}), ""),
        ] {
            assert_eq!(found(search.clone()), ids, "{search}");
        }
        let of_both = store.traces[&format!("{:032x}", 1)][0].clone();
        store.traces.get_mut(&format!("{:032x}", 2)).unwrap().push(of_both);
        let looked_for: Search = serde_json::from_value(json!({"status": "200", "name": "db"})).unwrap();
        let told = store.summaries(&looked_for);
        assert_eq!(told[0]["statuses"], json!(["200", "503"]), "what is searched is shown");
        store.traces.get_mut(&format!("{:032x}", 2)).unwrap().pop();
        assert_eq!(store.requests().into_keys().collect::<Vec<_>>(), Vec::<&str>::new(), "a call out is no request");
        store.traces.get_mut(&format!("{:032x}", 2)).unwrap()[0].kind = "server".to_owned();
        assert_eq!(store.requests()["r"]["http.response.status_code"], "503");
        for route in ["/health/ready", "/metrics", "/internal/v1/invariants", "/internal/v1/receipts/{request_id}"] {
            let attributes = &mut store.traces.get_mut(&format!("{:032x}", 2)).unwrap()[0].attributes;
            attributes.insert("http.route".to_owned(), route.into());
            assert!(store.requests().is_empty(), "{route} is an operator's question");
        }
    }

    #[test]
    fn it_does_not_listen_to_the_world() {
        assert!(serve(TcpListener::bind("0.0.0.0:0").unwrap()).is_err());
    }

    /// The whole way: a span of the runtime's telemetry, its own exporter, this receiver.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_runtime_exports_arrives() {
        use runtime::telemetry;
        let collector = serve(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        let config = runtime::config::Telemetry { otlp_endpoint: Some(collector.url()), ..Default::default() };
        let guard = telemetry::init_with("probe", &config, telemetry::Sink::Memory(Arc::default())).unwrap();
        runtime::metrics::decision("message_signature", "refuse");
        let outer = tracing::info_span!("outer", otel.kind = "server");
        let trace_id = runtime::trace::trace_id(&outer).unwrap();
        outer.in_scope(|| drop(storage::span("transfers.post").entered()));
        drop(outer);
        guard.flush().await;
        let spans = collector.trace(&trace_id);
        assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["outer", "db.transfers.post"]);
        assert_eq!(spans[1].parent.as_ref(), Some(&spans[0].span_id));
        assert_eq!(spans[1].attributes["db.system"], "postgresql");
        assert_eq!(spans[0].service, "probe");
        let metrics = lock(&collector.store).metrics.get("probe").unwrap().to_string();
        assert!(metrics.contains("defense.decisions") && metrics.contains("message_signature"), "{metrics}");
    }
}
