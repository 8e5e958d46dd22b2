//! `/v1/payouts`, the courier, and what the partner says.

use serde_json::{Value, json};

use crate::world::{IBAN, World, until};

fn payout(from: &str, amount: &str) -> Value {
    json!({ "from_account": from, "amount": { "amount": amount, "currency": "EUR" },
        "creditor": { "name": "Landlord Ltd", "iban": IBAN }, "reference": "Rent" })
}

impl World {
    async fn payout_status(&self, phone: &testkit::authority::SyntheticPhone, id: &str) -> String {
        self.get(phone, &format!("/v1/payouts/{id}")).await.body["status"].as_str().unwrap().to_owned()
    }

    async fn event(&self, event: &str, payout: &str, status: &str) -> (u16, Value) {
        let body = json!({ "provider": "sandbox-bank", "event_id": event, "payout_id": payout, "status": status });
        self.as_broker("/internal/v1/payout-events", &body).await
    }
}

#[tokio::test]
async fn a_payout_leaves_the_account_at_once_and_is_settled_on_the_partners_word() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    let reply = world.post_with_key(&alice, "/v1/payouts", &payout(&account, "700.00"), "k").await;
    assert_eq!((reply.status, &reply.body["status"]), (201, &json!("pending")), "{:?}", reply.body);
    let id = reply.body["id"].as_str().unwrap();
    assert_eq!(world.balance(&alice, &account).await, "300.00");
    until(|| async { world.payout_status(&alice, id).await == "submitted" }).await;
    let calls = world.broker.calls("create_payout");
    assert_eq!((calls.len(), &calls[0]["idempotency_key"]), (1, &json!(id)));
    assert_eq!(
        calls[0]["params"],
        json!({ "payout_id": id, "amount": "700.00", "currency": "EUR",
        "creditor_iban": IBAN, "creditor_name": "Landlord Ltd", "reference": "Rent" })
    );
    assert_eq!(world.event("e-1", id, "paid").await.0, 200);
    assert_eq!(world.payout_status(&alice, id).await, "paid");
    // Again, under any event id; and never the other way round.
    assert_eq!(world.event("e-1", id, "paid").await.0, 200);
    assert_eq!(world.event("e-2", id, "paid").await.0, 200);
    let (status, problem) = world.event("e-3", id, "failed").await;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency.key_reused")));
    assert_eq!(world.balance(&alice, &account).await, "300.00");
    // The replayed order is what it was when it was given.
    let again = world.post_with_key(&alice, "/v1/payouts", &payout(&account, "700.00"), "k").await;
    assert_eq!((again.status, &again.body), (201, &reply.body));
    assert_eq!(world.count("accounts where purpose = 'payout_clearing' and balance <> 0").await, 0);
    assert_eq!(world.count("accounts where purpose = 'settlement' and currency = 'EUR' and balance = -30000").await, 1);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn a_failed_payout_is_back_on_the_account_once() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    let reply = world.post(&alice, "/v1/payouts", &payout(&account, "700.00")).await;
    let id = reply.body["id"].as_str().unwrap();
    let (first, second) = tokio::join!(world.event("e-1", id, "failed"), world.event("e-2", id, "failed"));
    assert_eq!((first.0, second.0), (200, 200));
    assert_eq!(
        (world.payout_status(&alice, id).await, world.balance(&alice, &account).await),
        ("failed".into(), "1000.00".into())
    );
    let entries = world.get(&alice, &format!("/v1/accounts/{account}/entries")).await.body;
    let kinds: Vec<_> =
        entries["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["payout_reversal", "payout", "deposit"]);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn an_order_is_sent_until_the_partner_has_it_and_a_refused_one_comes_back() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    world.broker.answers.lock().unwrap().payout = (503, json!({ "code": "server.outcome_unknown" }));
    let reply = world.post(&alice, "/v1/payouts", &payout(&account, "1.00")).await;
    let id = reply.body["id"].as_str().unwrap();
    until(|| async { world.broker.calls("create_payout").len() >= 2 }).await;
    assert_eq!(world.payout_status(&alice, id).await, "pending");
    *world.broker.answers.lock().unwrap() = crate::world::Answers::default();
    until(|| async { world.payout_status(&alice, id).await == "submitted" }).await;
    let keys: Vec<_> = world.broker.calls("create_payout").iter().map(|call| call["idempotency_key"].clone()).collect();
    assert!(keys.iter().all(|key| key == id));

    world.broker.answers.lock().unwrap().payout =
        (422, json!({ "type": "", "title": "", "status": 422, "code": "broker.upstream_refused" }));
    let refused = world.post(&alice, "/v1/payouts", &payout(&account, "5.00")).await;
    let id = refused.body["id"].as_str().unwrap();
    until(|| async { world.payout_status(&alice, id).await == "failed" }).await;
    assert_eq!(world.balance(&alice, &account).await, "999.00");
}

#[tokio::test]
async fn what_is_not_a_payout_is_refused_and_others_payouts_are_not_there() {
    let world = World::start().await;
    let (alice, mallory) = (world.phone("alice").await, world.phone("mallory").await);
    let account = world.open_with(&alice, "10.00", "EUR").await;
    let mut wrong = payout(&account, "1.00");
    wrong["creditor"]["iban"] = json!("DE89370400440532013001");
    assert_eq!(world.post(&alice, "/v1/payouts", &wrong).await.body["field"], "creditor.iban");
    let mut nameless = payout(&account, "1.00");
    nameless["creditor"]["name"] = json!(" ");
    assert_eq!(world.post(&alice, "/v1/payouts", &nameless).await.body["field"], "creditor.name");
    let broke = world.post(&alice, "/v1/payouts", &payout(&account, "10.01")).await;
    assert_eq!((broke.status, broke.code()), (422, "ledger.insufficient_funds"));
    let theft = world.post(&mallory, "/v1/payouts", &payout(&account, "1.00")).await;
    assert_eq!((theft.status, theft.code()), (404, "ledger.account_not_found"));
    let made = world.post(&alice, "/v1/payouts", &payout(&account, "1.00")).await;
    let seen = world.get(&mallory, &format!("/v1/payouts/{}", made.body["id"].as_str().unwrap())).await;
    assert_eq!((seen.status, seen.code()), (404, "ledger.payout_not_found"));
    let (status, problem) = world.event("e", "01890a5d-ac96-774b-bcce-b302099a8057", "paid").await;
    assert_eq!((status, &problem["code"]), (404, &json!("ledger.payout_not_found")));
    assert_eq!(world.count("payouts").await, 1);
}
