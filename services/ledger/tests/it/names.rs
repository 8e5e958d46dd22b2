//! Whether a payee's account belongs to its name: asked once, told, and what follows from it.

use std::time::Duration;

use futures_util::future::join_all;
use ledger::config::{Approval, Behavior, NameChecks, Payees};
use serde_json::{Value, json};
use testkit::authority::{Reply, SyntheticPhone};
use tokio::time::Instant;

use crate::approvals::{approved, asked, shown};
use crate::broker::said;
use crate::layers::audited;
use crate::risk::asked_of;
use crate::world::{IBAN, World, iban, logged, problem, until};

const HOLDER: &str = "Carolina <b>Carter</b>";

/// Names are checked, within this time; up to 30 euros a payment needs no approval.
pub(crate) async fn within(deadline_ms: u32) -> World {
    World::start_where(|config| {
        let check = NameChecks { provider: "names".to_owned(), operation: "check_payee".to_owned(), deadline_ms };
        config.payees = Payees { cooling_off_seconds: 0, check: Some(check), ..Payees::default() };
        config.approval = Approval::uncounted([("EUR".to_owned(), "30.00".to_owned())].into());
    })
    .await
}

pub(crate) async fn world() -> World {
    within(5_000).await
}

pub(crate) fn close(holder: &str) -> (u16, Value) {
    (200, json!({ "result": { "word": "close_match", "holder": holder } }))
}

impl World {
    /// From now on this is the word on every name.
    pub(crate) fn says_of_names(&self, answer: (u16, Value)) {
        self.broker.answers.lock().unwrap().name = answer;
    }

    pub(crate) async fn add(&self, phone: &SyntheticPhone, number: u128, key: &str) -> Reply {
        self.post_with_key(phone, "/v1/payees", &json!({ "name": "Carol", "iban": iban(number) }), key).await
    }

    /// As if so long had passed since names were asked about: somebody whom no trigger stops.
    pub(crate) async fn asked_before(&self, interval: &str) {
        self.sql(&format!(
            "begin; set local session_replication_role = replica; \
             update payee_checks set asked_at = asked_at - interval '{interval}', told_at = told_at - interval '{interval}', \
                                     due_at = due_at - interval '{interval}'; commit"
        ))
        .await;
    }
}

fn word(payee: &Value) -> &str {
    payee["name_check"]["word"].as_str().unwrap_or_else(|| panic!("{payee}"))
}

#[tokio::test]
async fn a_name_is_checked_once_and_the_word_is_told_and_no_log_has_a_name() {
    let log = logged();
    let world = world().await;
    let alice = world.phone("alice").await;
    let words = [
        (said("match"), json!({ "word": "match" })),
        (close(HOLDER), json!({ "word": "close_match", "holder": HOLDER })),
        (said("no_match"), json!({ "word": "no_match" })),
        (said("not_possible"), json!({ "word": "not_possible" })),
        // A name that comes with another word is not kept: it would tell whose account it is to whoever guesses.
        ((200, json!({ "result": { "word": "no_match", "holder": "Whoever Itis" } })), json!({ "word": "no_match" })),
    ];
    for (n, (answer, mut expected)) in (0..).zip(words) {
        world.says_of_names(answer);
        let added = world.add(&alice, n, &n.to_string()).await;
        assert_eq!(added.status, 201, "{:?}", added.body);
        let at = added.body["name_check"]["checked_at"].as_str().unwrap();
        let created = added.body["created_at"].as_str().unwrap();
        assert!(at >= created, "{at} {created}");
        expected["checked_at"] = json!(at);
        assert_eq!(added.body["name_check"], expected);
        // Said again is said, and not asked; whatever would be said now.
        world.says_of_names(said("match"));
        let again = world.add(&alice, n, &n.to_string()).await;
        assert_eq!((again.status, &again.body), (201, &added.body));
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let one = world.get(&alice, &format!("/v1/payees/{}", added.body["id"].as_str().unwrap())).await;
        assert_eq!(one.body, added.body);
        let params = json!({ "params": { "iban": iban(n), "name": "Carol" } });
        assert_eq!(world.broker.calls("names/check_payee")[usize::try_from(n).unwrap()..], [params]);
    }
    let listed = world.get(&alice, "/v1/payees").await.body;
    let listed: Vec<_> = listed["payees"].as_array().unwrap().iter().map(word).collect();
    assert_eq!(listed, ["match", "close_match", "no_match", "not_possible", "no_match"]);
    assert_eq!(world.count("payee_checks where holder is not null").await, 1);
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.contains("\"reason\":\"close_match\""));
    assert!(!log.contains("Carter") && !log.contains("Whoever") && !log.contains(&iban(1)), "a log has a name");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_add_one_payee_one_asks() {
    let world = world().await;
    let alice = world.phone("alice").await;
    world.broker.answers.lock().unwrap().late = Duration::from_millis(200);
    let replies = join_all((0..12).map(|_| world.add(&alice, 0, "k"))).await;
    assert!(replies.iter().all(|reply| reply.status == 201), "{:?}", replies[0].body);
    let words: Vec<_> = replies.iter().map(|reply| word(&reply.body)).collect();
    // The others are told that there is no word yet, never one that nobody has said.
    assert!(words.iter().all(|word| ["match", "not_checked"].contains(word)), "{words:?}");
    assert_eq!(words.iter().filter(|word| **word == "match").count(), 1, "{words:?}");
    assert_eq!((world.broker.calls("check_payee").len(), world.count("payee_checks").await), (1, 1));
    assert_eq!(word(&world.add(&alice, 0, "k").await.body), "match");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_is_slow_holds_nobody_up_and_nothing_open() {
    let world = within(600).await;
    let alice = world.phone("alice").await;
    world.broker.answers.lock().unwrap().late = Duration::from_secs(4);
    let began = Instant::now();
    let open = "pg_stat_activity where datname = current_database() and usename = 'ledger_app' and state <> 'idle' \
                and xact_start is not null";
    let looks = async {
        until(async || world.broker.calls("check_payee").len() == 1).await;
        (world.count("payees").await, world.count("payee_checks where word is null").await, world.count(open).await)
    };
    let (added, seen) = tokio::join!(world.add(&alice, 0, "k"), looks);
    assert_eq!(seen, (1, 1, 0), "it is there, it is counted, and no transaction waits");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((added.status, word(&added.body)), (201, "not_possible"));
    assert_eq!(world.count("payee_checks where silent and word = 'not_possible'").await, 1);
}

#[tokio::test]
async fn what_is_no_answer_is_never_a_match() {
    let log = logged();
    let world = world().await;
    let alice = world.phone("alice").await;
    let result = |result: Value| (200, json!({ "result": result }));
    let answers = [
        problem(503, "broker.upstream_unavailable"),
        problem(502, "broker.upstream_failed"),
        problem(404, "broker.operation_unknown"),
        result(json!({})),
        result(json!({ "word": "MATCH" })),
        result(json!({ "word": "Secretname" })),
        result(json!({ "word": true })),
        result(json!({ "word": ["match"] })),
        result(json!({ "word": "close_match" })),
        result(json!({ "word": "close_match", "holder": 7 })),
        close(""),
        close("  "),
        close(&"Secretname".repeat(20)),
        close("Secretname\nmatch"),
        close("\u{202e}emanterceS"),
        close("Secret\u{200b}name"),
        (200, json!("match")),
        (200, Value::Null),
    ];
    for (n, answer) in (0..).zip(answers) {
        world.says_of_names(answer.clone());
        let added = world.add(&alice, n, &n.to_string()).await;
        assert_eq!((added.status, word(&added.body)), (201, "not_possible"), "{answer:?}: {:?}", added.body);
        assert_eq!(added.body["name_check"].get("holder"), None);
    }
    // More than the budget: silence tells nobody anything.
    assert_eq!(world.count("payee_checks where silent and holder is null").await, 18);
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("Secretname") && !log.contains("emanterceS"), "a log has a name");
}

#[tokio::test]
async fn who_has_nobody_to_ask_says_so() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let added = world.add(&alice, 0, "k").await;
    assert_eq!(added.body["name_check"], json!({ "word": "not_checked" }));
    assert_eq!((world.broker.calls("check_payee").len(), world.count("payee_checks").await), (0, 0));
}

/// Small enough to need none otherwise.
#[tokio::test]
async fn no_match_takes_its_payers_approval_however_small_the_payment_is() {
    let log = logged();
    let world = world().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    let mut payees = Vec::new();
    for (n, answer) in (0..).zip([said("match"), close(HOLDER), said("not_possible"), said("no_match")]) {
        world.says_of_names(answer);
        payees.push(world.add_payee(&alice, "Carol", &iban(n)).await);
    }
    for payee in &payees[..3] {
        let paid = world.pay(&alice, &account, payee, "1.00", payee).await;
        assert_eq!(paid.status, 201, "{:?}", paid.body);
    }
    let first = world.pay(&alice, &account, &payees[3], "0.01", "k").await;
    let (status, payment) = shown(&world, asked(&first), alice.subject()).await;
    assert_eq!((status, word(&payment)), (200, "no_match"), "{payment}");
    assert_eq!(audited(log, &first), [json!(["step_up", "approval_required", "sub-alice"])]);
    assert_eq!((world.balance(&alice, &account).await.as_str(), world.count("payouts").await), ("97.00", 3));
    alice.approve(&[approved(&world, &first, alice.subject()).await]);
    let paid = world.pay(&alice, &account, &payees[3], "0.01", "k").await;
    assert_eq!(paid.status, 201, "{:?}", paid.body);
    // It was for that one.
    alice.approve(&[]);
    assert_eq!(world.pay(&alice, &account, &payees[3], "0.01", "l").await.code(), "auth.approval_required");
    assert_eq!((world.balance(&alice, &account).await.as_str(), world.count("used_approvals").await), ("96.99", 1));
    assert_eq!(world.invariants().await["hold"], true);
}

/// As it is now, to its payer: also of one that is removed, or is in the house.
#[tokio::test]
async fn the_payer_is_shown_what_was_said_before_they_approve() {
    let world = world().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let account = world.open_with(&alice, "100.00", "EUR").await;
    world.says_of_names(close(HOLDER));
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    let id = asked(&world.pay(&alice, &account, &carol, "50.00", "k").await);
    let (_, payment) = shown(&world, id, alice.subject()).await;
    assert_eq!((word(&payment), &payment["name_check"]["holder"]), ("close_match", &json!(HOLDER)));
    assert_eq!(world.remove_payee(&alice, &carol).await.status, 200);
    assert_eq!(word(&shown(&world, id, alice.subject()).await.1), "not_checked");
    let bobs = world.open(&bob, "EUR").await;
    let order = crate::world::transfer(&account, &bobs, "50.00");
    let id = asked(&world.post_with_key(&alice, "/v1/transfers", &order, "t").await);
    assert_eq!(shown(&world, id, alice.subject()).await.1.get("name_check"), None);
}

/// The order was looked at while nothing was known, and is posted when it is: somebody holds its account in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_comes_while_the_order_waits_counts() {
    let (world, analytics) =
        asked_of(world().await, |url| Behavior { url, poll_ms: 20, deadline_ms: 10_000, acts: true, hold_seconds: 2 })
            .await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    world.says_of_names(problem(503, "broker.upstream_unavailable"));
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    let mut session = storage::connection(&world.superuser).await.unwrap();
    let hold = format!(
        "begin; set local idle_in_transaction_session_timeout = 0; select from accounts where id = '{account}' for update"
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut session, &hold).await.unwrap();
    let waits = async {
        let waiting = "pg_stat_activity where wait_event_type = 'Lock' and query like '%lock_accounts%'";
        until(async || world.count(waiting).await == 1).await;
        world.sql("begin; set local session_replication_role = replica; update payee_checks set word = 'no_match', silent = false; commit").await;
        diesel_async::SimpleAsyncConnection::batch_execute(&mut session, "rollback").await.unwrap();
    };
    let (reply, ()) = tokio::join!(world.pay(&alice, &account, &carol, "1.00", "k"), waits);
    let (_, payment) = shown(&world, asked(&reply), alice.subject()).await;
    assert_eq!((word(&payment), world.balance(&alice, &account).await.as_str()), ("no_match", "100.00"));
    // It is one payment: there is one decision on it, which is kept with what its payer is asked.
    assert_eq!((analytics.questions().len(), world.count("approvals where decision_action = 'allow'").await), (1, 1));
    alice.approve(&[approved(&world, &reply, alice.subject()).await]);
    assert_eq!(world.pay(&alice, &account, &carol, "1.00", "k").await.status, 201);
}

/// Whoever asked has it in hand, and it is gone for everybody else.
#[tokio::test]
async fn a_word_that_cannot_be_stored_is_told_and_paid_against_by_nobody() {
    let world = world().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    let fails = "create function fails() returns trigger language plpgsql as 'begin raise exception ''no''; end'; \
                 create trigger fails before update on payee_checks for each row when (new.word is not null) execute function fails()";
    world.sql(fails).await;
    world.says_of_names(said("no_match"));
    let added = world.add(&alice, 0, "k").await;
    assert_eq!((added.status, word(&added.body)), (201, "no_match"), "{:?}", added.body);
    let carol = added.body["id"].as_str().unwrap();
    assert_eq!(world.pay(&alice, &account, carol, "0.01", "a").await.code(), "auth.approval_required");
    // Before a payout, too: it is asked again when that is due, and acted upon.
    world.asked_before("11 minutes").await;
    assert_eq!(world.pay(&alice, &account, carol, "0.01", "b").await.code(), "auth.approval_required");
    assert_eq!((world.broker.calls("check_payee").len(), world.count("payouts").await), (2, 0));
}
