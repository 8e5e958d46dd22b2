//! Money that arrives: whose event it is, and where it goes when it cannot go where it was meant to.

use serde_json::{Value, json};
use testkit::server;

use crate::world::{World, logged};

pub(crate) const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
pub(crate) const EUR_SUSPENSE: &str = "00000000-0000-8000-8000-455552000004";
const USD_SUSPENSE: &str = "00000000-0000-8000-8000-555344000004";

impl World {
    async fn deposit_of(&self, provider: &str, event: &str, account: &str, amount: &str) -> (u16, Value) {
        let body = json!({ "provider": provider, "event_id": event, "account_id": account, "amount": amount,
            "currency": "EUR", "debtor_name": "Employer GmbH", "reference": "Salary" });
        self.as_broker("/internal/v1/deposits", &body).await
    }

    pub(crate) async fn close_account(&self, account: &str) {
        self.sql(&format!("update accounts set closed_at = now() where id = '{account}'")).await;
    }

    pub(crate) async fn reopen_account(&self, account: &str) {
        self.sql(&format!("update accounts set closed_at = null where id = '{account}'")).await;
    }
}

#[tokio::test]
async fn event_ids_belong_to_their_provider() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    let (status, first) = world.deposit_of("bank-a", "evt_1", &account, "1.00").await;
    assert_eq!(status, 201, "{first}");
    // The same content of another bank is other money.
    let (status, second) = world.deposit_of("bank-b", "evt_1", &account, "1.00").await;
    assert_eq!(status, 201, "{second}");
    assert_ne!(first["id"], second["id"]);
    let (status, third) = world.deposit_of("bank-c", "evt_1", &account, "7.00").await;
    assert_eq!(status, 201, "{third}");
    assert_eq!(world.balance(&alice, &account).await, "9.00");
    // Each bank's own repetition is one.
    assert_eq!(world.deposit_of("bank-a", "evt_1", &account, "1.00").await, (201, first));
    assert_eq!(world.deposit_of("bank-b", "evt_1", &account, "1.00").await, (201, second));
    assert_eq!(world.balance(&alice, &account).await, "9.00");
    for provider in ["", "Bank", "bank a", "bank:a", &"b".repeat(65)] {
        let (status, problem) = world.deposit_of(provider, "evt_1", &account, "1.00").await;
        assert_eq!((status, &problem["field"]), (400, &json!("provider")), "{provider}");
    }
}

#[tokio::test]
async fn money_that_cannot_go_where_it_was_meant_to_waits_in_suspense() {
    logged();
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (closed, full) = (world.open(&alice, "EUR").await, world.open(&alice, "EUR").await);
    world.close_account(&closed).await;
    let max = "set session_replication_role = replica; update accounts set balance = 9223372036854775807 where id = ";
    world.sql(&format!("{max}'{full}'; set session_replication_role = origin")).await;
    let settlement = "00000000-0000-8000-8000-455552000001";
    let cases = [
        (NOBODY, "EUR", EUR_SUSPENSE, "not_found"),
        (&*closed, "EUR", EUR_SUSPENSE, "closed"),
        (&*closed, "USD", USD_SUSPENSE, "closed"),
        (&*full, "EUR", EUR_SUSPENSE, "limit_exceeded"),
        (&*full, "USD", USD_SUSPENSE, "currency_mismatch"),
        (settlement, "EUR", EUR_SUSPENSE, "same_account"),
        (settlement, "USD", USD_SUSPENSE, "currency_mismatch"),
        ("00000000-0000-8000-8000-455552000002", "EUR", EUR_SUSPENSE, "not_found"),
        // A bank that names the suspense account names nobody's.
        (EUR_SUSPENSE, "EUR", EUR_SUSPENSE, "not_found"),
    ];
    for (number, (wanted, currency, suspense, reason)) in cases.into_iter().enumerate() {
        let event = format!("evt-{number}");
        let (status, first) = world.deposit(&event, wanted, "2.50", currency).await;
        assert_eq!((status, &first["to_account"]), (201, &json!(suspense)), "{reason}: {first}");
        let id = first["id"].as_str().unwrap();
        let row = format!(
            "suspense_items where id = '{id}' and provider = 'sandbox-bank' and event_id = '{event}' and wanted_account = '{wanted}' \
             and reason = '{reason}' and amount = 250 and currency = '{currency}' and allocated_by is null"
        );
        assert_eq!(world.count(&row).await, 1, "{reason}");
        assert_eq!(world.deposit(&event, wanted, "2.50", currency).await, (201, first.clone()), "once");
        let log = String::from_utf8(logged().lock().unwrap().clone()).unwrap();
        assert!(
            log.lines().any(|line| line.contains("\"audit\"") && line.contains(id) && line.contains(reason)),
            "{reason}"
        );
    }
    assert_eq!(world.count("suspense_items").await, 9);
    assert_eq!(world.count("transfers").await, 9);
    assert_eq!(world.count(&format!("accounts where id = '{EUR_SUSPENSE}' and balance = 1500")).await, 1);
}

/// Not even suspense can hold it: whoever told of it is told so, and keeps it.
#[tokio::test]
async fn money_that_the_books_cannot_hold_is_refused_by_name() {
    let world = World::start().await;
    let max = "set session_replication_role = replica; update accounts set balance = 9223372036854775807 where id = ";
    world.sql(&format!("{max}'{EUR_SUSPENSE}'; set session_replication_role = origin")).await;
    let (status, problem) = world.deposit("evt-1", NOBODY, "0.01", "EUR").await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("ledger.limit_exceeded")), "{problem}");
    assert_eq!(world.count("transfers").await, 0);
}

#[tokio::test]
async fn a_deposit_that_nobody_can_read_is_not_frozen() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    for (amount, currency, code, field) in [
        ("0.00", "EUR", "ledger.amount_invalid", "amount"),
        ("1.001", "EUR", "ledger.amount_invalid", "amount"),
        ("1", "???", "request.invalid", "currency"),
    ] {
        let (status, problem) = world.deposit("evt-1", &account, amount, currency).await;
        assert_eq!((status, &problem["code"], &problem["field"]), (400, &json!(code), &json!(field)));
    }
    assert_eq!(world.count("idempotency").await, 0);
    assert_eq!(world.deposit("evt-1", &account, "1.00", "EUR").await.0, 201, "judged anew");
    assert_eq!(world.balance(&alice, &account).await, "1.00");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_closes_among_deposits_loses_none_of_them() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    let names: Vec<String> = (0..120).map(|number| format!("evt-{number}")).collect();
    let deposits =
        futures_util::future::join_all(names.iter().map(|event| world.deposit(event, &account, "1.00", "EUR")));
    let closing = async {
        for _ in 0..6 {
            world.close_account(&account).await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            world.reopen_account(&account).await;
        }
    };
    let (answers, ()) = tokio::join!(deposits, closing);
    for (event, (status, answer)) in names.iter().zip(&answers) {
        assert_eq!(*status, 201, "{answer}");
        assert_eq!(world.deposit(event, &account, "1.00", "EUR").await, (201, answer.clone()), "the same for ever");
    }
    let sum = format!(
        "accounts a, accounts s where a.id = '{account}' and s.id = '{EUR_SUSPENSE}' and a.balance + s.balance = 12000 \
         and s.balance = (select coalesce(sum(amount), 0) from suspense_items)"
    );
    assert_eq!(world.count(&sum).await, 1);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_suspense() {
    let world = World::start().await;
    for name in ["broker", "auth", "attestation", "partner"] {
        let client = server::client(&world.pki.internal_ca(), Some(&world.pki.internal(name))).unwrap();
        let list = client.get(world.internal_url("/internal/v1/suspense")).send().await.unwrap();
        assert_eq!(list.status(), 403, "{name}");
        let allocate = client.post(world.internal_url(&format!("/internal/v1/suspense/{NOBODY}/allocate")));
        let answer = allocate.json(&json!({ "account_id": NOBODY })).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}");
    }
    assert_eq!(world.public.get(world.url("/internal/v1/suspense")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn events_from_before_their_provider_had_a_name_are_not_booked_again_and_refused_ones_are_judged_anew() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    assert_eq!(world.deposit("evt-booked", &account, "1.00", "EUR").await.0, 201);
    world.sql(include_str!("../../migrations/00000000000009_suspense/down.sql")).await;
    // As it was: one owner for all deposits, no provider in the fingerprint, refusals of the house kept.
    let zeros = "decode(repeat('00', 32), 'hex')";
    let refused = |owner: &str, operation: &str, key: &str| {
        format!(
            "insert into idempotency (owner, operation, key, fingerprint, rejection, rejected_leg, decided_at) \
             values ('{owner}', '{operation}', '{key}', {zeros}, 'not_found', 1, now());"
        )
    };
    let before = [
        "set session_replication_role = replica;".to_owned(),
        format!("update idempotency set owner = 'broker', fingerprint = {zeros};"),
        refused("broker", "deposit", "evt-refused"),
        refused("house", "payout_closing", "a-payout"),
        refused("alice", "transfer", "a-transfer"),
        "set session_replication_role = origin".to_owned(),
    ];
    world.sql(&before.concat()).await;
    world.sql(include_str!("../../migrations/00000000000009_suspense/up.sql")).await;
    let (status, problem) = world.deposit("evt-booked", &account, "1.00", "EUR").await;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency.key_reused")));
    assert_eq!(world.balance(&alice, &account).await, "1.00");
    assert_eq!(world.deposit("evt-refused", &account, "1.00", "EUR").await.0, 201);
    assert_eq!(world.balance(&alice, &account).await, "2.00");
    assert_eq!(world.count("idempotency where owner = 'house'").await, 0);
    assert_eq!(
        world.count("idempotency where owner = 'alice' and rejection is not null").await,
        1,
        "a customer's stands"
    );
    let kept = world.sql_error(&refused("broker:sandbox-bank", "deposit", "evt-new")).await;
    assert!(kept.contains("only_customers_are_refused"), "{kept}");
}
