//! What auth tells of a user's door: told by whom it is to tell, learned once, in any order, and seen in what payments look like.

use std::slice::from_ref;
use std::sync::Arc;

use runtime::Clock as _;
use serde_json::{Value, json};

use crate::world::World;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// What the ledger asks about a payment of now from a device.
fn question_from(world: &World, device: &str, payee: &str, amount: &str) -> Value {
    let mut question = world.question("alice", payee, amount);
    question["device"] = json!(device);
    question
}

async fn features_from(world: &World, device: &str) -> Value {
    let score = world.scores(&[question_from(world, device, "stranger", "90.00")]).await.remove(0);
    world.decision(&score).await["features"].take()
}

fn device(world: &World, seconds_ago: i64, device: &str, level: &str) -> Value {
    world.noticed("device", seconds_ago, "alice", &[("device", device), ("level", level)])
}

/// One of each.
fn one_of_each(world: &World) -> Vec<Value> {
    vec![
        device(world, 60 * DAY, "phone", "secure_element"),
        world.noticed("failed_login", 3 * HOUR, "alice", &[]),
        world.noticed("failed_login", 3 * HOUR - 60, "alice", &[]),
        world.noticed("login", 3 * HOUR - 120, "alice", &[]),
        device(world, 2 * DAY, "new phone".replace(' ', "-").as_str(), "software"),
        world.noticed("second_factor", 12 * HOUR, "alice", &[("change", "removed")]),
        world.noticed("failed_login", 30 * 60, "alice", &[]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_the_door_is_seen_in_what_a_payment_looks_like_and_after_a_restart_too() {
    let world = World::new().await;
    let before = features_from(&world, "phone").await;
    for (name, nothing) in [
        ("device_days", 99.0),
        ("newest_device_days", 99.0),
        ("device_level", 2.0),
        ("failed_logins_1h", 0.0),
        ("failed_logins_24h", 0.0),
        ("minutes_since_failed_login", 1_440.0),
        ("failed_before_login", 0.0),
        ("second_factor_days", 99.0),
    ] {
        assert_eq!(before[name], nothing, "{name}");
    }
    let events = one_of_each(&world);
    assert_eq!(world.tell_as("auth", &events).await, vec!["taken"; events.len()]);
    let another = world.another().await;
    let reordered = World::new().await;
    reordered.clock.advance_millis(world.clock.unix_millis() - reordered.clock.unix_millis());
    let mut backwards = events.clone();
    backwards.reverse();
    assert_eq!(reordered.tell_as("auth", &backwards).await, vec!["taken"; events.len()]);
    for process in [&world, &another, &reordered] {
        let features = features_from(process, "new-phone").await;
        for (name, value) in [
            ("device_days", 2.0),
            ("newest_device_days", 2.0),
            ("device_level", 0.0),
            ("failed_logins_1h", 1.0),
            ("failed_logins_24h", 3.0),
            ("minutes_since_failed_login", 30.0),
            ("failed_before_login", 2.0),
            ("second_factor_days", 0.5),
        ] {
            assert_eq!(features[name], value, "{name}");
        }
        assert_eq!(features_from(process, "phone").await["device_days"], 99.0, "the first one");
        assert_eq!(features_from(process, "a-third").await["device_days"], 0.0);
        // Of somebody else nothing has happened.
        assert_eq!(process.features("bob", "stranger", "90.00").await["failed_logins_24h"], 0.0);
    }
    reordered.stop().await;
    another.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_deliveries_of_a_failed_login_one_counts() {
    let world = Arc::new(World::new().await);
    let event = world.noticed("failed_login", 60, "alice", &[]);
    let deliveries: Vec<_> = (0..100)
        .map(|_| {
            let (world, event) = (world.clone(), event.clone());
            tokio::spawn(async move { world.tell_as("auth", &[event]).await.remove(0) })
        })
        .collect();
    let mut taken = 0;
    for delivery in deliveries {
        taken += usize::from(delivery.await.unwrap() == "taken");
    }
    assert_eq!(taken, 1);
    assert_eq!(features_from(&world, "phone").await["failed_logins_1h"], 1.0);
    Arc::into_inner(world).unwrap().stop().await;
}

/// Whoever could tell of payments could make a stranger a friend; whoever could tell of the door, a thief's phone an old one.
#[tokio::test(flavor = "multi_thread")]
async fn each_workload_tells_of_what_it_sees_itself() {
    let world = World::new().await;
    let payment = world.paid(60, "alice", "grocer", "20.00");
    assert_eq!(world.tell_as("auth", from_ref(&payment)).await, ["refused"]);
    let events = one_of_each(&world);
    let refused = world.post("ledger", "/internal/v1/events", &json!({ "events": events })).await.ok();
    for result in refused["results"].as_array().unwrap() {
        let said = ["outcome", "code", "field"].map(|name| result[name].as_str().unwrap());
        assert_eq!(said, ["refused", "request.invalid", "kind"]);
    }
    assert_eq!(world.rows("select 1 from events").await, 0);
    assert_eq!(world.tell(&[payment]).await, ["taken"]);
    assert_eq!(world.tell_as("auth", &events).await, vec!["taken"; events.len()]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_by_itself_and_an_unknown_kind_with_its_batch() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut event = device(&world, 60, "phone", "tee");
        event[name] = value;
        event
    };
    let ahead = json!(world.clock.unix_millis() + 301_000);
    let events = [
        with("at_unix_millis", ahead),
        with("at_unix_millis", json!(-1)),
        with("user", json!("")),
        with("device", json!("a b")),
    ];
    let body = world.post("auth", "/internal/v1/events", &json!({ "events": events })).await.ok();
    let fields: Vec<&Value> = body["results"].as_array().unwrap().iter().map(|result| &result["field"]).collect();
    assert_eq!(fields, ["at_unix_millis", "at_unix_millis", "user", "device"]);
    assert_eq!(body["results"][0]["code"], "behavior.from_future");
    for event in [with("kind", json!("rumour")), with("level", json!("paper")), with("colour", json!("red"))] {
        let sound = world.noticed("login", 60, "alice", &[]);
        let reply = world.post("auth", "/internal/v1/events", &json!({ "events": [sound, event] })).await;
        assert_eq!((reply.status, reply.problem().1), (400, "request.invalid"), "{event}");
    }
    assert_eq!(world.rows("select 1 from events").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_another_events_is_refused_whatever_kind_that_was() {
    let world = World::new().await;
    let payment = world.paid(60, "alice", "grocer", "20.00");
    assert_eq!(world.tell(from_ref(&payment)).await, ["taken"]);
    let first = world.noticed("second_factor", 60, "alice", &[("change", "added")]);
    assert_eq!(world.tell_as("auth", &[first.clone(), first.clone()]).await, ["taken", "known"]);
    let with = |name: &str, value: Value| {
        let mut event = first.clone();
        event[name] = value;
        event
    };
    let events = [with("id", payment["id"].clone()), with("change", json!("removed")), with("user", json!("bob"))];
    for event in events {
        assert_eq!(world.tell_as("auth", from_ref(&event)).await, ["refused"], "{event}");
        assert_eq!(world.tell_as("auth", &[event]).await, ["refused"], "again");
    }
    assert_eq!(world.rows("select 1 from event_conflicts where kind = 'second_factor'").await, 3, "each content once");
    world.stop().await;
}

/// There is no payment that it could be a word on.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_that_a_login_was_fraud() {
    let world = World::new().await;
    let login = world.noticed("login", 60, "alice", &[]);
    assert_eq!(world.tell_as("auth", from_ref(&login)).await, ["taken"]);
    let reply = world.label("event", login["id"].as_str().unwrap(), "fraud").await;
    assert_eq!(reply.status, 404, "{reply:?}");
    world.stop().await;
}
