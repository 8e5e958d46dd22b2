//! A quiet log: what it must still say.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
};
use serde_json::Value;

use super::*;
use crate::SystemClock;
use crate::middleware::{Side, Treatment, handle};
use crate::transport::Refusals;

const ADDRESS: ([u8; 4], u16) = ([192, 0, 2, 7], 4711);

async fn audited() -> HttpResponse {
    tracing::info!("which a quiet log leaves out");
    crate::audit!("login", outcome = "ok");
    HttpResponse::NoContent().finish()
}

#[actix_web::test]
async fn a_quiet_log_still_says_where_what_is_audited_came_from() {
    let memory = Arc::new(Mutex::new(Vec::new()));
    let config = Telemetry { log: "warn".to_owned(), ..Telemetry::default() };
    let guard = providers("probe", &config).unwrap();
    let _quiet = subscriber("probe", &config, &guard, Sink::Memory(Arc::clone(&memory))).unwrap().set_default();
    let address = SocketAddr::from(ADDRESS);

    let treatment = Treatment { side: Side::Public, traces: false, deadline: Duration::from_secs(1) };
    let app = App::new()
        .wrap(from_fn(move |request, next| handle(treatment, Arc::new(SystemClock), request, next)))
        .route("/", web::get().to(audited));
    let request = TestRequest::get().uri("/").peer_addr(address).insert_header(("user-agent", "probe/1.0"));
    let answer = call_service(&init_service(app).await, request.to_request()).await;
    Refusals::new(Side::Internal, Arc::new(SystemClock)).record(Ok(address), "http_malformed");

    let text = String::from_utf8(memory.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, (listener, agent)) in lines.iter().zip([("public", "probe/1.0"), ("internal", "")]) {
        assert_eq!(line["network.peer.address"], "192.0.2.7", "{line}");
        assert_eq!(line["network.peer.port"], 4711, "{line}");
        assert_eq!(line["user_agent.original"], agent, "{line}");
        assert_eq!(line["redoubt.listener"], listener, "{line}");
    }
    assert_eq!(lines[0]["request_id"], answer.headers().get("request-id").unwrap().to_str().unwrap());
    assert_eq!(lines[0]["trace_id"].as_str().map(str::len), Some(32), "{text}");
}

#[test]
fn of_many_traces_all_services_send_the_same_ones_whatever_the_caller_says() {
    let config = Telemetry { one_trace_in: NonZeroU32::new(10).unwrap(), ..Telemetry::default() };
    let services = [providers("one", &config).unwrap(), providers("other", &config).unwrap()];
    let sent = |guard: &Guard, id: u128, flags| {
        let caller = SpanContext::new(TraceId::from(id), SpanId::from(1), flags, true, TraceState::NONE);
        let context = opentelemetry::Context::new().with_remote_span_context(caller);
        let span = guard.tracer.tracer("probe").start_with_context("request", &context);
        assert_eq!(span.span_context().trace_id(), TraceId::from(id));
        span.span_context().is_sampled()
    };
    let mut all = 0;
    for number in 1..=2_000_u128 {
        // Ids as random as real ones.
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let said = [TraceFlags::SAMPLED, TraceFlags::NOT_SAMPLED].map(|flags| sent(&services[0], id, flags));
        assert_eq!(said, [sent(&services[1], id, TraceFlags::SAMPLED); 2], "{id:x}");
        all += u32::from(said[0]);
    }
    assert!((150..250).contains(&all), "about one in ten of 2,000: {all}");
    let all_of_them = providers("probe", &Telemetry::default()).unwrap();
    assert!((1..=100).all(|id| sent(&all_of_them, id, TraceFlags::NOT_SAMPLED)));
}
