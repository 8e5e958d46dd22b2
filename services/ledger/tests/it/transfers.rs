//! `/v1/transfers`.

use serde_json::json;

use crate::world::{World, transfer};

#[tokio::test]
async fn a_transfer_moves_money_once_and_both_statements_show_it() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let reply = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, "42.50"), "k-1").await;
    assert_eq!((reply.status, reply.authentic), (201, true), "{:?}", reply.body);
    assert_eq!(reply.body["amount"], json!({ "amount": "42.50", "currency": "EUR" }));
    assert_eq!((world.balance(&alice, &from).await, world.balance(&bob, &to).await), ("57.50".into(), "42.50".into()));
    for phone in [&alice, &bob] {
        let seen = world.get(phone, &format!("/v1/transfers/{}", reply.body["id"].as_str().unwrap())).await;
        assert_eq!((seen.status, &seen.body), (200, &reply.body));
    }
    let statement = world.get(&bob, &format!("/v1/accounts/{to}/entries")).await;
    let entry = &statement.body["entries"][0];
    assert_eq!(
        (&entry["version"], &entry["kind"], &entry["reference"]),
        (&json!(1), &json!("transfer"), &json!("Dinner"))
    );
    assert_eq!((&entry["amount"], &entry["balance"]), (&reply.body["amount"], &reply.body["amount"]));
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn a_replayed_key_returns_the_first_result() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let first = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, "1.50"), "k").await;
    assert!(first.headers.get("idempotent-replayed").is_none());
    // The same meaning in other words, and the key in quotes.
    for (amount, key) in [("1.50", "k"), ("1.5", "k"), ("1.50", "\"k\"")] {
        let again = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, amount), key).await;
        assert_eq!((again.status, again.headers["idempotent-replayed"].to_str().unwrap()), (201, "true"));
        assert_eq!(again.body["id"], first.body["id"]);
        assert_eq!(
            (&again.body["sequence"], &again.body["posted_at"]),
            (&first.body["sequence"], &first.body["posted_at"])
        );
    }
    let other = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, "1.51"), "k").await;
    assert_eq!((other.status, other.code()), (422, "idempotency.key_reused"));
    assert_eq!(world.balance(&bob, &to).await, "1.50");
    // Another user's key of the same text is another key.
    let back = world.post_with_key(&bob, "/v1/transfers", &transfer(&to, &from, "0.50"), "k").await;
    assert_eq!((back.status, back.headers.get("idempotent-replayed")), (201, None));
}

#[tokio::test]
async fn a_refusal_is_as_final_as_a_posting() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open(&alice, "EUR").await, world.open(&bob, "EUR").await);
    let body = transfer(&from, &to, "5.00");
    let refused = world.post_with_key(&alice, "/v1/transfers", &body, "k").await;
    assert_eq!((refused.status, refused.code()), (422, "ledger.insufficient_funds"));
    assert_eq!(world.deposit("e-1", &from, "10.00", "EUR").await.0, 201);
    let again = world.post_with_key(&alice, "/v1/transfers", &body, "k").await;
    assert_eq!((again.status, again.code()), (422, "ledger.insufficient_funds"));
    assert_eq!(again.headers["idempotent-replayed"].to_str().unwrap(), "true");
    assert_eq!(world.post_with_key(&alice, "/v1/transfers", &body, "k-2").await.status, 201);
}

#[tokio::test]
async fn every_refusal_has_its_code_and_names_the_field() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&bob, "EUR").await);
    let dollars = world.open(&bob, "USD").await;
    let closed = world.open(&bob, "EUR").await;
    world.sql(&format!("update accounts set closed_at = now() where id = '{closed}'")).await;
    let settlement = "00000000-0000-8000-8000-455552000001";
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let cases = [
        (transfer(&from, &to, "10.01"), 422, "ledger.insufficient_funds", None),
        (transfer(&to, &from, "1.00"), 404, "ledger.account_not_found", Some("from_account")),
        (transfer(nobody, &from, "1.00"), 404, "ledger.account_not_found", Some("from_account")),
        (transfer(settlement, &from, "1.00"), 404, "ledger.account_not_found", Some("from_account")),
        (transfer(&from, nobody, "1.00"), 404, "ledger.account_not_found", Some("to_account")),
        (transfer(&from, settlement, "1.00"), 404, "ledger.account_not_found", Some("to_account")),
        (transfer(&from, &from, "1.00"), 422, "ledger.same_account", Some("to_account")),
        (transfer(&from, &dollars, "1.00"), 422, "ledger.currency_mismatch", Some("to_account")),
        (transfer(&from, &closed, "1.00"), 422, "ledger.account_closed", Some("to_account")),
        (transfer(&from, &to, "0"), 400, "ledger.amount_invalid", Some("amount.amount")),
        (transfer(&from, &to, "-1.00"), 400, "ledger.amount_invalid", Some("amount.amount")),
        (transfer(&from, &to, "1.001"), 400, "ledger.amount_invalid", Some("amount.amount")),
        (transfer(&from, &to, "1e2"), 400, "ledger.amount_invalid", Some("amount.amount")),
        (transfer(&from, &to, "NaN"), 400, "ledger.amount_invalid", Some("amount.amount")),
        (transfer(&from, &to, &"9".repeat(400)), 400, "ledger.amount_invalid", Some("amount.amount")),
        (transfer("1 or 1=1", &to, "1.00"), 400, "request.invalid", Some("from_account")),
        (json!({ "amount": 5 }), 400, "request.invalid", None),
    ];
    for (body, status, code, field) in cases {
        let reply = world.post(&alice, "/v1/transfers", &body).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{body} → {:?}", reply.body);
        if let Some(field) = field {
            assert_eq!(reply.body["field"], field, "{body}");
        }
    }
    let mut smuggled = transfer(&from, &to, "1.00");
    smuggled["fee"] = json!("0");
    assert_eq!(world.post(&alice, "/v1/transfers", &smuggled).await.body["field"], "fee");
    let mut long = transfer(&from, &to, "1.00");
    long["reference"] = json!("x".repeat(141));
    assert_eq!(world.post(&alice, "/v1/transfers", &long).await.body["field"], "reference");
    assert_eq!((world.balance(&alice, &from).await, world.balance(&bob, &to).await), ("10.00".into(), "0.00".into()));
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn a_stranger_sees_no_transfer_and_gets_the_same_answer_as_for_none() {
    let world = World::start().await;
    let (alice, bob, mallory) = (world.phone("alice").await, world.phone("bob").await, world.phone("mallory").await);
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&bob, "EUR").await);
    let made = world.post(&alice, "/v1/transfers", &transfer(&from, &to, "1.00")).await;
    let real = world.get(&mallory, &format!("/v1/transfers/{}", made.body["id"].as_str().unwrap())).await;
    let none = world.get(&mallory, "/v1/transfers/01890a5d-ac96-774b-bcce-b302099a8057").await;
    assert_eq!((real.status, real.code()), (404, "ledger.transfer_not_found"));
    let bare = |mut body: serde_json::Value| {
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    assert_eq!(bare(real.body), bare(none.body));
}
