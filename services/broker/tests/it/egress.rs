//! The way out: what an upstream sends that must not be followed, unpacked, awaited or believed.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::bench::Bench;

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
async fn a_certificate_of_another_authority_is_not_this_providers() {
    let bench = Bench::start().await;
    let (status, problem) = bench.call("impostor/good", json!({})).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("broker.upstream_unavailable")));
    assert!(bench.hostile.seen().is_empty());
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
