//! Traces and logs, with the process-wide telemetry installed once for all tests here.

use std::sync::{Arc, LazyLock, Mutex};

use runtime::config::Telemetry;
use runtime::metrics::Size;
use runtime::telemetry::{self, Sink};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::pki::Pki;
use crate::probe;
use crate::receiver::{Receiver, attribute};

pub(crate) struct Installed {
    log: Arc<Mutex<Vec<u8>>>,
    pub(crate) receiver: Receiver,
    /// Telemetry lives on it, so it must outlive every single test.
    pub(crate) runtime: Runtime,
}

/// Installed before anything is counted ([`probe::start`] sees to it): an instrument that is made earlier counts nothing for as long as the process lives, as
/// each is made once. A service installs telemetry before it starts.
pub(crate) static INSTALLED: LazyLock<Installed> = LazyLock::new(|| {
    let (log, receiver) = (Arc::new(Mutex::new(Vec::new())), Receiver::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Telemetry { otlp_endpoint: Some(receiver.start()), ..Telemetry::default() };
    let sink = Sink::Memory(Arc::clone(&log));
    let entered = runtime.enter();
    let guard = telemetry::init_with("probe", &config, sink).unwrap();
    drop(entered);
    // Lives as long as the process: the tests share it.
    std::mem::forget(guard);
    Installed { log, receiver, runtime }
});

/// The log lines of all requests so far.
pub(crate) fn all_lines() -> Vec<Value> {
    let text = String::from_utf8(INSTALLED.log.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect()
}

/// The log lines of one request.
fn lines(request_id: &str) -> Vec<Value> {
    all_lines().into_iter().filter(|line| line["request_id"] == request_id).collect()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

const OWN: &str = "6df92f3577b34da6a3ce929d0e0e4738";

#[test]
fn a_trace_from_outside_goes_on_to_the_next_service_and_nothing_else_does() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let target = probe::start(probe::config(&pki, "target")).await;
        let mut config = probe::config(&pki, "probe");
        config.target = Some((probe::url(target.internal, ""), "target".to_owned()));
        let running = probe::start(config).await;
        let request = probe::outside(&pki)
            .get(probe::url(running.public.unwrap(), "/call"))
            // Not sampled, says the caller; that is not theirs to decide.
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-00"))
            .header("tracestate", "vendor=smuggled")
            .header("baggage", "user=alice")
            .header("request-id", "chosen-by-the-caller");
        let answer = request.send().await.unwrap();
        let id = answer.headers()["request-id"].to_str().unwrap().to_owned();
        let received = answer.text().await.unwrap();
        assert!(received.starts_with(&format!("00-{TRACE}-")) && received.ends_with("-01"), "{received}");
        assert!(!received.contains("00f067aa0ba902b7"), "the parent is the client span: {received}");
        let lines = lines(&id);
        assert!(lines.iter().any(|line| line["message"] == "request" && line["trace_id"] == TRACE), "{lines:?}");

        let spans = INSTALLED.receiver.spans(TRACE, 3).await;
        let span = |name: &str, kind: u8| {
            spans
                .iter()
                .find(|span| span["name"] == name && span["kind"] == kind)
                .unwrap_or_else(|| panic!("{spans:?}"))
        };
        let (first, client) = (span("GET /call", 2), span("GET /traceparent", 3));
        let second = span("GET /traceparent", 2);
        assert_eq!(first["parentSpanId"], "00f067aa0ba902b7");
        assert_eq!(client["parentSpanId"], first["spanId"]);
        assert_eq!(second["parentSpanId"], client["spanId"]);
        assert_eq!(attribute(first, "http.route"), "/call");
        assert_eq!(attribute(first, "http.response.status_code"), "200");
        assert_eq!(attribute(second, "redoubt.peer"), "probe");
        assert!(spans.iter().all(|span| span["traceState"] == ""), "{spans:?}");
    });
}

#[test]
fn a_link_names_the_other_trace_and_joins_nothing() {
    INSTALLED.runtime.block_on(async {
        let (other, parent) = ("5cf92f3577b34da6a3ce929d0e0e4737", format!("00-{OWN}-00f067aa0ba902b7-01"));
        let span = runtime::tracing::info_span!("linked");
        runtime::trace::continue_from(&span, Some(&parent));
        runtime::trace::link(&span, Some(&format!("00-{other}-00f067aa0ba902b8-01")));
        runtime::trace::link(&span, Some("garbage"));
        runtime::trace::link(&span, None);
        drop(span);
        let spans = INSTALLED.receiver.spans(OWN, 1).await;
        let links = spans[0]["links"].as_array().unwrap();
        assert_eq!((links.len(), links[0]["traceId"].as_str()), (1, Some(other)), "{spans:?}");
        assert_eq!(links[0]["spanId"], "00f067aa0ba902b8");
    });
}

#[test]
fn a_malformed_traceparent_is_ignored() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let client = probe::outside(&pki);
        for traceparent in ["garbage", "00-0-0-0", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""] {
            let request = client.get(probe::url(running.public.unwrap(), "/notes/1"));
            let answer = request.header("traceparent", traceparent).send().await.unwrap();
            let line = lines(answer.headers()["request-id"].to_str().unwrap()).pop().unwrap();
            let trace_id = line["trace_id"].as_str().unwrap();
            assert!(trace_id.len() == 32 && trace_id != TRACE, "{line}");
        }
    });
}

#[test]
fn a_log_line_has_its_request_and_prints_no_secret_and_cannot_be_forged() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let url = probe::url(running.public.unwrap(), "/secret?token=hunter2");
        let answer = probe::outside(&pki).get(url).send().await.unwrap();
        let lines = lines(answer.headers()["request-id"].to_str().unwrap());
        let find = |target: &str| lines.iter().find(|line| line["target"] == target).unwrap();
        let careless = lines.iter().find(|line| line["message"] == "a careless line").unwrap();
        assert_eq!(careless["password"], "Secret(redacted)");
        assert_eq!((careless["service"].as_str(), careless["level"].as_str()), (Some("probe"), Some("INFO")));
        let audit = find("audit");
        assert_eq!(audit["subject"], "alice\n{\"level\":\"forged\"}");
        assert_eq!((audit["event"].as_str(), audit["level"].as_str()), (Some("login"), Some("INFO")));
        let request = find("http");
        assert_eq!((request["route"].as_str(), request["status"].as_u64()), (Some("/secret"), Some(204)));
        assert!(!format!("{lines:?}").contains("hunter2"), "{lines:?}");
    });
}

#[test]
fn how_full_a_memory_is_can_be_seen() {
    INSTALLED.runtime.block_on(async {
        let size = Size { memory: "once", class: "dpop_proof", entries: 7, most: 100 };
        runtime::metrics::observe_memory(move || vec![size]);
        let which = [("memory", "once"), ("class", "dpop_proof")];
        let said = async |name| INSTALLED.receiver.gauge(name, &which).await;
        assert_eq!(said("defense.memory.entries").await.as_deref(), Some("7"));
        assert_eq!(said("defense.memory.capacity").await.as_deref(), Some("100"));
    });
}

#[test]
fn the_first_fault_of_a_route_is_one_more_than_none() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let which = |outcome, route| {
            let fixed = [("redoubt.listener", "public"), ("http.request.method", "GET")];
            [fixed[0], fixed[1], ("http.route", route), ("outcome", outcome)]
        };
        let said =
            async |outcome, route| INSTALLED.receiver.gauge("redoubt.http.answers", &which(outcome, route)).await;
        for outcome in ["done", "refused", "fault"] {
            assert_eq!(said(outcome, "/counted").await.as_deref(), Some("0"), "{outcome}");
            assert!(said(outcome, "(none)").await.is_some(), "{outcome}");
        }
        let url = probe::url(running.public.unwrap(), "/counted");
        assert_eq!(probe::outside(&pki).get(url).send().await.unwrap().status(), 500);
        let mut fault = None;
        for _ in 0..250 {
            fault = said("fault", "/counted").await;
            if fault.as_deref() == Some("1") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(fault.as_deref(), Some("1"));
        assert_eq!(said("done", "/counted").await.as_deref(), Some("0"));
    });
}
