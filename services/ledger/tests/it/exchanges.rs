//! `/v1/exchanges`.

use serde_json::{Value, json};

use crate::world::{World, day, rates_of};

fn exchange(from: &str, to: &str, amount: &str) -> Value {
    json!({ "from_account": from, "to_account": to, "amount": { "amount": amount, "currency": "EUR" } })
}

#[tokio::test]
async fn an_exchange_is_made_at_the_published_rate_and_rounded_down() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (euro, dollar) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "USD").await);
    let reply = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, &dollar, "33.33"), "k").await;
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    // 33.33 × 1.1172 = 37.236276
    assert_eq!(reply.body["bought"], json!({ "amount": "37.23", "currency": "USD" }));
    assert_eq!((&reply.body["rate"], &reply.body["rate_date"]), (&json!("1.1172"), &json!(day(0))));
    assert_eq!(
        (world.balance(&alice, &euro).await, world.balance(&alice, &dollar).await),
        ("466.67".into(), "37.23".into())
    );
    // The same again the day after: the answer of then, at the rate of then, without asking anyone.
    world.broker.answers.lock().unwrap().rates = (503, json!({ "code": "broker.upstream_unavailable" }));
    let again = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, &dollar, "33.33"), "k").await;
    assert_eq!((again.status, &again.body), (201, &reply.body));
    assert_eq!(again.headers["idempotent-replayed"].to_str().unwrap(), "true");
    assert_eq!(world.broker.calls("reference_rates").len(), 1);
    let other = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, &dollar, "33.34"), "k").await;
    assert_eq!((other.status, other.code()), (422, "idempotency.key_reused"));
    let invariants = world.invariants().await;
    assert_eq!((&invariants["hold"], &invariants["unbalanced_currencies"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn money_is_only_exchanged_between_accounts_of_one_owner() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (euro, dollar) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "USD").await);
    let (bobs_euro, bobs_dollar) = (world.open_with(&bob, "500.00", "EUR").await, world.open(&bob, "USD").await);
    for body in [exchange(&euro, &bobs_dollar, "1.00"), exchange(&bobs_euro, &dollar, "1.00")] {
        let reply = world.post(&alice, "/v1/exchanges", &body).await;
        assert_eq!((reply.status, reply.code()), (404, "ledger.account_not_found"), "{body}");
    }
    let second = world.open(&alice, "EUR").await;
    let same = world.post(&alice, "/v1/exchanges", &exchange(&euro, &second, "1.00")).await;
    assert_eq!((same.status, same.code()), (422, "ledger.currency_mismatch"));
    let broke = world.post(&alice, "/v1/exchanges", &exchange(&euro, &dollar, "500.01")).await;
    assert_eq!((broke.status, broke.code()), (422, "ledger.insufficient_funds"));
    let exotic = world.open(&alice, "KWD").await;
    let none = world.post(&alice, "/v1/exchanges", &exchange(&euro, &exotic, "1.00")).await;
    assert_eq!((none.status, none.code()), (422, "ledger.rate_unavailable"));
    assert_eq!(world.balance(&alice, &euro).await, "500.00");
}

#[tokio::test]
async fn old_rates_are_not_dealt_at() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (euro, dollar) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "USD").await);
    world.broker.answers.lock().unwrap().rates = rates_of(8);
    let old = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, &dollar, "1.00"), "k").await;
    assert_eq!((old.status, old.code()), (422, "ledger.rate_unavailable"));
    world.broker.answers.lock().unwrap().rates = rates_of(6);
    let recent = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, &dollar, "1.00"), "k").await;
    assert_eq!((recent.status, &recent.body["rate_date"]), (201, &json!(day(6))));
}

#[tokio::test]
async fn without_the_broker_nothing_is_exchanged_and_the_client_may_come_back() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (euro, dollar) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "USD").await);
    let body = exchange(&euro, &dollar, "1.00");
    for answer in [
        (503, json!({})),
        (200, json!({ "result": {} })),
        (200, json!({ "result": { "date": "x", "base": "EUR", "rates": {} } })),
    ] {
        world.broker.answers.lock().unwrap().rates = answer;
        let reply = world.post_with_key(&alice, "/v1/exchanges", &body, "k").await;
        assert_eq!((reply.status, reply.code()), (503, "server.busy"));
        assert!(reply.headers.contains_key("retry-after"));
    }
    *world.broker.answers.lock().unwrap() = crate::world::Answers::default();
    assert_eq!(world.post_with_key(&alice, "/v1/exchanges", &body, "k").await.status, 201);
}
