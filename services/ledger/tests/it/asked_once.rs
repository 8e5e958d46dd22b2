//! A payment whose payer was asked because of how it looks comes back approved: what was thought of it then is what counts, and nobody is asked about it again.

use api::approvals::ApprovedPayment;
use serde_json::json;
use testkit::authority::{Reply, SyntheticPhone};

use crate::approvals::{answered, approved, asked};
use crate::payouts::payout;
use crate::risk::{Analytics, Says, asking, holding, line_of, words};
use crate::world::{World, transfer};

async fn alice_of((world, analytics): (World, Analytics)) -> (World, Analytics, SyntheticPhone, String) {
    let alice = world.phone("alice").await;
    let from = world.open_with(&alice, "100.00", "EUR").await;
    (world, analytics, alice, from)
}

/// Orders it and approves it; what the next order comes with.
async fn approves(world: &World, alice: &SyntheticPhone, path: &str, order: &serde_json::Value) -> ApprovedPayment {
    let first: Reply = world.post_with_key(alice, path, order, "k").await;
    let payment = approved(world, &first, alice.subject()).await;
    alice.approve(std::slice::from_ref(&payment));
    payment
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_approved_is_made_with_the_decision_that_its_payer_was_asked_because_of() {
    let (world, analytics, alice, from) = alice_of(asking(10_000).await).await;
    let to = world.open(&world.phone("bob").await, "EUR").await;
    for (path, order) in [("/v1/transfers", transfer(&from, &to, "1.00")), ("/v1/payouts", payout(&from, "2.00"))] {
        analytics.say(Says::Only("step_up"));
        approves(&world, &alice, path, &order).await;
        let asked = analytics.questions().len();
        analytics.say(Says::Only("allow"));
        for _ in 0..2 {
            let paid = world.post_with_key(&alice, path, &order, "k").await;
            assert_eq!(paid.status, 201, "{:?}", paid.body);
            assert_eq!(words(&line_of(&world, &paid).await), ["enforce", "challenge", "step_up"], "{path}");
        }
        assert_eq!(analytics.questions().len(), asked, "{path}: asked about once");
        alice.approve(&[]);
    }
    assert_eq!((world.count("risk_words").await, world.count("risk_words where action = 'step_up'").await), (2, 2));
    assert_eq!(world.count("used_approvals u join approvals a on a.id = u.approval_id join risk_words w on w.transfer_id = u.transfer_id and (w.decision_id, w.action) = (a.decision_id, a.decision_action)").await, 2);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_come_back_approved_at_once_none_is_asked_about_and_one_is_made_with_that_decision() {
    let (world, analytics, alice, from) = alice_of(asking(10_000).await).await;
    let to = world.open(&world.phone("bob").await, "EUR").await;
    analytics.say(Says::Only("delay"));
    let order = transfer(&from, &to, "1.00");
    approves(&world, &alice, "/v1/transfers", &order).await;
    analytics.say(Says::Only("allow"));
    let url = world.url("/v1/transfers");
    let replies = futures_util::future::join_all((0..32).map(|_| answered(&alice, &url, &order, "k"))).await;
    assert!(replies.iter().all(|(_, reply)| reply.status == 201));
    assert_eq!(analytics.questions().len(), 1);
    assert_eq!((world.count("risk_words where action = 'delay'").await, world.count("risk_words").await), (1, 1));
}

/// They were away when the payer was asked, and are back: their first word is the one.
#[tokio::test(flavor = "multi_thread")]
async fn who_had_no_word_when_its_payer_was_asked_is_asked_about_when_it_comes_back() {
    let (world, analytics, alice, from) = alice_of(holding(600).await).await;
    analytics.say(Says::Only("step_up"));
    let order = payout(&from, "2.00");
    approves(&world, &alice, "/v1/payouts", &order).await;
    world
        .sql("alter table approvals disable trigger user; update approvals set decision_id = null, decision_action = null; alter table approvals enable trigger user")
        .await;
    analytics.say(Says::Only("delay"));
    let paid = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    assert_eq!((paid.status, &paid.body["status"]), (201, &json!("held")), "{:?}", paid.body);
    assert_eq!((analytics.questions().len(), world.count("risk_words where action = 'delay'").await), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_came_too_late_leaves_its_decision_to_the_next_one() {
    let (world, analytics, alice, from) = alice_of(holding(600).await).await;
    analytics.say(Says::Only("delay"));
    let order = payout(&from, "2.00");
    approves(&world, &alice, "/v1/payouts", &order).await;
    world.sql("alter table approvals disable trigger user; update approvals set asked_at = now() - interval '20 minutes', expires_at = now() - interval '1 second'; alter table approvals enable trigger user").await;
    analytics.say(Says::Only("allow"));
    // Small as it is, it is asked for anew.
    let anew = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    alice.approve(&[approved(&world, &anew, alice.subject()).await]);
    let paid = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    assert_eq!((paid.status, &paid.body["status"]), (201, &json!("held")), "{:?}", paid.body);
    assert_eq!((analytics.questions().len(), world.count("risk_words where action = 'delay'").await), (1, 1));
}

/// Sent again under its key, without an approval, at a moment when nobody says anything.
#[tokio::test(flavor = "multi_thread")]
async fn what_its_payer_was_asked_about_is_not_made_unasked_because_nobody_says_so_now() {
    let (world, analytics, alice, from) = alice_of(holding(600).await).await;
    let to = world.open(&world.phone("bob").await, "EUR").await;
    for (says, status) in [("delay", "held"), ("step_up", "pending")] {
        let order = payout(&from, "2.00");
        analytics.say(Says::Only(says));
        let first = world.post_with_key(&alice, "/v1/payouts", &order, says).await;
        analytics.say(Says::Status(500));
        let again = world.post_with_key(&alice, "/v1/payouts", &order, says).await;
        assert_eq!(asked(&again), asked(&first), "{says}");
        alice.approve(&[approved(&world, &again, alice.subject()).await]);
        let paid = world.post_with_key(&alice, "/v1/payouts", &order, says).await;
        assert_eq!((paid.status, &paid.body["status"]), (201, &json!(status)), "{:?}", paid.body);
        alice.approve(&[]);
    }
    // Under another key it is another payment, and so is one that nobody was asked about.
    let other = world.post_with_key(&alice, "/v1/payouts", &payout(&from, "2.00"), "other").await;
    let within = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, "2.00"), "t").await;
    assert_eq!((other.status, within.status), (201, 201), "{:?}", other.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_kept_with_what_it_said_and_never_changed() {
    let (world, analytics, alice, from) = alice_of(asking(10_000).await).await;
    analytics.say(Says::Only("step_up"));
    approves(&world, &alice, "/v1/payouts", &payout(&from, "2.00")).await;
    for (wrong, says) in [
        ("update approvals set decision_action = 'allow'", "the ledger only grows"),
        (
            "alter table approvals disable trigger user; update approvals set decision_action = null",
            "decisions_have_an_action",
        ),
        (
            "alter table approvals disable trigger user; update approvals set decision_action = 'refuse'",
            "decision_action_check",
        ),
    ] {
        let refused = world.sql_error(wrong).await;
        assert!(refused.contains(says), "{wrong}: {refused}");
    }
}
