//! An operator stops a customer: nothing that they order is posted, and nothing of theirs is sent that nobody has begun to send.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::authority::SyntheticPhone;
use testkit::server;

use crate::approvals::approved;
use crate::payouts::payout;
use crate::risk::{Says, holding};
use crate::world::{World, transfer, until};

impl World {
    async fn as_peer(&self, peer: &str, path: &str, body: &Value) -> (u16, Value) {
        let client = server::client(&self.pki.internal_ca(), Some(&self.pki.internal(peer))).unwrap();
        let request = client.post(self.internal_url(&format!("/internal/v1/{path}"))).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Stops a customer; the id of the stop.
    async fn stop(&self, customer: &str) -> String {
        let asked = json!({ "customer": customer, "reason": "Phone stolen" });
        let (status, stop) = self.as_peer("operator", "stops", &asked).await;
        assert_eq!((status, &stop["customer"], stop.get("ended_at")), (201, &json!(customer), None), "{stop}");
        stop["id"].as_str().unwrap().to_owned()
    }

    async fn end_stop(&self, id: &str) -> (u16, Value) {
        self.as_peer("operator", &format!("stops/{id}/end"), &json!({ "reason": "It was them" })).await
    }

    async fn withdraw(&self, payout: &str) -> (u16, Value) {
        self.as_peer("operator", &format!("payouts/{payout}/withdrawal"), &Value::Null).await
    }

    fn was_sent(&self, payout: &str) -> bool {
        self.broker.calls("create_payout").iter().any(|call| call["idempotency_key"] == json!(payout))
    }
}

/// Alice has an account with 100, and Bob one with nothing.
async fn alice_and_bob() -> (World, SyntheticPhone, String, SyntheticPhone, String) {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let from = world.open_with(&alice, "100.00", "EUR").await;
    let to = world.open(&bob, "EUR").await;
    (world, alice, from, bob, to)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_pays_nobody_and_is_paid_and_reads_and_goes_on_when_the_stop_is_ended() {
    let (world, alice, from, bob, to) = alice_and_bob().await;
    let second = world.open(&alice, "USD").await;
    let id = world.stop("sub-alice").await;
    let exchange =
        json!({ "from_account": from, "to_account": second, "amount": { "amount": "5.00", "currency": "EUR" } });
    for (path, order) in [
        ("/v1/transfers", transfer(&from, &to, "5.00")),
        ("/v1/exchanges", exchange),
        ("/v1/payouts", payout(&from, "5.00")),
    ] {
        let refused = world.post_with_key(&alice, path, &order, &format!("stopped{path}")).await;
        assert_eq!((refused.status, refused.code()), (403, "ledger.customer_stopped"), "{path}: {refused:?}");
    }
    // What was refused so stays refused under its key, as every refusal.
    assert_eq!(world.count("idempotency where rejection = 'stopped' and transfer_id is null").await, 3);
    assert_eq!(world.balance(&alice, &from).await, "100.00");
    // Money comes in, by the partner and from others; and nobody else is stopped.
    assert_eq!(world.deposit("in", &from, "10.00", "EUR").await.0, 201);
    assert_eq!(world.deposit("bob", &to, "10.00", "EUR").await.0, 201);
    assert_eq!(world.post(&bob, "/v1/transfers", &transfer(&to, &from, "1.00")).await.status, 201);
    assert_eq!(world.balance(&alice, &from).await, "111.00");
    // An account that is opened meanwhile is as the others.
    let third = world.open_with(&alice, "7.00", "EUR").await;
    let refused = world.post(&alice, "/v1/transfers", &transfer(&third, &to, "1.00")).await;
    assert_eq!((refused.status, refused.code()), (403, "ledger.customer_stopped"));
    let (status, stop) = world.end_stop(&id).await;
    assert_eq!(
        (status, &stop["end_reason"], stop["ended_at"].is_string()),
        (200, &json!("It was them"), true),
        "{stop}"
    );
    for account in [&from, &third] {
        assert_eq!(world.post(&alice, "/v1/transfers", &transfer(account, &to, "1.00")).await.status, 201);
    }
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_one_stop_whoever_asks_and_it_is_ended_once() {
    let (world, ..) = alice_and_bob().await;
    let asked = json!({ "customer": "sub-alice", "reason": "Phone stolen" });
    let answers = join_all((0..20).map(|_| world.as_peer("operator", "stops", &asked))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 20, "{answers:?}");
    let id = answers[0].1["id"].as_str().unwrap();
    assert!(answers.iter().all(|(_, stop)| stop["id"] == id), "{answers:?}");
    assert_eq!(world.count("stops").await, 1);
    let ends = join_all((0..20).map(|_| world.end_stop(id))).await;
    assert!(ends.iter().all(|(status, stop)| *status == 200 && stop["ended_at"] == ends[0].1["ended_at"]), "{ends:?}");
    assert_eq!(world.count("stops where ended_at is not null and ended_by = 'operator'").await, 1);
    assert_eq!(world.count("accounts where stopped").await, 0);
    // The next one is another.
    assert_ne!(world.stop("sub-alice").await, id);

    for (peer, path, body, status, code) in [
        ("broker", "stops", asked.clone(), 403, "auth.forbidden"),
        ("operator", "stops", json!({ "customer": "sub-nobody", "reason": "x" }), 404, "ledger.customer_not_found"),
        ("operator", "stops", json!({ "customer": "sub-alice", "reason": "" }), 400, "request.invalid"),
        ("operator", "stops", json!({ "customer": "sub-alice", "reason": "x".repeat(141) }), 400, "request.invalid"),
        (
            "operator",
            "stops/01890a5d-ac96-774b-bcce-b302099a8057/end",
            json!({ "reason": "x" }),
            404,
            "ledger.stop_not_found",
        ),
    ] {
        let (is, problem) = world.as_peer(peer, path, &body).await;
        assert_eq!((is, problem["code"].as_str()), (status, Some(code)), "{peer} {path} {body}");
    }
}

/// Many pay while they are stopped: what was posted was posted before the operator had the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_posted_after_the_operator_was_told() {
    let (world, alice, from, _bob, to) = alice_and_bob().await;
    let order = transfer(&from, &to, "0.01");
    // Each pays until they are refused.
    let paying = join_all((0..20).map(async |_| {
        let mut posted = 0;
        loop {
            let answer = world.post(&alice, "/v1/transfers", &order).await;
            match (answer.status, answer.code()) {
                (201, _) => posted += 1,
                (403, "ledger.customer_stopped") => break posted,
                _ => panic!("{answer:?}"),
            }
        }
    }));
    let stopping = async {
        until(async || world.count("transfers where kind = 'transfer'").await > 20).await;
        world.stop("sub-alice").await;
        world.balance(&alice, &from).await
    };
    let (posted, told) = tokio::join!(paying, stopping);
    assert_eq!(world.balance(&alice, &from).await, told);
    let posted: i64 = posted.iter().sum();
    assert_eq!(told, format!("{}.{:02}", (10_000 - posted) / 100, (10_000 - posted) % 100));
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_of_theirs_waits_for_the_end_of_the_stop_or_an_operator_takes_it_back() {
    let (world, analytics) = holding(600).await;
    analytics.say(Says::Only("delay"));
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, of_bob) = (world.open_with(&alice, "100.00", "EUR").await, world.open_with(&bob, "10.00", "EUR").await);
    let held = async |phone: &SyntheticPhone, account: &str, key: &str| {
        let order = payout(account, "5.00");
        let first = world.post_with_key(phone, "/v1/payouts", &order, key).await;
        phone.approve(&[approved(&world, &first, phone.subject()).await]);
        let reply = world.post_with_key(phone, "/v1/payouts", &order, key).await;
        phone.approve(&[]);
        assert_eq!(reply.body["status"], "held", "{:?}", reply.body);
        reply.body["id"].as_str().unwrap().to_owned()
    };
    let (waits, goes_back) = (held(&alice, &from, "a").await, held(&alice, &from, "b").await);
    let stop = world.stop("sub-alice").await;
    let others = held(&bob, &of_bob, "c").await;
    // Their time is over, as if ten minutes had gone.
    let over = "set session_replication_role = replica; update payouts set held_until = created_at + interval '1 millisecond', next_attempt_at = now(); \
        set session_replication_role = origin";
    world.sql(over).await;
    until(async || world.was_sent(&others)).await;
    let waiting = format!("payouts where id in ('{waits}', '{goes_back}') and held_until < now() and attempts = 0");
    assert_eq!(world.count(&waiting).await, 2, "their time is over, and nobody has begun to send them");
    // Their payer cannot take one back any more; an operator can, once.
    let refused = world.post(&alice, &format!("/v1/payouts/{goes_back}/cancellation"), &Value::Null).await;
    assert_eq!((refused.status, refused.code()), (409, "ledger.payout_not_held"));
    assert_eq!(world.as_peer("broker", &format!("payouts/{goes_back}/withdrawal"), &Value::Null).await.0, 403);
    let answers = join_all((0..10).map(|_| world.withdraw(&goes_back))).await;
    assert!(answers.iter().all(|(status, payout)| *status == 200 && payout["status"] == "cancelled"), "{answers:?}");
    assert_eq!(world.balance(&alice, &from).await, "95.00");
    assert_eq!(world.count("payouts where word = 'withdrawn' and attempts = 0").await, 1);
    // Who has not taken one back by themselves is not taken for somebody who has.
    assert_eq!(world.count("payouts where word = 'cancelled'").await, 0);
    assert_eq!(world.end_stop(&stop).await.0, 200);
    until(async || world.was_sent(&waits)).await;
    assert!(!world.was_sent(&goes_back));
    // What is on its way nobody takes back.
    let (status, problem) = world.withdraw(&waits).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("ledger.payout_not_held")));
    assert_eq!(world.invariants().await["hold"], true);
}

/// The database compares, whatever the code forgets.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_posts_and_sends_nothing_of_a_stopped_customer() {
    let (world, alice, from, _bob, to) = alice_and_bob().await;
    assert_eq!(world.post(&alice, "/v1/transfers", &transfer(&from, &to, "5.00")).await.status, 201);
    let id = world.order(&alice, &from, "5.00").await;
    until(async || world.was_sent(&id)).await;
    world.stop("sub-alice").await;
    // As if it were posted once more: the same row is written again, and the trigger that numbers transfers is not asked.
    let again = "alter table transfers disable trigger transfers_numbered; create temp table was as select * from transfers where kind = 'transfer'; \
        update was set id = gen_random_uuid(), sequence = sequence + 1000; insert into transfers select * from was";
    let refused = world.sql_error(again).await;
    assert!(refused.contains("an order of a customer who is stopped"), "{refused}");
    // As if nothing of it had been sent, though it was tried: a claim takes nothing up.
    let untouched = "set session_replication_role = replica; update payouts set attempts = 3, status = 'pending', unsure_by = null, unsure_since = null; set session_replication_role = origin";
    world.sql(untouched).await;
    world.sql("update payouts set attempts = 4, unsure_by = 4, unsure_since = now()").await;
    assert_eq!(world.count(&format!("payouts where id = '{id}' and attempts = 3 and unsure_since is null")).await, 1);
    assert_eq!(world.withdraw(&id).await.0, 200, "nor has anybody begun to");
    for (statement, says) in [
        ("update accounts set stopped = false", "a customer is stopped by a stop only"),
        ("update stops set reason = 'x'", "a stop is ended, once, and never changed"),
        ("delete from stops", "not allowed"),
        ("update stops set end_reason = 'x'", "ended"),
    ] {
        let refused = world.sql_error(statement).await;
        assert!(refused.contains(says), "{statement}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_migration_nobody_is_stopped_and_what_was_taken_back_stays_back() {
    let (world, analytics) = holding(600).await;
    analytics.say(Says::Only("delay"));
    let alice = world.phone("alice").await;
    let from = world.open_with(&alice, "100.00", "EUR").await;
    let order = payout(&from, "5.00");
    let first = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    alice.approve(&[approved(&world, &first, alice.subject()).await]);
    let held = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    // What is held an operator takes back without a stop, too.
    assert_eq!(world.withdraw(held.body["id"].as_str().unwrap()).await.0, 200);
    world.stop("sub-alice").await;
    world.sql(include_str!("../../migrations/00000000000023_stops/down.sql")).await;
    assert_eq!(world.count("payouts where status = 'failed' and word = 'refusal'").await, 1);
    assert_eq!(world.count("information_schema.tables where table_name = 'stops'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledgers_own_command_stops_lists_and_ends() {
    let (world, ..) = alice_and_bob().await;
    let config = world.config_file();
    let identity = world.pki.internal("operator");
    let run = async |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ledger"));
        command.args(arguments).arg("--config").arg(&config);
        command.arg("--certificate").arg(&identity.certificate).arg("--key").arg(&identity.key);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (good, output) = run(&["stops", "begin", "--customer", "sub-alice", "--reason", "Phone stolen"]).await;
    assert!(good, "{output}");
    let stop: Value = serde_json::from_str(&output).unwrap();
    let (good, output) = run(&["stops", "list", "--limit", "5"]).await;
    assert!(good && output.contains("Phone stolen"), "{output}");
    let (good, output) = run(&["stops", "end", "--id", stop["id"].as_str().unwrap(), "--reason", "Found"]).await;
    assert!(good && output.contains("ended_at"), "{output}");
    let (good, output) = run(&["stops", "list"]).await;
    assert!(good && !output.contains("sub-alice"), "{output}");
    let (good, output) = run(&["stops", "list", "--state", "ended"]).await;
    assert!(good && output.contains("Found"), "{output}");
    let nothing = "01890a5d-ac96-774b-bcce-b302099a8057";
    let (good, output) = run(&["payouts", "withdraw", "--id", nothing]).await;
    assert!(!good && output.contains("ledger.payout_not_found"), "{output}");
}
