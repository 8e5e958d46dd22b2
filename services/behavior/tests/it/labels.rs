//! What people say a payment was counts from when they say it, once, and the last word counts.

use std::slice::from_ref;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::world::World;

async fn frauds(world: &World) -> Value {
    world.features("carol", "stranger", "20.00").await["payee_run_frauds"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn fraud_is_learned_when_it_is_said_once_and_taken_back_by_a_newer_word() {
    let world = World::new().await;
    let event = world.paid(86_400, "alice", "stranger", "20.00");
    world.tell(from_ref(&event)).await;
    let id = event["id"].as_str().unwrap();
    assert_eq!(frauds(&world).await, 0.0);
    assert_eq!(world.label("event", id, "fraud").await.ok(), json!({ "label": "fraud" }));
    assert_eq!(frauds(&world).await, 1.0);
    assert_eq!(world.label("event", id, "fraud").await.ok(), json!({ "label": "fraud", "before": "fraud" }));
    assert_eq!(frauds(&world).await, 1.0, "said twice, learned once");
    assert_eq!(world.label("event", id, "honest").await.ok(), json!({ "label": "honest", "before": "fraud" }));
    assert_eq!(frauds(&world).await, 0.0);
    assert_eq!(world.label("event", id, "fraud").await.ok(), json!({ "label": "fraud", "before": "honest" }));
    assert_eq!(frauds(&world).await, 1.0);
    assert_eq!(world.rows("select 1 from labels").await, 3, "each word that changed something");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_on_a_decision_and_one_on_its_event_are_about_one_payment() {
    let world = World::new().await;
    let score = world.score("alice", "stranger", "20.00").await;
    let decision = score["decision_id"].as_str().unwrap();
    world.label("decision", decision, "fraud").await.ok();
    assert_eq!(world.decision(&score).await["label"], "fraud");
    let mut event = world.paid(0, "alice", "stranger", "20.00");
    event["decision_id"] = json!(decision);
    world.tell(from_ref(&event)).await;
    let again = world.label("event", event["id"].as_str().unwrap(), "fraud").await.ok();
    assert_eq!(again, json!({ "label": "fraud", "before": "fraud" }));
    assert_eq!(frauds(&world).await, 1.0);
    world.label("event", event["id"].as_str().unwrap(), "honest").await.ok();
    assert_eq!(world.decision(&score).await["label"], "honest");
    assert_eq!(frauds(&world).await, 0.0);
    world.stop().await;
}

/// What was asked about and what was paid may lie on two sides of midnight, or differ.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_taken_back_where_it_was_learned() {
    let world = World::new().await;
    let score = world.score("alice", "stranger", "20.00").await;
    let decision = score["decision_id"].as_str().unwrap();
    let mut event = world.paid(2 * 86_400, "alice", "another", "20.00");
    event["decision_id"] = json!(decision);
    world.tell(from_ref(&event)).await;
    world.label("decision", decision, "fraud").await.ok();
    assert_eq!(frauds(&world).await, 1.0);
    world.label("event", event["id"].as_str().unwrap(), "honest").await.ok();
    assert_eq!(frauds(&world).await, 0.0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_on_what_nobody_has_heard_of_is_refused_with_a_code_of_its_own() {
    let world = World::new().await;
    let event = world.paid(60, "alice", "stranger", "20.00");
    world.tell(from_ref(&event)).await;
    let unknown = world.id();
    for (about, id, code) in [
        ("decision", unknown.as_str(), "behavior.decision_not_found"),
        ("event", unknown.as_str(), "behavior.event_not_found"),
        ("decision", event["id"].as_str().unwrap(), "behavior.decision_not_found"),
    ] {
        assert_eq!(world.label(about, id, "fraud").await.problem(), (404, code, ""), "{about}");
    }
    for (about, label) in [("rumour", "fraud"), ("event", "perhaps")] {
        assert_eq!(world.label(about, &unknown, label).await.problem().1, "request.invalid");
    }
    assert_eq!(world.rows("select 1 from labels").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_word_said_at_once_by_many_counts_once() {
    let world = Arc::new(World::new().await);
    let event = world.paid(60, "alice", "stranger", "20.00");
    world.tell(from_ref(&event)).await;
    let saying: Vec<_> = (0..20)
        .map(|_| {
            let (world, id) = (world.clone(), event["id"].as_str().unwrap().to_owned());
            tokio::spawn(async move { world.label("event", &id, "fraud").await.ok() })
        })
        .collect();
    let mut first = 0;
    for said in saying {
        first += usize::from(said.await.unwrap().get("before").is_none());
    }
    assert_eq!((first, world.rows("select 1 from labels").await), (1, 1));
    assert_eq!(frauds(&world).await, 1.0);
    Arc::into_inner(world).unwrap().stop().await;
}
