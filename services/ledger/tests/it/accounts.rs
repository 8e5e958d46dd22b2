//! `/v1/accounts` and statements.

use serde_json::{Value, json};

use crate::world::{World, transfer};

#[tokio::test]
async fn an_account_is_opened_once_per_key() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let body = json!({ "currency": "EUR", "name": "Rainy days" });
    let first = world.post_with_key(&alice, "/v1/accounts", &body, "k").await;
    assert_eq!(first.status, 201, "{:?}", first.body);
    assert_eq!(first.body["balance"], json!({ "amount": "0.00", "currency": "EUR" }));
    let again = world.post_with_key(&alice, "/v1/accounts", &body, "k").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.headers["idempotent-replayed"].to_str().unwrap(), "true");
    let other =
        world.post_with_key(&alice, "/v1/accounts", &json!({ "currency": "USD", "name": "Rainy days" }), "k").await;
    assert_eq!((other.status, other.code()), (422, "idempotency.key_reused"));
    let list = world.get(&alice, "/v1/accounts").await;
    assert_eq!(list.body["accounts"], json!([first.body]));
}

#[tokio::test]
async fn what_is_not_an_account_is_refused() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let bad = [
        (json!({ "currency": "eur", "name": "x" }), "currency"),
        (json!({ "currency": "XXX", "name": "x" }), "currency"),
        (json!({ "currency": "EUR", "name": "" }), "name"),
        (json!({ "currency": "EUR", "name": "x".repeat(61) }), "name"),
        (json!({ "currency": "EUR", "name": "a\nb" }), "name"),
        (
            json!({ "currency": "EUR", "name": "x", "balance": { "amount": "1000000.00", "currency": "EUR" } }),
            "balance",
        ),
        (json!({ "currency": "EUR", "name": "x", "floor": -100 }), "floor"),
        (json!({ "currency": "EUR", "name": "x", "owner": "bob" }), "owner"),
    ];
    for (body, field) in bad {
        let reply = world.post(&alice, "/v1/accounts", &body).await;
        assert_eq!(
            (reply.status, reply.code(), &reply.body["field"]),
            (400, "request.invalid", &json!(field)),
            "{body}"
        );
    }
    assert_eq!(world.count("accounts where purpose = 'customer'").await, 0);
}

#[tokio::test]
async fn nobody_sees_anybody_elses_account() {
    let world = World::start().await;
    let (alice, mallory) = (world.phone("alice").await, world.phone("mallory").await);
    let account = world.open_with(&alice, "10.00", "EUR").await;
    for path in [format!("/v1/accounts/{account}"), format!("/v1/accounts/{account}/entries")] {
        let reply = world.get(&mallory, &path).await;
        assert_eq!((reply.status, reply.code()), (404, "ledger.account_not_found"), "{path}");
        assert_eq!(world.get(&alice, &path).await.status, 200, "{path}");
    }
    assert_eq!(world.get(&mallory, "/v1/accounts").await.body, json!({ "accounts": [] }));
    let garbage = world.get(&alice, "/v1/accounts/..%2f..%2fetc").await;
    assert_eq!((garbage.status, garbage.code()), (400, "request.invalid"));
}

#[tokio::test]
async fn a_statement_is_read_page_by_page_without_a_gap_or_an_overlap() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    for cent in 1..=6 {
        let reply = world.post(&alice, "/v1/transfers", &transfer(&from, &to, &format!("0.0{cent}"))).await;
        assert_eq!(reply.status, 201);
    }
    let (mut path, mut versions, mut newer): (_, Vec<i64>, Option<Value>) =
        (format!("/v1/accounts/{from}/entries?limit=3"), Vec::new(), None);
    loop {
        let page = world.get(&alice, &path).await.body;
        for entry in page["entries"].as_array().unwrap() {
            versions.push(entry["version"].as_i64().unwrap());
            if let Some(newer) = newer.replace(entry.clone()) {
                let cents = |value: &Value| value["amount"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
                assert_eq!(cents(&newer["balance"]) - cents(&newer["amount"]), cents(&entry["balance"]));
            }
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/accounts/{from}/entries?limit=3&before={next}");
    }
    assert_eq!(versions, [7, 6, 5, 4, 3, 2, 1]);
    for (query, field) in [("limit=0", "limit"), ("limit=101", "limit"), ("before=x", "before"), ("offset=1", "offset")]
    {
        let reply = world.get(&alice, &format!("/v1/accounts/{from}/entries?{query}")).await;
        assert_eq!((reply.status, &reply.body["field"]), (400, &json!(field)), "{query}: {:?}", reply.body);
    }
}
