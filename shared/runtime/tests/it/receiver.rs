//! An OTLP receiver that keeps what it is sent.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;

/// The bodies of all exports, by path.
#[derive(Clone, Default)]
pub(crate) struct Receiver(Arc<Mutex<Vec<(String, Value)>>>);

impl Receiver {
    /// Starts one that lives as long as the process; says its base URL.
    pub(crate) fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = self.clone();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(web::Data::new(kept.clone())).default_service(web::to(keep));
                HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run().await.unwrap();
            });
        });
        url
    }

    /// The spans of one trace, once there are `n` of them.
    pub(crate) async fn spans(&self, trace_id: &str, n: usize) -> Vec<Value> {
        for _ in 0..100 {
            let spans = self.all_spans(trace_id);
            if spans.len() >= n {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{n} spans of {trace_id} did not arrive: {:?}", self.all_spans(trace_id));
    }

    /// How often that layer has decided so, as far as has been said yet; metrics come every ten seconds.
    pub(crate) fn decisions(&self, layer: &str, outcome: &str) -> u64 {
        let points = self.points("defense.decisions");
        let ours = |point: &&Value| attribute(point, "layer") == layer && attribute(point, "outcome") == outcome;
        let count = |point: &Value| {
            point["asInt"].as_str().map_or_else(|| point["asInt"].as_u64(), |text| text.parse().ok()).unwrap()
        };
        points.iter().rev().find(ours).map_or(0, count)
    }

    /// [`Self::decisions`] once there are `n`, or after a while.
    pub(crate) async fn decisions_reach(&self, layer: &str, outcome: &str, n: u64) -> u64 {
        for _ in 0..150 {
            if self.decisions(layer, outcome) >= n {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.decisions(layer, outcome)
    }

    /// The last value of a gauge for these attributes, once it has been said.
    pub(crate) async fn gauge(&self, name: &str, attributes: &[(&str, &str)]) -> Option<String> {
        for _ in 0..250 {
            let points = self.points(name);
            let ours = |point: &&Value| attributes.iter().all(|(key, value)| attribute(point, key) == *value);
            if let Some(point) = points.iter().rev().find(ours) {
                return Some(point["asInt"].as_str().map_or_else(|| point["asInt"].to_string(), str::to_owned));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }

    fn points(&self, name: &str) -> Vec<Value> {
        let kept = self.0.lock().unwrap();
        let resources =
            kept.iter().filter(|(path, _)| path == "/v1/metrics").flat_map(|(_, body)| list(body, "resourceMetrics"));
        let metrics =
            resources.flat_map(|resource| list(resource, "scopeMetrics")).flat_map(|scope| list(scope, "metrics"));
        metrics
            .filter(|metric| metric["name"] == name)
            .flat_map(|metric| [list(&metric["sum"], "dataPoints"), list(&metric["gauge"], "dataPoints")].concat())
            .collect()
    }

    fn all_spans(&self, trace_id: &str) -> Vec<Value> {
        let kept = self.0.lock().unwrap();
        let resources =
            kept.iter().filter(|(path, _)| path == "/v1/traces").flat_map(|(_, body)| list(body, "resourceSpans"));
        let scopes = resources.flat_map(|resource| list(resource, "scopeSpans"));
        let spans = scopes.flat_map(|scope| list(scope, "spans"));
        spans.filter(|span| span["traceId"] == trace_id).cloned().collect()
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

async fn keep(request: HttpRequest, body: web::Bytes, kept: web::Data<Receiver>) -> HttpResponse {
    let message = match request.path() {
        "/v1/traces" => serde_json::to_value(ExportTraceServiceRequest::decode(body).unwrap()),
        "/v1/metrics" => serde_json::to_value(ExportMetricsServiceRequest::decode(body).unwrap()),
        other => panic!("nothing is sent to {other}"),
    };
    kept.0.lock().unwrap().push((request.path().to_owned(), message.unwrap()));
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

/// The value of a span's attribute, as text.
pub(crate) fn attribute(span: &Value, key: &str) -> String {
    let found = list(span, "attributes").iter().find(|attribute| attribute["key"] == key);
    let value = found.and_then(|attribute| attribute["value"].as_object()).and_then(|value| value.values().next());
    value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default()
}
