//! What no route takes, whatever else it is about: texts that read differently from what they are, and ids
//! in another spelling.

use serde_json::{Value, json};

use crate::world::{IBAN, World, iban, transfer};

/// Characters that a reader does not see, or that move what the reader does see.
const UNSEEN: [(&str, &str); 9] = [
    ("right-to-left override", "Invoice \u{202e}00.001"),
    ("isolate", "\u{2067}Bob\u{2069}"),
    ("zero-width space", "Al\u{200b}ice"),
    ("zero-width joiner", "Ali\u{200d}ce"),
    ("byte order mark", "\u{feff}Alice"),
    ("line separator", "Alice\u{2028}Bob"),
    ("tag", "Alice\u{e0041}"),
    ("variation selector", "Alice\u{fe0f}"),
    ("blank letter", "\u{3164}"),
];

#[tokio::test]
async fn what_people_read_has_no_unseen_characters() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let with = |mut body: Value, pointer: &str, text: &str| {
        *body.pointer_mut(pointer).unwrap() = json!(text);
        body
    };
    let account = json!({ "currency": "EUR", "name": "Main" });
    let payout = json!({ "from_account": from, "amount": { "amount": "1.00", "currency": "EUR" },
        "creditor": { "name": "Carol", "iban": IBAN }, "reference": "Rent" });
    for (path, body, field) in [
        ("/v1/accounts", account, "name"),
        ("/v1/transfers", transfer(&from, &to, "1.00"), "reference"),
        ("/v1/payouts", payout, "reference"),
        ("/v1/payees", json!({ "name": "Carol", "iban": iban(1) }), "name"),
    ] {
        let pointer = format!("/{}", field.replace('.', "/"));
        for (what, text) in UNSEEN {
            let reply = world.post(&alice, path, &with(body.clone(), &pointer, text)).await;
            let refused = (reply.status, reply.code(), &reply.body["field"]);
            assert_eq!(refused, (400, "request.invalid", &json!(field)), "{path}: {what}");
        }
        for text in ["Grüße an Zoë", "家賃 2026-11", "إيجار", "Dinner 🍝 at O’Hara’s"] {
            let reply = world.post(&alice, path, &with(body.clone(), &pointer, text)).await;
            assert_eq!(reply.status, 201, "{path}: {text}: {:?}", reply.body);
            world.sql("update payees set removed_at = now() where removed_at is null and name <> 'Carol'").await;
        }
    }
}

#[tokio::test]
async fn money_that_arrived_is_booked_whatever_is_written_on_it() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    let deposit = json!({ "provider": "sandbox-bank", "event_id": "evt-1", "account_id": account, "amount": "1.00", "currency": "EUR",
        "debtor_name": "Emp\u{200b}loyer", "reference": "Sal\u{202e}ary\u{2028}\n❤\u{fe0f}" });
    let (status, body) = world.as_broker("/internal/v1/deposits", &deposit).await;
    assert_eq!(status, 201, "{body}");
    let entries = world.get(&alice, &format!("/v1/accounts/{account}/entries")).await.body;
    assert_eq!(entries["entries"][0]["reference"], "Salary❤");
    let named = world.count("transfers where counterparty = 'Employer'").await;
    assert_eq!(named, 1);
}

/// The id in other spellings, each of which some parser of UUIDs takes.
fn spellings(id: &str) -> [String; 4] {
    [id.to_uppercase(), format!("{{{id}}}"), format!("urn:uuid:{id}"), id.replace('-', "")]
}

#[tokio::test]
async fn an_id_has_one_spelling() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&bob, "EUR").await);
    let made = world.post(&alice, "/v1/transfers", &transfer(&from, &to, "1.00")).await;
    let transfer_id = made.body["id"].as_str().unwrap();
    for (path, id) in [
        ("/v1/accounts/{id}", from.as_str()),
        ("/v1/accounts/{id}/entries", &from),
        ("/v1/transfers/{id}", transfer_id),
        ("/v1/payouts/{id}", transfer_id),
        ("/v1/payees/{id}", transfer_id),
    ] {
        for other in spellings(id) {
            let reply = world.get(&alice, &path.replace("{id}", &other.replace('{', "%7B").replace('}', "%7D"))).await;
            let refused = (reply.status, reply.code(), &reply.body["field"]);
            // What no path of ours has in it comes no further than layer host.
            let named = if other.contains('{') { json!(null) } else { json!("id") };
            assert_eq!(refused, (400, "request.invalid", &named), "{path} {other}");
        }
    }
    let exchange = json!({ "from_account": from, "to_account": to, "amount": { "amount": "1.00", "currency": "EUR" } });
    let payout = json!({ "from_account": from, "amount": { "amount": "1.00", "currency": "EUR" }, "payee_id": to, "reference": "Rent" });
    for (path, body, field) in [
        ("/v1/transfers", transfer(&from, &to, "1.00"), "from_account"),
        ("/v1/transfers", transfer(&from, &to, "1.00"), "to_account"),
        ("/v1/exchanges", exchange.clone(), "from_account"),
        ("/v1/exchanges", exchange, "to_account"),
        ("/v1/payouts", payout.clone(), "from_account"),
        ("/v1/payouts", payout, "payee_id"),
    ] {
        for other in spellings(body[field].as_str().unwrap()) {
            let mut body = body.clone();
            body[field] = json!(other);
            let reply = world.post(&alice, path, &body).await;
            let refused = (reply.status, reply.code(), &reply.body["field"]);
            assert_eq!(refused, (400, "request.invalid", &json!(field)), "{path} {other}");
        }
    }
    for other in spellings(&from) {
        assert_eq!(world.deposit("evt-1", &other, "1.00", "EUR").await.0, 400, "{other}");
    }
    assert_eq!(world.balance(&alice, &from).await, "9.00");
}
