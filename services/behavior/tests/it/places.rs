//! Attack 54 as the running service judges it, told by auth and asked by the ledger from where things happened, each beside what honest people do.

use serde_json::{Value, json};

use crate::world::World;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// At home, by the wire at home and by the mobile network; and elsewhere.
const HOME: (&str, &str) = ("DE", "00000000000000a1");
const MOBILE: (&str, &str) = ("DE", "00000000000000a2");
const NEXT_DOOR: (&str, &str) = ("FR", "00000000000000b1");
const ABROAD: (&str, &str) = ("SG", "00000000000000c1");

fn place((country, network): (&str, &str)) -> Value {
    json!({ "country": country, "network": network })
}

/// A login, or what else happened at the door, from a place.
fn from(world: &World, kind: &str, ago: i64, whence: (&str, &str)) -> Value {
    let mut event = world.noticed(kind, ago, "alice", &[]);
    event["place"] = place(whence);
    event
}

/// Somebody who pays the grocer a little or a lot every day, and was at home for two months, last of all so many seconds ago.
async fn settled(last: i64) -> World {
    let world = World::new().await;
    let day = |ago: i64| {
        ["25.00", "120.00", "24.00"]
            .into_iter()
            .zip([4, 2, 0])
            .map(move |(amount, hours)| (ago * DAY + hours * HOUR, amount))
    };
    let paid: Vec<Value> =
        (1..30).rev().flat_map(day).map(|(ago, amount)| world.paid(ago, "alice", "grocer", amount)).collect();
    assert_eq!(world.tell(&paid).await, vec!["taken"; paid.len()]);
    let phone = world.noticed("device", 61 * DAY, "alice", &[("device", "phone"), ("level", "secure_element")]);
    let told = [phone, from(&world, "login", 61 * DAY, HOME), from(&world, "seen", last, HOME)];
    assert_eq!(world.tell_as("auth", &told).await, ["taken"; 3]);
    world
}

/// What is to be done about a payment of now that is asked for from there, and by which rules.
async fn asked(
    world: &World,
    whence: Option<(&str, &str)>,
    device: &str,
    payee: &str,
    amount: &str,
) -> (String, Vec<String>) {
    let mut question = world.question("alice", payee, amount);
    question["device"] = json!(device);
    if let Some(whence) = whence {
        question["place"] = place(whence);
    }
    let score = world.scores(&[question]).await.remove(0);
    let reasons = score["reasons"].as_array().unwrap().iter().filter(|reason| reason["source"] == "rule");
    let rules = reasons.map(|reason| reason["name"].as_str().unwrap().to_owned()).collect();
    (score["action"].as_str().unwrap().to_owned(), rules)
}

fn nothing() -> (String, Vec<String>) {
    ("allow".to_owned(), Vec::new())
}

fn asks(rules: &[&str]) -> (String, Vec<String>) {
    ("step_up".to_owned(), rules.iter().map(|&rule| rule.to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_pays_somebody_new_from_another_continent_within_minutes_is_asked() {
    let world = settled(10 * MINUTE).await;
    assert_eq!(asked(&world, Some(ABROAD), "phone", "stranger", "20.00").await, asks(&["impossible-travel"]));
    assert_eq!(asked(&world, Some(ABROAD), "phone", "grocer", "25.00").await, nothing(), "to somebody known");
    for whence in [Some(HOME), Some(MOBILE), Some(NEXT_DOOR), Some(("ZZ", "00000000000000c9")), None] {
        assert_eq!(asked(&world, whence, "phone", "stranger", "20.00").await, nothing(), "{whence:?}");
    }
    // Whoever goes on from there first was at home as well, and no failure moves anybody.
    let told = [from(&world, "seen", 5 * MINUTE, ABROAD), from(&world, "login", 4 * MINUTE, ABROAD)];
    assert_eq!(world.tell_as("auth", &told).await, ["taken"; 2]);
    let another = world.another().await;
    for process in [&world, &another] {
        assert_eq!(asked(process, Some(ABROAD), "phone", "stranger", "20.00").await.0, "step_up");
    }
    another.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_an_owner_asked_by_failing_from_elsewhere() {
    let world = settled(10 * MINUTE).await;
    let failed: Vec<Value> = (0..3).map(|n| from(&world, "failed_login", 60 + n, ABROAD)).collect();
    assert_eq!(world.tell_as("auth", &failed).await, ["taken"; 3]);
    assert_eq!(
        world
            .rows("select 1 from events where kind = 'failed_login' and country = 'SG' and network_key is not null")
            .await,
        3
    );
    assert_eq!(asked(&world, Some(HOME), "phone", "stranger", "20.00").await, nothing());
    assert_eq!(asked(&world, Some(HOME), "phone", "stranger", "80.00").await, nothing());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traveller_who_flew_is_not_asked_until_much_goes_to_somebody_new() {
    let world = settled(16 * HOUR).await;
    assert_eq!(asked(&world, Some(ABROAD), "phone", "grocer", "25.00").await, nothing(), "the usual");
    assert_eq!(asked(&world, Some(ABROAD), "phone", "grocer", "120.00").await, nothing());
    assert_eq!(asked(&world, Some(ABROAD), "phone", "hotel", "20.00").await, nothing(), "a little to somebody new");
    assert_eq!(asked(&world, Some(ABROAD), "phone", "hotel", "80.00").await, asks(&["much-from-a-new-country"]));
    let landed = [from(&world, "seen", 2 * MINUTE, ABROAD)];
    assert_eq!(world.tell_as("auth", &landed).await, ["taken"]);
    assert_eq!(asked(&world, Some(ABROAD), "phone", "hotel", "20.00").await, nothing(), "seen there now");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_house_with_the_phone_is_not_asked_and_a_new_device_that_switches_networks_is() {
    let world = settled(5 * MINUTE).await;
    for amount in ["20.00", "80.00"] {
        assert_eq!(asked(&world, Some(MOBILE), "phone", "stranger", amount).await, nothing(), "{amount}");
    }
    assert_eq!(asked(&world, Some(HOME), "new-phone", "stranger", "20.00").await, nothing());
    assert_eq!(asked(&world, Some(MOBILE), "new-phone", "stranger", "20.00").await, asks(&["switched-network"]));
    assert_eq!(asked(&world, Some(MOBILE), "new-phone", "grocer", "25.00").await, nothing());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_whom_no_place_is_known_nothing_is_wondered_about() {
    let world = World::new().await;
    let login = world.noticed("login", DAY, "alice", &[]);
    assert_eq!(world.tell_as("auth", &[login]).await, ["taken"]);
    let mut question = world.question("alice", "stranger", "20.00");
    question["place"] = place(ABROAD);
    let score = world.scores(&[question]).await.remove(0);
    let features = world.decision(&score).await["features"].take();
    for (name, nothing) in [
        ("country_days", 99.0),
        ("network_days", 99.0),
        ("travel_speed", 0.0),
        ("countries_around_1h", 0.0),
        ("networks_around_1h", 0.0),
    ] {
        assert_eq!(features[name], nothing, "{name}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_place_is_refused_and_another_place_is_another_event() {
    let world = World::new().await;
    for wrong in [
        json!({ "country": "de" }),
        json!({ "country": "DE", "address": "192.0.2.1" }),
        json!({ "network": "00" }),
        json!("DE"),
    ] {
        let mut login = world.noticed("login", 60, "alice", &[]);
        login["place"] = wrong.clone();
        let answer = world.post("auth", "/internal/v1/events", &json!({ "events": [login] })).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let mut nowhere = world.noticed("seen", 60, "alice", &[]);
    nowhere.as_object_mut().unwrap().remove("place");
    assert_eq!(world.post("auth", "/internal/v1/events", &json!({ "events": [nowhere] })).await.status, 400);
    let mut odd = from(&world, "seen", 60, HOME);
    odd["place"]["network"] = json!("a b");
    let mut seen = from(&world, "seen", 60, HOME);
    assert_eq!(world.tell_as("auth", &[odd, seen.clone()]).await, ["refused", "taken"]);
    assert_eq!(world.tell_as("auth", &[seen.clone()]).await, ["known"]);
    seen["place"] = place(ABROAD);
    assert_eq!(world.tell_as("auth", &[seen.clone()]).await, ["refused"]);
    assert_eq!(world.rows("select 1 from event_conflicts where country = 'SG' and network_key is not null").await, 1);
    assert_eq!(world.tell(&[seen]).await, ["refused"], "it is not the ledger's to tell");
    world.stop().await;
}
