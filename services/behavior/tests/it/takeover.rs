//! Attacks 53 and 56 as the running service judges them, told by auth and the ledger, each beside what honest people do.

use serde_json::{Value, json};

use crate::world::World;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Somebody whose phone is known for two months, and who pays the grocer a little or a lot every day.
async fn shopper() -> World {
    let world = World::new().await;
    let day = |ago: i64| {
        ["25.00", "120.00", "24.00"]
            .into_iter()
            .zip([4, 2, 0])
            .map(move |(amount, hours)| (ago * DAY + hours * HOUR, amount))
    };
    let paid = (1..30).rev().flat_map(day).map(|(ago, amount)| world.paid(ago, "alice", "grocer", amount));
    let paid: Vec<Value> = paid.collect();
    assert_eq!(world.tell(&paid).await, vec!["taken"; paid.len()]);
    let phone = world.noticed("device", 61 * DAY, "alice", &[("device", "phone"), ("level", "secure_element")]);
    let login = world.noticed("login", 61 * DAY, "alice", &[]);
    assert_eq!(world.tell_as("auth", &[phone, login]).await, ["taken"; 2]);
    world
}

/// What is to be done about a payment of now from this device, and by which rules.
async fn asked(world: &World, device: &str, payee: &str, amount: &str) -> (String, Vec<String>) {
    let mut question = world.question("alice", payee, amount);
    question["device"] = json!(device);
    let score = world.scores(&[question]).await.remove(0);
    let reasons = score["reasons"].as_array().unwrap().iter().filter(|reason| reason["source"] == "rule");
    let rules = reasons.map(|reason| reason["name"].as_str().unwrap().to_owned()).collect();
    (score["action"].as_str().unwrap().to_owned(), rules)
}

fn nothing() -> (String, Vec<String>) {
    ("allow".to_owned(), Vec::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_a_new_payee_and_much_is_asked_about_and_each_for_itself_is_not() {
    let world = shopper().await;
    for told in [false, true] {
        if told {
            let device = world.noticed("device", 60, "alice", &[("device", "new-phone"), ("level", "tee")]);
            assert_eq!(world.tell_as("auth", &[world.noticed("login", 60, "alice", &[]), device]).await, ["taken"; 2]);
        }
        let (action, rules) = asked(&world, "new-phone", "stranger", "80.00").await;
        let expected: &[&str] = if told { &["taken-over"] } else { &["taken-over", "key-in-software"] };
        assert_eq!(
            (action.as_str(), rules),
            ("step_up", expected.iter().map(|&rule| rule.to_owned()).collect()),
            "told: {told}"
        );
        assert_eq!(asked(&world, "new-phone", "grocer", "25.00").await, nothing(), "a new phone buys bread");
        assert_eq!(asked(&world, "new-phone", "stranger", "25.00").await, nothing(), "and pays somebody new a little");
        assert_eq!(
            asked(&world, "phone", "stranger", "80.00").await,
            nothing(),
            "the own phone pays somebody new much"
        );
    }
    // Who has changed what answers the question is made to wait.
    let changed = world.noticed("second_factor", 120, "alice", &[("change", "recovered")]);
    assert_eq!(world.tell_as("auth", &[changed]).await, ["taken"]);
    assert_eq!(asked(&world, "new-phone", "stranger", "80.00").await.0, "delay");
    assert_eq!(asked(&world, "phone", "stranger", "80.00").await, nothing());
    world.stop().await;
}

/// Four wrong passwords of a stranger and then the owner's login on the phone that is known: nobody is asked, however often.
#[tokio::test(flavor = "multi_thread")]
async fn failing_on_purpose_has_no_owner_asked_who_logs_in_on_a_known_phone() {
    let world = shopper().await;
    let mut told: Vec<Value> = (0..40).map(|n| world.noticed("failed_login", 600 - n, "alice", &[])).collect();
    let mut own = world.noticed("login", 300, "alice", &[]);
    own["known_device"] = json!(true);
    told.push(own);
    assert_eq!(world.tell_as("auth", &told).await, vec!["taken"; told.len()]);
    let another = world.another().await;
    for process in [&world, &another] {
        assert_eq!(asked(process, "phone", "stranger", "80.00").await, nothing());
        assert_eq!(asked(process, "new-phone", "stranger", "80.00").await.0, "step_up", "as without the failures");
    }
    another.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_failed_logins_and_then_a_payment_are_asked_about_and_a_typing_error_is_not() {
    for (failures, action) in [(1, "allow"), (2, "allow"), (6, "step_up")] {
        let world = shopper().await;
        let failed: Vec<Value> = (0..failures).map(|n| world.noticed("failed_login", 600 - n, "alice", &[])).collect();
        assert_eq!(world.tell_as("auth", &failed).await, vec!["taken"; failed.len()]);
        assert_eq!(asked(&world, "phone", "stranger", "25.00").await, nothing(), "nobody has got in");
        assert_eq!(world.tell_as("auth", &[world.noticed("login", 300, "alice", &[])]).await, ["taken"]);
        assert_eq!(asked(&world, "phone", "stranger", "25.00").await.0, action, "{failures}");
        assert_eq!(asked(&world, "phone", "grocer", "25.00").await, nothing(), "{failures}: bread");
        world.stop().await;
    }
}
