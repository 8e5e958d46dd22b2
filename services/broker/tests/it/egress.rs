//! The way out: what an upstream sends that must not be followed, unpacked, awaited or believed.

use std::time::Duration;

use broker::config::ProviderSettings;
use serde_json::json;
use tokio::time::Instant;

use crate::bench::{Bench, logged};
use crate::raw::Raw;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_out_of_bounds_is_no_answer() {
    let bench = Bench::start().await;
    for how in [
        "redirect",
        "redirect-307",
        "huge",
        "huge-in-chunks",
        "endless",
        "drip",
        "silent",
        "gzip",
        "html",
        "deep",
        "not-json",
        "no-id",
        "object-id",
    ] {
        let before = bench.hostile.seen().len();
        let (status, problem) = bench.call("hostile/ask", json!({ "how": how })).await;
        assert_eq!((status, problem["code"].as_str()), (502, Some("broker.upstream_failed")), "{how}");
        assert_eq!(problem["detail"], serde_json::Value::Null, "{how}: nothing of the upstream's is told");
        assert_eq!(bench.hostile.seen().len(), before + 1, "{how}: asked once, followed nowhere");
    }
    assert_eq!(bench.call("hostile/good", json!({})).await.1["result"], json!({ "id": "1" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_resolves_to_an_address_nobody_allowed_is_not_connected_to() {
    let bench = Bench::start().await;
    let (status, problem) = bench.call("outside/good", json!({})).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")));
    assert!(bench.hostile.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_an_alarm_and_asked_for_once() {
    let bench = Bench::start().await;
    let (status, problem) = bench.call("impostor/good", json!({})).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")));
    assert!(bench.hostile.seen().is_empty());

    let raw = Raw::start(&bench.pki.public("partner"), &rustls::version::TLS13, |_| String::new());
    let settings =
        ProviderSettings { root_certificates_file: Some(bench.pki.internal_ca()), ..bench.on_loopback(raw.url()) };
    let broker = bench.broker_with("raw", settings).await;
    let (status, problem) = bench.call_at(&broker, "raw/ask", json!({ "how": "x" })).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")));
    assert_eq!(raw.connections(), 1, "an impostor does not become genuine by being asked again");
    assert!(audited("raw", "certificate"));
}

/// Whether an alarm of that provider is in the audit log.
fn audited(provider: &str, reason: &str) -> bool {
    let log = String::from_utf8_lossy(&logged().lock().unwrap()).into_owned();
    let (provider, reason) = (format!("\"provider\":\"{provider}\""), format!("\"reason\":\"{reason}\""));
    log.lines().any(|line| line.contains("\"target\":\"audit\"") && line.contains(&provider) && line.contains(&reason))
}

fn ambiguous(target: &str) -> String {
    let body = "{\"id\":\"1\"}";
    let chunks = format!("a\r\n{body}\r\n0\r\n\r\n");
    let answer = |status: &str, framing: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{framing}\r\n\r\n{body}")
    };
    match target.trim_start_matches('/') {
        "good" => answer("200 OK", "content-length: 10", body),
        "good-chunks" => answer("200 OK", "transfer-encoding: chunked", &chunks),
        "both" => answer("200 OK", "transfer-encoding: chunked\r\ncontent-length: 10", &chunks),
        "both-turned" => answer("200 OK", "content-length: 24\r\ntransfer-encoding: chunked", &chunks),
        "two-lengths" => answer("200 OK", "content-length: 10\r\ncontent-length: 11", body),
        "a-length-twice" => answer("200 OK", "content-length: 10\r\ncontent-length: 10", body),
        "a-list" => answer("200 OK", "content-length: 10, 10", body),
        "signed" => answer("200 OK", "content-length: +10", body),
        "two-codings" => answer("200 OK", "transfer-encoding: gzip, chunked", &chunks),
        "chunked-twice" => answer("200 OK", "transfer-encoding: chunked\r\ntransfer-encoding: chunked", &chunks),
        "identity" => answer("200 OK", "transfer-encoding: identity", body),
        "refusal" => answer("422 Unprocessable Content", "transfer-encoding: chunked\r\ncontent-length: 10", &chunks),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_two_readers_would_end_at_different_places_is_no_answer() {
    let bench = Bench::start().await;
    let raw = Raw::start(&bench.pki.public("partner"), &rustls::version::TLS13, ambiguous);
    let broker = bench.broker_with("raw", bench.on_loopback(raw.url())).await;
    for how in ["good", "good-chunks"] {
        let (status, answer) = bench.call_at(&broker, "raw/ask", json!({ "how": how })).await;
        assert_eq!((status, &answer["result"]), (200, &json!({ "id": "1" })), "{how}");
    }
    for how in [
        "both",
        "both-turned",
        "two-lengths",
        "a-length-twice",
        "a-list",
        "signed",
        "two-codings",
        "chunked-twice",
        "identity",
        "refusal",
    ] {
        let (status, problem) = bench.call_at(&broker, "raw/ask", json!({ "how": how })).await;
        assert_eq!((status, problem["code"].as_str()), (502, Some("broker.upstream_failed")), "{how}");
        let (status, problem) = bench.call_at(&broker, "raw/order", json!({ "how": how })).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("server.outcome_unknown")), "{how}");
    }
    assert!(audited("raw", "framing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_name_server_of_one_provider_holds_up_no_other() {
    let bench = std::sync::Arc::new(Bench::start().await);
    let lost: Vec<_> = (0..16)
        .map(|_| {
            let bench = std::sync::Arc::clone(&bench);
            tokio::spawn(async move { bench.call("lost/good", json!({})).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    for call in lost {
        let (status, problem) = call.await.unwrap();
        assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")));
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_spoken_with_a_provider_whose_manifest_says_so_and_with_no_other() {
    let bench = Bench::start().await;
    let raw = Raw::start(&bench.pki.public("partner"), &rustls::version::TLS12, ambiguous);
    let broker = bench.broker_with("raw", bench.on_loopback(raw.url())).await;
    let (status, problem) = bench.call_at(&broker, "raw/ask", json!({ "how": "good" })).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")));
    let broker = bench.broker_with("old", bench.on_loopback(raw.url())).await;
    let (status, answer) = bench.call_at(&broker, "old/ask", json!({ "how": "good" })).await;
    assert_eq!((status, &answer["result"]), (200, &json!({ "id": "1" })));
    let new = Raw::start(&bench.pki.public("partner"), &rustls::version::TLS13, ambiguous);
    let broker = bench.broker_with("old", bench.on_loopback(new.url())).await;
    assert_eq!(bench.call_at(&broker, "old/ask", json!({ "how": "good" })).await.0, 200, "1.3 where it is there");
}
