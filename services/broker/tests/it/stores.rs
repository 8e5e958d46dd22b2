//! The store that all processes of the broker share, a real Redis, goes away. What third parties send is counted there; which message came once is
//! remembered in the database, and the services of the house are counted by their operations' manifests.

use defense::config::Rate;
use reqwest::Response;
use runtime::Clock as _;
use serde_json::{Value, json};
use testkit::redis::shared;
use testkit::{partner, scene};

use crate::bench::Bench;

/// What an address may do in an hour.
const UNITS: u32 = 40;

async fn health(bench: &Bench) -> (u16, Value) {
    scene::health(&bench.broker, &bench.pki).await.unwrap()
}

async fn until_ready(bench: &Bench) {
    scene::until_ready(&bench.broker, &bench.pki).await;
}

fn url(bench: &Bench, path: &str) -> String {
    format!("https://localhost:{}{path}", bench.broker.public.unwrap().port())
}

/// A signed payment of the partner, which has the same bytes each time.
async fn payment(bench: &Bench, id: &str, time: i64) -> Response {
    let data = json!({ "account_id": "01890a5d-ac96-774b-bcce-b302099a8057", "amount": "250.00", "currency": "EUR",
        "debtor_name": "Carol", "reference": "rent" });
    let body = serde_json::to_vec(&json!({ "type": "payment.received", "data": data })).unwrap();
    let signature = partner::webhook::sign(&bench.whsec(), id, time, &body).unwrap();
    let request = bench.public.post(url(bench, "/webhooks/sandbox-bank")).header("content-type", "application/json");
    let request = request.header("webhook-id", id).header("webhook-timestamp", time.to_string());
    request.header("webhook-signature", signature).body(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_webhooks_come_back_later_and_operations_go_on() {
    let Some(mut redis) = testkit::redis::start() else { return };
    let store = shared(&redis).unwrap();
    let bench = Bench::start_where(|config| {
        config.defense.shared_store = Some(store);
        config.defense.rates.address = Rate { units: UNITS, seconds: 3_600 };
    })
    .await;
    until_ready(&bench).await;
    let now = bench.clock.unix();
    assert_eq!(payment(&bench, "evt_1", now).await.status(), 202);
    bench.until("webhook_inbox where state = 'delivered'", 1).await;

    redis.kill();
    for id in ["evt_1", "evt_2"] {
        let reply = payment(&bench, id, now).await;
        assert_eq!((reply.status().as_u16(), reply.headers().contains_key("retry-after")), (503, true), "{id}");
    }
    assert_eq!(bench.count("webhook_inbox").await, 1, "what was not acknowledged is not there");
    // What is not there is looked for within a bound, which this process counts by itself and from nothing.
    let mut answers = Vec::new();
    for _ in 0..UNITS + 5 {
        answers.push(bench.public.get(url(&bench, "/webhooks")).send().await.unwrap().status().as_u16());
    }
    assert_eq!(answers, [vec![404; UNITS as usize], vec![429; 5]].concat());
    assert_eq!(bench.call("hostile/good", json!({})).await.0, 200, "inside, nothing is counted there");
    let (ready, said) = health(&bench).await;
    assert_eq!((ready, &said["status"]), (200, &json!("degraded")));
    assert!(said["missing"][0].as_str().unwrap().starts_with("the shared store: "), "{said}");

    redis.restart().unwrap();
    until_ready(&bench).await;
    // Its sender repeats what was not acknowledged; and what was, has its effect once.
    assert_eq!(payment(&bench, "evt_2", now).await.status(), 202);
    assert_eq!(payment(&bench, "evt_1", now).await.status(), 202);
    assert_eq!(payment(&bench, "evt_2", now).await.status(), 202);
    bench.until("webhook_inbox where state = 'delivered'", 2).await;
    let heard: Vec<_> = bench.ledger.requests().iter().map(|request| request.body["event_id"].clone()).collect();
    assert_eq!(heard, ["evt_1", "evt_2"]);
}
