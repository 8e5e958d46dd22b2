//! `/v1/payouts`, the courier, and what the partner says.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use ledger::config::Payouts;
use testkit::authority::SyntheticPhone;

use crate::world::{IBAN, World, logged, problem, until};

pub(crate) fn payout(from: &str, amount: &str) -> Value {
    json!({ "from_account": from, "amount": { "amount": amount, "currency": "EUR" },
        "creditor": { "name": "Landlord Ltd", "iban": IBAN }, "reference": "Rent" })
}

impl World {
    /// Orders a payout; answers its id.
    pub(crate) async fn order(&self, phone: &SyntheticPhone, from: &str, amount: &str) -> String {
        let reply = self.post(phone, "/v1/payouts", &payout(from, amount)).await;
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        reply.body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn payout_status(&self, phone: &SyntheticPhone, id: &str) -> String {
        self.get(phone, &format!("/v1/payouts/{id}")).await.body["status"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn event(&self, event: &str, payout: &str, status: &str) -> (u16, Value) {
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
    assert_eq!((status, &problem["code"]), (409, &json!("ledger.payout_contradicted")));
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
    world.broker.answers.lock().unwrap().payout = problem(503, "broker.upstream_unavailable");
    let id = world.order(&alice, &account, "1.00").await;
    until(|| async { world.broker.calls("create_payout").len() >= 2 }).await;
    // Nothing was sent, so nothing is unknown; but for an attempt that is under way.
    until(|| async { world.payout_status(&alice, &id).await == "pending" }).await;
    *world.broker.answers.lock().unwrap() = crate::broker::Answers::default();
    until(|| async { world.payout_status(&alice, &id).await == "submitted" }).await;
    let keys: Vec<_> = world.broker.calls("create_payout").iter().map(|call| call["idempotency_key"].clone()).collect();
    assert!(keys.iter().all(|key| *key == id));
    assert!(world.broker.calls("payout_status").is_empty(), "there was nothing to ask");

    // Not sent, and then refused: certain all the way.
    world.broker.answers.lock().unwrap().payout = problem(503, "broker.upstream_unavailable");
    let id = world.order(&alice, &account, "5.00").await;
    until(|| async { world.broker.calls("create_payout").iter().any(|call| call["idempotency_key"] == id) }).await;
    world.broker.answers.lock().unwrap().payout = problem(422, "broker.upstream_refused");
    until(|| async { world.payout_status(&alice, &id).await == "failed" }).await;
    assert_eq!(world.balance(&alice, &account).await, "999.00");
    assert_eq!(world.count("payouts where status = 'failed' and word = 'refusal'").await, 1);
}

/// The order is on the bank's books, its answer was lost, and the repetition is refused.
#[tokio::test]
async fn a_refusal_after_an_attempt_that_may_have_arrived_gives_nothing_back() {
    let world = World::start_where(|config| {
        config.payouts = Payouts { poll_ms: 50, alarm_after_ms: 400, ..Payouts::default() }
    })
    .await;
    logged();
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    let answer = |payout, standing| {
        let mut answers = world.broker.answers.lock().unwrap();
        (answers.payout, answers.standing) = (payout, standing);
    };
    let no_word = || problem(502, "broker.upstream_failed");
    for (end, meanwhile, balance) in [("paid", "999.00", "999.00"), ("failed", "998.00", "999.00")] {
        answer(problem(503, "server.outcome_unknown"), no_word());
        let id = world.order(&alice, &account, "1.00").await;
        let orders = || world.broker.calls("create_payout").iter().filter(|call| call["idempotency_key"] == id).count();
        until(|| async { orders() > 0 }).await;
        answer(problem(422, "broker.upstream_refused"), no_word());
        until(|| async { orders() > 1 }).await;
        until(|| async { world.payout_status(&alice, &id).await == "unknown" }).await;
        assert_eq!(world.balance(&alice, &account).await, meanwhile, "nothing is given back");
        let alarm = format!("\"id\":\"{id}\"");
        until(|| async {
            let log = String::from_utf8_lossy(&logged().lock().unwrap()).into_owned();
            log.lines().any(|line| line.contains("\"reason\":\"payout_stuck\"") && line.contains(&alarm))
        })
        .await;
        // "No such order" is no word either: it may still be under way.
        answer(problem(422, "broker.upstream_refused"), problem(422, "broker.upstream_refused"));
        let before = orders();
        until(|| async { orders() > before }).await;
        assert_eq!(world.payout_status(&alice, &id).await, "unknown");
        answer(problem(422, "broker.upstream_refused"), (200, json!({ "result": { "id": "po_1", "outcome": end } })));
        until(|| async { world.payout_status(&alice, &id).await == end }).await;
        assert_eq!(world.balance(&alice, &account).await, balance);
        assert_eq!(world.count(&format!("payouts where id = '{id}' and word = 'status'")).await, 1);
    }
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn an_order_whose_courier_died_may_have_arrived() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    world.broker.answers.lock().unwrap().payout = problem(503, "broker.upstream_unavailable");
    world.broker.answers.lock().unwrap().standing = problem(422, "broker.upstream_refused");
    let id = world.order(&alice, &account, "1.00").await;
    until(|| async {
        world.count(&format!("payouts where id = '{id}' and attempts > 0 and unsure_since is null")).await == 1
    })
    .await;
    // A process has claimed it and was killed before it could say how it went.
    world.sql(&format!("update payouts set attempts = attempts + 1, unsure_since = now(), unsure_by = attempts + 1, next_attempt_at = now() where id = '{id}'")).await;
    world.broker.answers.lock().unwrap().payout = problem(422, "broker.upstream_refused");
    let before = world.broker.calls("create_payout").len();
    until(|| async { world.broker.calls("create_payout").len() > before }).await;
    until(|| async { world.payout_status(&alice, &id).await == "unknown" }).await;
    assert_eq!(world.balance(&alice, &account).await, "999.00");
    let (status, _) = world.event("e-1", &id, "paid").await;
    assert_eq!((status, world.payout_status(&alice, &id).await.as_str()), (200, "paid"));
}

/// What the code says, said again by the database: to whoever can update the table.
#[tokio::test]
async fn the_database_keeps_what_is_unknown_unknown() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    world.broker.answers.lock().unwrap().payout = problem(503, "server.outcome_unknown");
    world.broker.answers.lock().unwrap().standing = problem(502, "broker.upstream_failed");
    let id = world.order(&alice, &account, "1.00").await;
    until(|| async {
        world.count(&format!("payouts where id = '{id}' and unsure_by = 1 and attempts > 1")).await == 1
    })
    .await;
    for change in [
        "unsure_since = null, unsure_by = null",
        "unsure_since = null",
        "unsure_by = attempts",
        "attempts = 1",
        "attempts = 1, status = 'failed', word = 'refusal', closed_by = id",
        "status = 'failed', word = 'refusal', closed_by = id",
        "status = 'failed', word = null, closed_by = id",
        "status = 'paid', word = 'refusal', closed_by = id",
        "status = 'returned', word = 'event', closed_by = id, returned_by = id",
        "provider = 'another-bank'",
    ] {
        assert!(world.try_sql(&format!("update payouts set {change} where id = '{id}'")).await.is_err(), "{change}");
    }
    assert_eq!(world.event("e-1", &id, "paid").await.0, 200);
    for change in
        ["status = 'failed'", "status = 'returned'", "word = 'refusal'", "closed_by = id", "paid_late_by = id"]
    {
        assert!(world.try_sql(&format!("update payouts set {change} where id = '{id}'")).await.is_err(), "{change}");
    }
}

#[tokio::test]
async fn what_the_bank_pays_after_it_was_given_back_is_in_suspense_and_an_alarm_stands() {
    let world = World::start().await;
    logged();
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    let id = world.order(&alice, &account, "700.00").await;
    assert_eq!(world.event("e-1", &id, "failed").await.0, 200);
    assert_eq!(world.balance(&alice, &account).await, "1000.00");
    for event in ["e-2", "e-2", "e-3"] {
        let (status, payout) = world.event(event, &id, "paid").await;
        assert_eq!((status, &payout["status"]), (200, &json!("failed")), "the customer keeps the money: {payout}");
    }
    assert_eq!(world.balance(&alice, &account).await, "1000.00");
    assert_eq!(world.count("accounts where purpose = 'suspense' and currency = 'EUR' and balance = -70000").await, 1);
    assert_eq!(world.count("accounts where purpose = 'settlement' and currency = 'EUR' and balance = -30000").await, 1);
    let log = String::from_utf8_lossy(&logged().lock().unwrap()).into_owned();
    let alarms = log.lines().filter(|line| {
        line.contains("payout_paid_after_reversal") && line.contains(&id) && line.contains("\"event\":\"alarm\"")
    });
    assert!(alarms.count() >= 1);
    // And when the bank gets it back, so does the house.
    assert_eq!(world.event("e-4", &id, "returned").await.0, 200);
    assert_eq!(world.count("accounts where purpose = 'suspense' and balance <> 0").await, 0);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn a_paid_payout_that_comes_back_is_back_on_the_account_once() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    let id = world.order(&alice, &account, "700.00").await;
    // The event of the payment itself may come later, or never.
    let (first, second) = tokio::join!(world.event("e-1", &id, "returned"), world.event("e-2", &id, "returned"));
    assert_eq!((first.0, second.0), (200, 200), "{first:?} {second:?}");
    assert_eq!(world.event("e-3", &id, "paid").await.0, 200);
    assert_eq!(world.payout_status(&alice, &id).await, "returned");
    assert_eq!(world.balance(&alice, &account).await, "1000.00");
    assert_eq!(world.count("transfers where kind = 'payout_return'").await, 1);
    assert_eq!(world.count("accounts where purpose = 'payout_clearing' and balance <> 0").await, 0);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn what_comes_back_for_a_closed_account_waits_in_suspense() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "30.00", "EUR").await;
    let (failed, returned) =
        (world.order(&alice, &account, "10.00").await, world.order(&alice, &account, "20.00").await);
    world.sql(&format!("update accounts set closed_at = now() where id = '{account}'")).await;
    assert_eq!(world.event("e-1", &failed, "failed").await.0, 200);
    assert_eq!(world.event("e-2", &returned, "returned").await.0, 200);
    for (kind, amount) in [("payout_reversal", 1_000), ("payout_return", 2_000)] {
        let waits = format!(
            "suspense_items i join transfers t on t.id = i.id where t.kind = '{kind}' and i.amount = {amount} \
             and i.wanted_account = '{account}' and i.reason = 'closed' and i.provider = 'sandbox-bank'"
        );
        assert_eq!(world.count(&waits).await, 1, "{kind}");
    }
    assert_eq!(world.payout_status(&alice, &failed).await, "failed");
    assert_eq!(world.payout_status(&alice, &returned).await, "returned");
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn only_the_provider_that_carries_a_payout_out_has_a_word_on_it() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "10.00", "EUR").await;
    let id = world.order(&alice, &account, "1.00").await;
    let body = json!({ "provider": "another-bank", "event_id": "e-1", "payout_id": id, "status": "failed" });
    let (status, refused) = world.as_broker("/internal/v1/payout-events", &body).await;
    assert_eq!((status, &refused["code"]), (404, &json!("ledger.payout_not_found")));
    assert_eq!(world.balance(&alice, &account).await, "9.00");
    assert_eq!(world.event("e-1", &id, "failed").await.0, 200);
}

#[tokio::test]
async fn what_is_not_a_payout_is_refused_and_others_payouts_are_not_there() {
    let world = World::start().await;
    let (alice, mallory) = (world.phone("alice").await, world.phone("mallory").await);
    let account = world.open_with(&alice, "10.00", "EUR").await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_payouts_reach_the_limit_exactly_and_go_no_further() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let account = world.open_with(&alice, "100.00", "EUR").await;
    let other = world.open_with(&alice, "100.00", "EUR").await;
    world.sql("update owners set payout_ceiling = 5 where owner = 'sub-alice'").await;
    let keys: Vec<String> = (0..24).map(|n| format!("k-{n}")).collect();
    let orders = [payout(&account, "1.00"), payout(&other, "1.00")];
    // A batch with one too many is tried in halves, and on a slow machine some of it is told to come back: that is no refusal.
    let order = async |n: usize| {
        let mut reply = world.post_with_key(&alice, "/v1/payouts", &orders[n % 2], &keys[n]).await;
        for _ in 0..10 {
            if reply.code() == "server.busy" {
                reply = world.post_with_key(&alice, "/v1/payouts", &orders[n % 2], &keys[n]).await;
            }
        }
        reply
    };
    let replies = futures_util::future::join_all((0..keys.len()).map(order)).await;
    let (ordered, refused): (Vec<_>, Vec<_>) = replies.iter().enumerate().partition(|(_, reply)| reply.status == 201);
    assert_eq!((ordered.len(), refused.len()), (5, 19));
    for (_, reply) in &refused {
        assert_eq!((reply.status, reply.code()), (422, "ledger.payout_limit_reached"), "{:?}", reply.body);
    }
    assert_eq!(world.count("payouts").await, 5);
    // One that was ordered is told so again; the limit is each owner's own.
    let (n, first) = ordered[0];
    let again = world.post_with_key(&alice, "/v1/payouts", &orders[n % 2], &keys[n]).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    let bobs = world.open_with(&bob, "1.00", "EUR").await;
    world.order(&bob, &bobs, "1.00").await;
    // One that ends makes room, and a refusal was no outcome of its key.
    assert_eq!(world.event("e-1", first.body["id"].as_str().unwrap(), "paid").await.0, 200);
    let (n, _) = refused[0];
    assert_eq!(world.post_with_key(&alice, "/v1/payouts", &orders[n % 2], &keys[n]).await.status, 201);
    assert_eq!(world.count("owners where owner = 'sub-alice' and open_payouts = 5").await, 1);
    // And the count moves in no other way.
    assert!(world.try_sql("update owners set open_payouts = 0").await.is_err());
    assert_eq!(world.invariants().await["hold"], true);
}

/// An operator's session holds the rows of one payout and of its owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payout_that_somebody_holds_stops_no_transfer() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let account = world.open_with(&alice, "100.00", "EUR").await;
    let (from, to) = (world.open_with(&bob, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let id = world.order(&alice, &account, "1.00").await;
    until(|| async { world.payout_status(&alice, &id).await == "submitted" }).await;
    let mut session = storage::connection(&world.superuser).await.unwrap();
    let hold = format!(
        "begin; set local idle_in_transaction_session_timeout = 0; select from payouts where id = '{id}' for update; \
         select from owners where owner = 'sub-alice' for update"
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut session, &hold).await.unwrap();
    let (order, done) = (payout(&account, "1.00"), AtomicBool::new(false));
    // Whoever needs one of those rows is told to come back, and does.
    let stopped = async {
        while !done.load(Ordering::Relaxed) {
            let (event, order) =
                tokio::join!(world.event("e-1", &id, "paid"), world.post(&alice, "/v1/payouts", &order));
            assert_eq!((event.0, order.status), (503, 503), "{event:?} {:?}", order.body);
        }
    };
    // What comes while they wait is posted. Behind one that waited for as long as the row is held, it would be given up like that one.
    let others = async {
        for n in 0..5 {
            until(|| world.a_batch_waits()).await;
            let reply = world.post(&bob, "/v1/transfers", &crate::world::transfer(&from, &to, "1.00")).await;
            assert_eq!(reply.status, 201, "{n}: {:?}", reply.body);
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(stopped, others);
    diesel_async::SimpleAsyncConnection::batch_execute(&mut session, "rollback").await.unwrap();
    assert_eq!(world.event("e-1", &id, "paid").await.0, 200);
}
