//! `/v1/exchanges`.

use futures_util::future::join_all;
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
async fn old_rates_and_rates_of_tomorrow_are_not_dealt_at_and_decide_nothing() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (euro, dollar) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "USD").await);
    let exotic = world.open(&alice, "KWD").await;
    for days_ago in [8, -1, -7, -36_500] {
        world.broker.answers.lock().unwrap().rates = rates_of(days_ago);
        // Not even that a currency has no rate is believed of them.
        for to in [&dollar, &exotic] {
            let reply = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, to, "1.00"), to).await;
            assert_eq!((reply.status, reply.code()), (503, "server.busy"), "{days_ago}");
            assert!(reply.headers.contains_key("retry-after"));
        }
    }
    assert_eq!(world.count("idempotency where operation = 'exchange'").await, 0);
    world.broker.answers.lock().unwrap().rates = rates_of(6);
    let recent = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, &dollar, "1.00"), &dollar).await;
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
    *world.broker.answers.lock().unwrap() = crate::broker::Answers::default();
    assert_eq!(world.post_with_key(&alice, "/v1/exchanges", &body, "k").await.status, 201);
}

/// An account of Alice under an id that is known before it is there.
async fn open_as(world: &World, id: &str, currency: &str) {
    let row = format!("('{id}', '{currency}', 'sub-alice', 'x', now())");
    world.sql(&format!("insert into accounts (id, currency, owner, name, opened_at) values {row}")).await;
}

#[tokio::test]
async fn a_refused_exchange_stays_refused_when_the_reason_has_gone() {
    const LATER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (euro, franc) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "CHF").await);
    let (second, exotic) = (world.open(&alice, "EUR").await, world.open(&alice, "KWD").await);
    let yen = world.open(&alice, "JPY").await;
    let cases = [
        ("no-account", exchange(&euro, LATER, "1.00"), 404, "ledger.account_not_found", "to_account"),
        ("one-currency", exchange(&euro, &second, "1.00"), 422, "ledger.currency_mismatch", "to_account"),
        ("no-rate", exchange(&euro, &exotic, "1.00"), 422, "ledger.rate_unavailable", ""),
        ("too-small", exchange(&euro, &franc, "0.01"), 400, "ledger.amount_invalid", "amount.amount"),
        ("too-large", exchange(&euro, &yen, "92233720368547758.07"), 422, "ledger.limit_exceeded", "to_account"),
        ("too-poor", exchange(&euro, &franc, "500.01"), 422, "ledger.insufficient_funds", ""),
    ];
    let mut first = Vec::new();
    for (key, body, status, code, field) in &cases {
        let reply = world.post_with_key(&alice, "/v1/exchanges", body, key).await;
        assert_eq!((reply.status, reply.code()), (*status, *code), "{key}: {:?}", reply.body);
        assert_eq!(reply.body["field"].as_str().unwrap_or_default(), *field, "{key}");
        assert!(!reply.headers.contains_key("idempotent-replayed"), "{key}");
        first.push(bare(reply.body));
    }
    open_as(&world, LATER, "USD").await;
    world.deposit("evt-1", &euro, "500.00", "EUR").await;
    let rates = json!({ "USD": "1.1172", "JPY": "0.1", "CHF": "1.5", "KWD": "0.35" });
    let result = json!({ "date": day(0), "base": "EUR", "rates": rates });
    world.broker.answers.lock().unwrap().rates = (200, json!({ "result": result }));
    let asked = world.broker.calls("reference_rates").len();
    for ((key, body, ..), first) in cases.iter().zip(first) {
        let again = world.post_with_key(&alice, "/v1/exchanges", body, key).await;
        assert_eq!(again.headers["idempotent-replayed"].to_str().unwrap(), "true", "{key}: {:?}", again.body);
        assert_eq!(bare(again.body), first, "{key}");
        let other = world.post_with_key(&alice, "/v1/exchanges", &exchange(&euro, &franc, "2.00"), key).await;
        assert_eq!((other.status, other.code()), (422, "idempotency.key_reused"), "{key}");
    }
    assert_eq!(world.broker.calls("reference_rates").len(), asked, "what is decided asks nobody");
    // Under keys of their own most of them are possible now.
    for (number, (_, body, ..)) in cases.iter().enumerate().filter(|(number, _)| ![1, 4].contains(number)) {
        let reply = world.post(&alice, "/v1/exchanges", body).await;
        assert_eq!(reply.status, 201, "{number}: {:?}", reply.body);
    }
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_equal_exchanges_have_one_outcome_while_the_reason_goes_away() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let euro = world.open_with(&alice, "500.00", "EUR").await;
    for round in 0..8 {
        let (id, key) = (format!("01890a5d-ac96-774b-bcce-b302099a{round:04}"), format!("k-{round}"));
        let body = exchange(&euro, &id, "1.00");
        let sent = join_all((0..16).map(|_| world.post_with_key(&alice, "/v1/exchanges", &body, &key)));
        let (replies, ()) = tokio::join!(sent, open_as(&world, &id, "USD"));
        let first = bare(replies[0].body.clone());
        assert!(replies.iter().all(|reply| bare(reply.body.clone()) == first), "{round}");
        assert!([201, 404].contains(&replies[0].status), "{first}");
        let decided = replies.iter().filter(|reply| !reply.headers.contains_key("idempotent-replayed")).count();
        assert_eq!(decided, 1, "{round}");
    }
    assert_eq!(world.invariants().await["hold"], true);
}

fn bare(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("request_id");
    body
}
