//! Calls of operations.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::server;

use crate::bench::{Bench, HOSTILE_SECRET, audited};
use crate::hostile::ECHOES;

const PAYOUT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn order() -> Value {
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
    let requests = bench.ledger.requests();
    assert_eq!(requests[0].path, "/internal/v1/payout-events");
    assert_eq!(
        (requests[0].body["payout_id"].as_str(), requests[0].body["status"].as_str()),
        (Some(PAYOUT), Some("paid"))
    );
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
    for operation in ["hostile/for_auth", "hostile/nothing", "nobody/nothing", "ecb/GET"] {
        answers.push(bench.call_as(&bench.as_ledger, operation, body.clone()).await);
    }
    // Nobody honest spells a path like this: it comes no further than layer host.
    let (status, problem) = bench.call_as(&bench.as_ledger, "ecb/..%2f..%2fgood", body.clone()).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("request.invalid")));
    answers.push(bench.call_as(&as_auth, "ecb/reference_rates", body.clone()).await);
    // What a call is made of is not looked at either.
    answers.push(bench.call_as(&as_auth, "ecb/reference_rates", json!({ "params": 1, "more": 2 })).await);
    for (status, mut problem) in answers {
        problem.as_object_mut().unwrap().remove("request_id");
        assert_eq!((status, problem["code"].as_str()), (404, Some("broker.operation_unknown")));
        assert_eq!(problem["detail"], Value::Null);
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

fn refused(problem: &Value) -> Vec<Value> {
    audited(problem["request_id"].as_str().unwrap())
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
        assert_eq!(refused(&problem), [json!(["egress", "parameters_invalid", "ledger"])]);
    }
    let (status, problem) = bench.call("sandbox-bank/create_payout", order()).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("idempotency.key_missing")));
    assert_eq!(refused(&problem), [json!(["egress", "key_missing", "ledger"])]);
    for key in ["", "a b", "a\r\nx: y", &"x".repeat(129)] {
        let (status, problem) = bench.call_with_key("sandbox-bank/create_payout", order(), key).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("idempotency.key_invalid")), "{key:?}");
        assert_eq!(refused(&problem), [json!(["egress", "key_invalid", "ledger"])]);
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
        ("hostile/order", "accepted", 503, "server.outcome_unknown", 1),
        ("hostile/order", "two-ids", 503, "server.outcome_unknown", 1),
        ("hostile/order_by_key", "accepted", 503, "server.outcome_unknown", 1),
        ("hostile/order", "refuse", 422, "broker.upstream_refused", 1),
        // A no without the agreed words may come from anything in front of the books.
        ("hostile/order", "refuse-otherwise", 503, "server.outcome_unknown", 1),
        ("hostile/order", "refuse-by-firewall", 503, "server.outcome_unknown", 1),
        ("hostile/order", "refuse-moved", 503, "server.outcome_unknown", 1),
        // So may a yes.
        ("hostile/order", "take-and-reject", 503, "server.outcome_unknown", 1),
        ("hostile/order", "take-otherwise", 503, "server.outcome_unknown", 1),
        ("hostile/order", "busy", 503, "server.outcome_unknown", 1),
        ("hostile/order_by_key", "fail", 503, "server.outcome_unknown", 3),
        ("hostile/order_by_key", "refuse", 422, "broker.upstream_refused", 1),
        ("hostile/order_by_key", "late", 503, "server.outcome_unknown", 2),
        ("hostile/order_by_key", "flaky", 200, "", 3),
        ("hostile/ask", "fail", 502, "broker.upstream_failed", 1),
        ("hostile/ask_again", "fail", 502, "broker.upstream_failed", 3),
        ("hostile/ask_again", "refuse", 422, "broker.upstream_refused", 1),
        ("hostile/ask_again", "refuse-by-firewall", 422, "broker.upstream_refused", 1),
        ("hostile/ask_again", "busy-a-second", 200, "", 2),
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
    config.providers.get_mut(&"ecb".into()).unwrap().base_url = Some("https://localhost:1".to_owned());
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

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_asks_for_a_pause_gets_it_from_every_call() {
    let bench = Bench::start().await;
    let (status, problem) = bench.call("hostile/ask_again", json!({ "how": "busy-a-minute" })).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")));
    assert_eq!(bench.hostile.seen().len(), 1, "a long pause ends the attempts");
    bench.clock.advance(59);
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 503);
    assert_eq!(bench.hostile.seen().len(), 1, "nothing is sent in the meantime");
    bench.clock.advance(1);
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_secret_is_left_alone_until_another_is_sealed() {
    let bench = Bench::start().await;
    let next = "hostile_next_secret_0123456789";
    next.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 503);
    let asked = bench.hostile.seen().len();
    bench.clock.advance(29);
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 503);
    assert_eq!(bench.hostile.seen().len(), asked);
    bench.clock.advance(1);
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 503);
    assert!(bench.hostile.seen().len() > asked, "half a minute later it is tried again");
    assert_eq!(bench.seal("hostile", "api", next).await, 2);
    bench.clock.advance(31);
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 200, "long before the second pause is over");
}

/// Where the sandbox bank says an order stands, once it has dealt with it: it does so beside its answer, not before.
async fn standing_of(bench: &Bench, payout: &str) -> (u16, Value) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let (status, answer) = bench.call("sandbox-bank/payout_status", json!({ "payout_id": payout })).await;
        if answer["result"]["outcome"] != "accepted" || tokio::time::Instant::now() > deadline {
            return (status, answer);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The words of the sandbox bank, over its real API.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_lost_or_late_is_unknown_and_the_bank_knows_where_it_stands() {
    let bench = Bench::start().await;
    for (creditor, payout, code, standing) in [
        ("LOST Ltd", "01890a5d-ac96-774b-bcce-b302099a8101", (503, "server.outcome_unknown"), json!("paid")),
        ("SLOW Ltd", "01890a5d-ac96-774b-bcce-b302099a8102", (503, "server.outcome_unknown"), json!("paid")),
        ("REJECT Ltd", "01890a5d-ac96-774b-bcce-b302099a8103", (422, "broker.upstream_refused"), json!("failed")),
        ("Carol", "01890a5d-ac96-774b-bcce-b302099a8104", (200, ""), json!("paid")),
    ] {
        let mut params = order();
        params["creditor_name"] = json!(creditor);
        params["payout_id"] = json!(payout);
        let (status, answer) = bench.call_with_key("sandbox-bank/create_payout", params, payout).await;
        assert_eq!((status, answer["code"].as_str().unwrap_or_default()), code, "{creditor}");
        let (status, answer) = standing_of(&bench, payout).await;
        assert_eq!((status, &answer["result"]["outcome"]), (200, &standing), "{creditor}: {answer}");
        assert_eq!(answer["result"].as_object().unwrap().len(), 2, "{creditor}: the id and the outcome, no more");
    }
    assert_eq!(bench.partner.calls().payouts_created, 3);
    let (status, problem) = bench.call("sandbox-bank/payout_status", json!({ "payout_id": PAYOUT })).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (422, Some("broker.upstream_refused")),
        "the bank knows no such order"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_on_an_order_comes_before_its_caller_gives_up() {
    let bench = Bench::start().await;
    let mut params = order();
    params["creditor_name"] = json!("SLOW Ltd");
    let asked = tokio::time::Instant::now();
    let (_, problem) = bench.call_with_key("sandbox-bank/create_payout", params, PAYOUT).await;
    assert_eq!(problem["code"], "server.outcome_unknown");
    assert!(asked.elapsed() < broker::providers::catalogue::CALL_BUDGET, "{:?}", asked.elapsed());
}
