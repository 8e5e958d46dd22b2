//! Calls of operations.

use serde_json::json;
use testkit::server;

use crate::bench::{Bench, HOSTILE_SECRET};
use crate::hostile::ECHOES;

const PAYOUT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn order() -> serde_json::Value {
    json!({
        "payout_id": PAYOUT, "amount": "12.34", "currency": "EUR",
        "creditor_iban": "AT611904300234573201", "creditor_name": "Carol", "reference": "rent",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_rates_come_from_the_ecbs_xml_and_are_asked_for_once() {
    let bench = Bench::start().await;
    for _ in 0..3 {
        let (status, answer) = bench.call("ecb/reference_rates", json!({})).await;
        assert_eq!(status, 200, "{answer}");
        let rates: api::broker::ReferenceRates = serde_json::from_value(answer["result"].clone()).unwrap();
        assert_eq!((rates.date.as_str(), rates.base.as_str()), ("2026-10-30", "EUR"));
        assert_eq!((rates.rates["USD"].as_str(), rates.rates["JPY"].as_str()), ("1.1172", "175.68"));
    }
    assert_eq!(bench.partner.calls().rates, 1);
    bench.clock.advance(601);
    assert_eq!(bench.call("ecb/reference_rates", json!({})).await.0, 200);
    assert_eq!(bench.partner.calls().rates, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_carries_the_secret_happens_once_and_says_only_what_is_listed() {
    let bench = Bench::start().await;
    let (status, first) = bench.call_with_key("sandbox-bank/create_payout", order(), PAYOUT).await;
    assert_eq!(status, 200, "{first}");
    let (_, again) = bench.call_with_key("sandbox-bank/create_payout", order(), PAYOUT).await;
    assert_eq!(first, again);
    let members: Vec<&String> = first["result"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "status"], "nothing of the partner's internal fields");
    let calls = bench.partner.calls();
    assert_eq!((calls.payouts, calls.payouts_created, calls.unauthorized), (2, 1, 0));
    bench.until("webhook_inbox where state = 'delivered'", 1).await;
    let told = bench.ledger.told();
    assert_eq!(told[0].path, "/internal/v1/payout-events");
    assert_eq!((told[0].body["payout_id"].as_str(), told[0].body["status"].as_str()), (Some(PAYOUT), Some("paid")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_party_learns_nothing_of_our_trace() {
    let bench = Bench::start().await;
    let url = format!("https://localhost:{}/internal/v1/operations/hostile/good", bench.broker.internal.port());
    let request = bench.as_ledger.post(url).header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let answer = request.header("tracestate", "a=b").json(&json!({ "params": {} })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = bench.hostile.seen();
    let ours = |name: &String| ["traceparent", "tracestate", "baggage", "request-id"].contains(&name.as_str());
    assert!(!seen[0].headers.iter().any(|(name, value)| ours(name) || value.contains(TRACE)), "{:?}", seen[0].headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlisted_operation_and_an_unlisted_caller_look_the_same() {
    let bench = Bench::start().await;
    let as_auth = server::client(&bench.pki.internal_ca(), Some(&bench.pki.internal("auth"))).unwrap();
    let body = json!({ "params": {} });
    let mut answers = Vec::new();
    for operation in ["hostile/for_auth", "hostile/nothing", "nobody/nothing", "ecb/GET", "ecb/..%2f..%2fgood"] {
        answers.push(bench.call_as(&bench.as_ledger, operation, body.clone()).await);
    }
    answers.push(bench.call_as(&as_auth, "ecb/reference_rates", body.clone()).await);
    for (status, mut problem) in answers {
        problem.as_object_mut().unwrap().remove("request_id");
        assert_eq!((status, problem["code"].as_str()), (404, Some("broker.operation_unknown")));
        assert_eq!(problem["detail"], serde_json::Value::Null);
    }
    assert_eq!(bench.call_as(&as_auth, "hostile/for_auth", body).await.0, 200);
    assert_eq!(bench.partner.calls().rates, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_certificate_of_the_house_gets_in() {
    let bench = Bench::start().await;
    let stranger = server::client(&bench.pki.internal_ca(), None).unwrap();
    let url = format!("https://localhost:{}/internal/v1/operations/ecb/reference_rates", bench.broker.internal.port());
    assert!(stranger.post(url).json(&json!({ "params": {} })).send().await.is_err());
    let public =
        format!("https://localhost:{}/internal/v1/operations/ecb/reference_rates", bench.broker.public.unwrap().port());
    assert_eq!(bench.public.post(public).json(&json!({ "params": {} })).send().await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_parameter_is_named_and_nothing_is_sent() {
    let bench = Bench::start().await;
    for (name, value, field) in [
        ("url", json!("https://evil.example"), "params.url"),
        ("amount", json!("-1"), "params.amount"),
        ("amount", json!(1), "params.amount"),
        ("currency", json!("euro"), "params.currency"),
        ("creditor_iban", json!("AT611904300234573202"), "params.creditor_iban"),
        ("creditor_name", json!("x".repeat(71)), "params.creditor_name"),
        ("payout_id", json!("../admin"), "params.payout_id"),
    ] {
        let mut params = order();
        params[name] = value;
        let (status, problem) = bench.call_with_key("sandbox-bank/create_payout", params, "k").await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("broker.parameters_invalid")), "{name}");
        assert_eq!(problem["field"], field);
    }
    let (status, problem) = bench.call("sandbox-bank/create_payout", order()).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("idempotency.key_missing")));
    for key in ["", "a b", "a\r\nx: y", &"x".repeat(129)] {
        let (status, problem) = bench.call_with_key("sandbox-bank/create_payout", order(), key).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("idempotency.key_invalid")), "{key:?}");
    }
    assert_eq!(bench.partner.calls().payouts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_holds_our_secret_never_passes_and_trips_the_breaker() {
    let bench = Bench::start().await;
    for how in ECHOES {
        let before = bench.hostile.seen().len();
        let (status, problem) = bench.call("hostile/ask", json!({ "how": how })).await;
        assert_eq!((status, problem["code"].as_str()), (502, Some("broker.upstream_failed")), "{how}");
        assert!(!problem.to_string().contains(HOSTILE_SECRET), "{how}");
        let (status, problem) = bench.call("hostile/good", json!({})).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")), "{how}");
        assert_eq!(bench.hostile.seen().len(), before + 1, "{how}: nothing more is sent");
        bench.clock.advance(11);
        assert_eq!(bench.call("hostile/good", json!({})).await.0, 200, "{how}: and later it is tried again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_happened_is_unknown_and_what_cannot_have_happened_is_not() {
    let bench = Bench::start().await;
    for (operation, how, status, code, requests) in [
        ("hostile/order", "fail", 503, "server.outcome_unknown", 1),
        ("hostile/order", "silent", 503, "server.outcome_unknown", 1),
        ("hostile/order", "no-id", 503, "server.outcome_unknown", 1),
        ("hostile/order", "redirect", 503, "server.outcome_unknown", 1),
        ("hostile/order", "refuse", 422, "broker.upstream_refused", 1),
        ("hostile/order", "busy", 503, "broker.upstream_unavailable", 1),
        ("hostile/order_by_key", "fail", 503, "server.outcome_unknown", 3),
        ("hostile/order_by_key", "refuse", 422, "broker.upstream_refused", 1),
        ("hostile/order_by_key", "flaky", 200, "", 3),
        ("hostile/ask", "fail", 502, "broker.upstream_failed", 1),
        ("hostile/ask_again", "fail", 502, "broker.upstream_failed", 3),
        ("hostile/ask_again", "refuse", 422, "broker.upstream_refused", 1),
    ] {
        let before = bench.hostile.seen().len();
        let (got, problem) = bench.call_with_key(operation, json!({ "how": how }), "key-1").await;
        assert_eq!((got, problem["code"].as_str().unwrap_or_default()), (status, code), "{operation} {how}");
        let seen = bench.hostile.seen().split_off(before);
        assert_eq!(seen.len(), requests, "{operation} {how}");
        let key = operation.ends_with("by_key").then_some("ledger:key-1");
        assert!(seen.iter().all(|seen| seen.key.as_deref() == key), "{operation} {how}: the same key each time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_open_the_breaker_and_stale_rates_still_serve() {
    let bench = Bench::start().await;
    assert_eq!(bench.call("ecb/reference_rates", json!({})).await.0, 200);
    // The broker that starts now finds nobody at the ECB's address.
    let mut config = bench.config.clone();
    config.providers.get_mut("ecb").unwrap().base_url = Some("https://localhost:1".to_owned());
    let clock = std::sync::Arc::clone(&bench.clock) as std::sync::Arc<dyn runtime::Clock>;
    let deaf = runtime::start::<broker::Broker>(config, clock).await.unwrap();
    let url = format!("https://localhost:{}/internal/v1/operations/ecb/reference_rates", deaf.internal.port());
    let ask = || async { bench.as_ledger.post(&url).json(&json!({ "params": {} })).send().await.unwrap() };
    let mut retry_after = None;
    for _ in 0..3 {
        let answer = ask().await;
        assert_eq!(answer.status(), 503);
        retry_after = answer.headers().get("retry-after").cloned();
    }
    assert_eq!(retry_after.unwrap(), "10", "the breaker says for how long");
    // And the one that has asked before serves what it has, for a day.
    drop(deaf);
    bench.clock.advance(3600);
    assert_eq!(bench.call("ecb/reference_rates", json!({})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_a_call_are_refused_as_problems() {
    let bench = Bench::start().await;
    let url = format!("https://localhost:{}/internal/v1/operations/ecb/reference_rates", bench.broker.internal.port());
    for (media_type, body, status) in [
        ("application/json", "", 400),
        ("application/json", "{}", 400),
        ("application/json", "{\"params\":[]}", 400),
        ("application/json", "{\"params\":{},\"url\":\"x\"}", 400),
        ("text/plain", "{\"params\":{}}", 415),
    ] {
        let request = bench.as_ledger.post(&url).header("content-type", media_type).body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{body}");
    }
}
