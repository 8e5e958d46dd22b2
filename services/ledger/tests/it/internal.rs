//! The internal plane: deposits, invariants, and who may ask.

use serde_json::json;
use testkit::server;

use crate::world::World;

#[tokio::test]
async fn a_deposit_is_booked_once_per_event() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    let (status, first) = world.deposit("evt-1", &account, "250.00", "EUR").await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(world.deposit("evt-1", &account, "250.00", "EUR").await, (201, first));
    let (status, problem) = world.deposit("evt-1", &account, "999.00", "EUR").await;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency.key_reused")));
    assert_eq!(world.balance(&alice, &account).await, "250.00");
    let entry = world.get(&alice, &format!("/v1/accounts/{account}/entries")).await.body["entries"][0].clone();
    assert_eq!((&entry["kind"], &entry["reference"]), (&json!("deposit"), &json!("Salary")));
    let invariants = world.invariants().await;
    assert_eq!(
        (&invariants["hold"], &invariants["transfers"], &invariants["entries"]),
        (&json!(true), &json!(1), &json!(2))
    );
}

#[tokio::test]
async fn only_the_named_peer_gets_in() {
    let world = World::start().await;
    let deposit = json!({ "provider": "sandbox-bank", "event_id": "e", "account_id": "01890a5d-ac96-774b-bcce-b302099a8057", "amount": "1.00",
        "currency": "EUR", "debtor_name": "x", "reference": "" });
    for name in ["auth", "attestation", "operator", "partner"] {
        let client = server::client(&world.pki.internal_ca(), Some(&world.pki.internal(name))).unwrap();
        let answer = client.post(world.internal_url("/internal/v1/deposits")).json(&deposit).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}");
    }
    let broker = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("broker"))).unwrap();
    assert_eq!(broker.get(world.internal_url("/internal/v1/invariants")).send().await.unwrap().status(), 403);
    // The metrics are the watcher's alone; here no configuration shows any.
    for name in ["auth", "attestation", "broker", "behavior", "operator", "partner"] {
        let client = server::client(&world.pki.internal_ca(), Some(&world.pki.internal(name))).unwrap();
        assert_eq!(client.get(world.internal_url("/metrics")).send().await.unwrap().status(), 403, "{name}");
    }
    let watcher = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("watcher"))).unwrap();
    assert_eq!(watcher.get(world.internal_url("/metrics")).send().await.unwrap().status(), 404);
    assert_eq!(watcher.get(world.internal_url("/internal/v1/invariants")).send().await.unwrap().status(), 403);
    let stranger = server::client(&world.pki.internal_ca(), None).unwrap();
    assert!(stranger.get(world.internal_url("/internal/v1/invariants")).send().await.is_err());
    assert!(stranger.get(world.internal_url("/metrics")).send().await.is_err());
    // Nothing internal on the public listener.
    let outside = world.public.get(world.url("/internal/v1/invariants")).send().await.unwrap();
    assert_eq!(outside.status(), 404);
    assert_eq!(world.public.get(world.url("/metrics")).send().await.unwrap().status(), 404);
}
