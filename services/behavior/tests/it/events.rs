//! What is told is learned once, whatever comes, and what is wrong is refused by itself.

use std::slice::from_ref;
use std::sync::Arc;

use runtime::Clock as _;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_deliveries_at_once_one_is_learned() {
    let world = Arc::new(World::new().await);
    let event = world.paid(60, "alice", "grocer", "20.00");
    let deliveries: Vec<_> = (0..100)
        .map(|_| {
            let (world, event) = (world.clone(), event.clone());
            tokio::spawn(async move { world.tell(&[event]).await.remove(0) })
        })
        .collect();
    let mut taken = 0;
    for delivery in deliveries {
        match delivery.await.unwrap().as_str() {
            "taken" => taken += 1,
            outcome => assert_eq!(outcome, "known"),
        }
    }
    assert_eq!(taken, 1);
    let features = world.features("alice", "grocer", "20.00").await;
    let counts = ["known_payments", "payee_count", "count_1h", "payee_paid_30d"].map(|name| &features[name]);
    assert_eq!(counts, [1.0; 4]);
    assert_eq!(world.rows("select 1 from events").await, 1);
    Arc::into_inner(world).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_not_in_its_own_past_and_then_in_that_of_the_next() {
    let world = World::new().await;
    assert_eq!(world.features("alice", "grocer", "20.00").await["payee_count"], 0.0);
    assert_eq!(world.tell(&[world.paid(0, "alice", "grocer", "20.00")]).await, ["taken"]);
    assert_eq!(
        world.features("alice", "grocer", "20.00").await["payee_count"],
        1.0,
        "who was answered finds it learned"
    );
    assert_eq!(world.features("bob", "grocer", "20.00").await["payee_count"], 0.0);
    world.stop().await;
}

/// One batch with one of each.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_wrong_keeps_no_other_from_being_taken() {
    let world = World::new().await;
    let with = |changes: &[(&str, Value)]| {
        let mut event = world.paid(5, "alice", "grocer", "20.00");
        for (name, value) in changes {
            event[*name] = value.clone();
        }
        event
    };
    let ahead = |seconds: i64| json!(world.clock.unix_millis() + seconds * 1000);
    let twice = with(&[]);
    let cases = [
        (with(&[]), "taken", None),
        (with(&[("at_unix_millis", ahead(301))]), "refused", Some(("behavior.from_future", "at_unix_millis"))),
        (
            with(&[("at_unix_millis", ahead(-13 * 31 * 86_400))]),
            "refused",
            Some(("behavior.too_old", "at_unix_millis")),
        ),
        (with(&[("at_unix_millis", ahead(-394 * 86_400))]), "taken", None),
        (with(&[("at_unix_millis", json!(i64::MAX))]), "refused", Some(("behavior.from_future", "at_unix_millis"))),
        (with(&[("at_unix_millis", json!(-1))]), "refused", Some(("request.invalid", "at_unix_millis"))),
        (with(&[("amount", json!("NaN"))]), "refused", Some(("request.invalid", "amount"))),
        (with(&[("amount", json!("99999999999999.00"))]), "refused", Some(("request.invalid", "amount"))),
        (with(&[("amount", json!("0.00"))]), "refused", Some(("request.invalid", "amount"))),
        (with(&[("currency", json!("EUX"))]), "refused", Some(("request.invalid", "currency"))),
        (with(&[("user", json!(""))]), "refused", Some(("request.invalid", "user"))),
        (with(&[("payee", json!("the grocer"))]), "refused", Some(("request.invalid", "payee"))),
        (twice.clone(), "taken", None),
        (twice, "known", None),
        (with(&[("at_unix_millis", ahead(300))]), "taken", None),
    ];
    let events: Vec<&Value> = cases.iter().map(|(event, ..)| event).collect();
    let reply = world.post("ledger", "/internal/v1/events", &json!({ "events": events })).await;
    let refused: Vec<String> = reply.refused.clone();
    let body = reply.ok();
    for (result, (event, outcome, why)) in body["results"].as_array().unwrap().iter().zip(&cases) {
        assert_eq!((&result["id"], &result["outcome"]), (&event["id"], &json!(outcome)), "{event}");
        let (code, field) = why.map_or((Value::Null, Value::Null), |(code, field)| (json!(code), json!(field)));
        assert_eq!((&result["code"], &result["field"]), (&code, &field), "{event}");
    }
    assert_eq!(refused.iter().filter(|line| *line == "behavior/event_from_future").count(), 2, "{refused:?}");
    assert_eq!(refused.iter().filter(|line| *line == "behavior/event_too_old").count(), 1, "{refused:?}");
    assert_eq!(refused.iter().filter(|line| *line == "behavior/event_invalid").count(), 7, "{refused:?}");
    assert_eq!(world.features("alice", "grocer", "20.00").await["known_payments"], 4.0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_with_another_content_is_refused_and_written_down_once() {
    let world = World::new().await;
    let first = world.paid(60, "alice", "grocer", "20.00");
    assert_eq!(world.tell(from_ref(&first)).await, ["taken"]);
    let changes =
        [("amount", json!("20.01")), ("user", json!("bob")), ("payee", json!("other")), ("currency", json!("USD"))];
    let earlier = json!(world.clock.unix_millis() - 61_000);
    for (name, value) in changes.iter().chain(&[("at_unix_millis", earlier), ("decision_id", json!(world.id()))]) {
        let mut other = first.clone();
        other[*name] = value.clone();
        for _ in 0..2 {
            let reply = world.post("ledger", "/internal/v1/events", &json!({ "events": [other] })).await;
            assert_eq!(reply.refused, ["behavior/event_id_reused"], "{name}");
            let body = reply.ok();
            let result = ["outcome", "code", "field"].map(|name| body["results"][0][name].as_str().unwrap());
            assert_eq!(result, ["refused", "behavior.event_id_reused", "id"], "{name}");
        }
    }
    assert_eq!(world.tell(&[first]).await, ["known"]);
    assert_eq!(world.rows("select 1 from event_conflicts").await, 6, "each content once");
    assert_eq!(world.rows("select 1 from events where amount = 2000").await, 1);
    let features = world.features("alice", "grocer", "20.00").await;
    assert_eq!(features["known_payments"], 1.0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_none_is_refused_whole() {
    let world = World::new().await;
    let event = world.paid(60, "alice", "grocer", "20.00");
    let with = |name: &str, value: Value| {
        let mut event = event.clone();
        event[name] = value;
        json!({ "events": [event] })
    };
    let many: Vec<Value> = (0..101).map(|_| world.paid(60, "alice", "grocer", "20.00")).collect();
    for body in [
        json!({ "events": [] }),
        json!({ "events": many }),
        with("kind", json!("rumour")),
        with("amount", json!(20.0)),
        with("at_unix_millis", json!(1e300)),
        with("colour", json!("red")),
        with("id", json!("1")),
        json!({ "events": [event], "more": 1 }),
    ] {
        let reply = world.post("ledger", "/internal/v1/events", &body).await;
        assert_eq!((reply.status, reply.problem().1), (400, "request.invalid"), "{body}: {reply:?}");
    }
    assert_eq!(world.tell(&many[..100]).await, ["taken"; 100]);
    let large = json!({ "events": [event], "padding": "x".repeat(64 * 1024) });
    assert_eq!(world.post("ledger", "/internal/v1/events", &large).await.problem().1, "request.too_large");
    assert_eq!(world.rows("select 1 from events").await, 100);
    world.stop().await;
}
