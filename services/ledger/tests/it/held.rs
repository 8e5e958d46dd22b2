//! A payout that looks unusual is held: nobody sends it until its time is over, and until then its payer can take it back.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::authority::{Reply, SyntheticPhone};

use crate::approvals::approved;
use crate::payouts::payout;
use crate::risk::{Analytics, Says, holding};
use crate::world::{World, until};

/// Longer than a test.
const LONG: u32 = 600;

/// Orders it, approves it, and orders it again; it is held.
async fn held(world: &World, alice: &SyntheticPhone, from: &str, key: &str) -> Reply {
    let order = payout(from, "10.00");
    let first = world.post_with_key(alice, "/v1/payouts", &order, key).await;
    alice.approve(&[approved(world, &first, alice.subject()).await]);
    let reply = world.post_with_key(alice, "/v1/payouts", &order, key).await;
    alice.approve(&[]);
    assert_eq!((reply.status, &reply.body["status"]), (201, &json!("held")), "{:?}", reply.body);
    reply
}

async fn alice_of(hold_seconds: u32) -> (World, Analytics, SyntheticPhone, String) {
    let (world, analytics) = holding(hold_seconds).await;
    analytics.say(Says::Only("delay"));
    let alice = world.phone("alice").await;
    let from = world.open_with(&alice, "100.00", "EUR").await;
    (world, analytics, alice, from)
}

fn id(reply: &Reply) -> String {
    reply.body["id"].as_str().unwrap().to_owned()
}

async fn cancel(world: &World, phone: &SyntheticPhone, id: &str) -> Reply {
    world.post(phone, &format!("/v1/payouts/{id}/cancellation"), &Value::Null).await
}

fn sent(world: &World, id: &str) -> usize {
    world.broker.calls("create_payout").iter().filter(|call| call["idempotency_key"] == json!(id)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_payout_is_off_the_account_and_is_not_sent() {
    let (world, analytics, alice, from) = alice_of(LONG).await;
    let reply = held(&world, &alice, &from, "k").await;
    let id = id(&reply);
    assert_eq!(world.balance(&alice, &from).await, "90.00");
    let times =
        format!("payouts where id = '{id}' and held_until = created_at + interval '600 seconds' and attempts = 0");
    assert_eq!(world.count(&times).await, 1);
    assert!(reply.body["held_until"].as_str() > reply.body["created_at"].as_str(), "{:?}", reply.body);
    // Whatever they think of a repetition, it was held.
    analytics.say(Says::Only("allow"));
    let again = world.post_with_key(&alice, "/v1/payouts", &payout(&from, "10.00"), "k").await;
    assert_eq!((again.status, &again.body), (201, &reply.body));
    // The benign twin is sent; by then this one would have been, too.
    let usual = world.order(&alice, &from, "1.00").await;
    until(async || sent(&world, &usual) == 1).await;
    assert_eq!((sent(&world, &id), world.payout_status(&alice, &id).await.as_str()), (0, "held"));
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_its_way_when_its_time_is_over_and_cannot_be_taken_back_then() {
    let (world, _analytics, alice, from) = alice_of(1).await;
    let id = id(&held(&world, &alice, &from, "k").await);
    until(async || world.payout_status(&alice, &id).await == "submitted").await;
    assert_eq!(sent(&world, &id), 1);
    assert_eq!(world.count(&format!("payouts where id = '{id}' and held_until <= now()")).await, 1);
    let late = cancel(&world, &alice, &id).await;
    assert_eq!((late.status, late.code()), (409, "ledger.payout_not_held"));
    assert_eq!(world.get(&alice, &format!("/v1/payouts/{id}")).await.body.get("held_until"), None);
    // Nor what has failed by the partner's word, though its money is back.
    assert_eq!(world.event("e", &id, "failed").await.0, 200);
    let failed = cancel(&world, &alice, &id).await;
    assert_eq!((failed.status, failed.code()), (409, "ledger.payout_not_held"));
    assert_eq!(world.payout_status(&alice, &id).await, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_was_said_to_its_payer_stays_whatever_is_thought_later() {
    let (world, analytics, alice, from) = alice_of(LONG).await;
    let order = payout(&from, "10.00");
    let first = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    alice.approve(&[approved(&world, &first, alice.subject()).await]);
    analytics.say(Says::Only("allow"));
    let reply = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    assert_eq!((reply.status, &reply.body["status"]), (201, &json!("held")), "{:?}", reply.body);
    // The database compares, whatever the code forgets: as if it were posted now, with a hold that is shorter.
    let one = format!("(select approval_id from used_approvals where transfer_id = '{}')", id(&reply));
    let again = format!(
        "set session_replication_role = replica; update payouts set held_until = held_until - interval '1 minute'; \
         update transfers set reference = reference where id = '{}'; create temp table was as select * from used_approvals where approval_id = {one}; delete from used_approvals; \
         set session_replication_role = origin; insert into used_approvals select * from was",
        id(&reply)
    );
    let refused = world.sql_error(&again).await;
    assert!(refused.contains("a payout that was to be held"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_taken_one_back_is_asked_and_held_again() {
    let (world, analytics, alice, from) = alice_of(LONG).await;
    let first = id(&held(&world, &alice, &from, "k").await);
    assert_eq!(cancel(&world, &alice, &first).await.status, 200);
    analytics.say(Says::Only("allow"));
    let again = id(&held(&world, &alice, &from, "k-2").await);
    assert_eq!(sent(&world, &again), 0);
    // To somebody else it is usual.
    let mut other = payout(&from, "10.00");
    other["creditor"]["iban"] = json!("NO9386011117947");
    let usual = world.post(&alice, "/v1/payouts", &other).await;
    assert_eq!((usual.status, &usual.body["status"]), (201, &json!("pending")), "{:?}", usual.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_payer_takes_it_back_once_and_it_is_never_sent() {
    let (world, _analytics, alice, from) = alice_of(LONG).await;
    let bob = world.phone("bob").await;
    let id = id(&held(&world, &alice, &from, "k").await);
    let others = cancel(&world, &bob, &id).await;
    assert_eq!((others.status, others.code()), (404, "ledger.payout_not_found"));
    let replies = join_all((0..20).map(|_| cancel(&world, &alice, &id))).await;
    for reply in &replies {
        assert_eq!((reply.status, &reply.body["status"]), (200, &json!("cancelled")), "{:?}", reply.body);
    }
    assert_eq!(world.count("transfers where kind = 'payout_reversal'").await, 1);
    assert_eq!((world.balance(&alice, &from).await.as_str(), sent(&world, &id)), ("100.00", 0));
    let again = cancel(&world, &alice, &id).await;
    assert_eq!((again.status, again.headers["idempotent-replayed"].to_str().unwrap()), (200, "true"));
    assert_eq!(world.payout_status(&alice, &id).await, "cancelled");
    assert_eq!(world.count("payouts where status = 'failed' and word = 'cancelled' and attempts = 0").await, 1);
    assert_eq!(world.count("owners where owner = 'sub-alice' and open_payouts = 0").await, 1, "it makes room");
    assert_eq!(world.invariants().await["hold"], true);
}

/// Their time is over while their payer takes them back: each at another moment around it.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_sent_or_taken_back_and_never_both() {
    let (world, _analytics, alice, from) = alice_of(2).await;
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(id(&held(&world, &alice, &from, &n.to_string()).await));
    }
    let end = async |(n, id): (u64, &String)| {
        let ends = format!("payouts where id = '{id}' and held_until <= clock_timestamp() + interval '60 ms'");
        until(async || world.count(&ends).await == 1).await;
        tokio::time::sleep(Duration::from_millis(30 * (n % 4))).await;
        let reply = cancel(&world, &alice, id).await;
        assert!([200, 409].contains(&reply.status), "{:?}", reply.body);
        reply.status == 200
    };
    let taken_back = join_all((0..).zip(&ids).map(end)).await;
    for (id, taken_back) in ids.iter().zip(&taken_back) {
        if !taken_back {
            until(async || world.payout_status(&alice, id).await == "submitted").await;
        }
        assert_eq!(sent(&world, id), usize::from(!taken_back), "{id}");
    }
    let given_back = taken_back.iter().filter(|back| **back).count();
    assert_eq!(world.count("transfers where kind = 'payout_reversal'").await, i64::try_from(given_back).unwrap());
    let left = 100 - 10 * (ids.len() - given_back);
    assert_eq!(world.balance(&alice, &from).await, format!("{left}.00"));
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_migration_what_was_taken_back_stays_back_and_what_is_held_waits() {
    let (world, _analytics, alice, from) = alice_of(LONG).await;
    let (back, waits) = (held(&world, &alice, &from, "a").await, held(&world, &alice, &from, "b").await);
    assert_eq!(cancel(&world, &alice, &id(&back)).await.status, 200);
    world.sql(include_str!("../../migrations/00000000000014_held_payouts/down.sql")).await;
    assert_eq!(world.count("payouts where status = 'failed' and word = 'refusal' and closed_by is not null").await, 1);
    let later = format!("payouts where id = '{}' and status = 'pending' and next_attempt_at > now()", id(&waits));
    assert_eq!(world.count(&later).await, 1);
    assert!(
        world
            .sql_error("update payouts set status = 'pending' where word = 'refusal'")
            .await
            .contains("cannot go from")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_held_nobody_else_does_anything_with_it() {
    let (world, analytics, alice, from) = alice_of(LONG).await;
    let id = id(&held(&world, &alice, &from, "k").await);
    // The partner cannot know of it.
    for word in ["paid", "failed", "returned"] {
        let (status, problem) = world.event(word, &id, word).await;
        assert_eq!((status, &problem["code"]), (409, &json!("ledger.payout_contradicted")), "{word}");
    }
    for wrong in [
        "update payouts set attempts = 1",
        "update payouts set status = 'submitted'",
        "update payouts set held_until = held_until - interval '1 minute'",
        "update payouts set held_until = null",
    ] {
        let refused = world.sql_error(wrong).await;
        assert!(
            refused.contains("a payout that is held") || refused.contains("order cannot be changed"),
            "{wrong}: {refused}"
        );
    }
    assert_eq!((world.payout_status(&alice, &id).await.as_str(), sent(&world, &id)), ("held", 0));
    // What was never held cannot be taken back, however early one is.
    analytics.say(Says::Only("allow"));
    let usual = world.order(&alice, &from, "1.00").await;
    let reply = cancel(&world, &alice, &usual).await;
    assert_eq!((reply.status, reply.code()), (409, "ledger.payout_not_held"));
    let refused = world.sql_error(&format!("update payouts set word = 'cancelled' where id = '{usual}'")).await;
    assert!(refused.contains("not held"), "{refused}");
    assert_eq!(world.invariants().await["hold"], true);
}
