//! A payee who is new: all payouts to it together, until it has cooled off.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use ledger::config::{Approval, Payees};
use serde_json::json;
use testkit::authority::{Reply, SyntheticPhone};

use crate::database::{Books, refused};
use crate::world::{IBAN, World, iban};
use crate::writing::payout;

/// A day, and five euros until then.
async fn world() -> World {
    let new_payee_cap = [("EUR".to_owned(), "5.00".to_owned())].into();
    World::start_where(|config| config.payees = Payees { new_payee_cap, ..Payees::default() }).await
}

/// Alice with 100 euros, and a payee who is new.
async fn alice(world: &World) -> (SyntheticPhone, String, String) {
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    (alice, account, carol)
}

fn too_much(reply: &Reply) {
    let said = (reply.status, reply.code(), &reply.body["field"]);
    assert_eq!(said, (422, "ledger.payee_cooling_off", &json!("payee_id")), "{:?}", reply.body);
}

/// As if its day were over: somebody whom no trigger stops.
async fn a_day_later(world: &World, payee: &str) {
    world
        .sql(&format!(
            "begin; set local session_replication_role = replica; \
             update payees set created_at = created_at - interval '1 day', cools_off_at = cools_off_at - interval '1 day' \
             where id = '{payee}'; \
             update payouts set created_at = created_at - interval '1 day', held_until = held_until - interval '1 day' \
             where payee_id = '{payee}'; commit"
        ))
        .await;
}

#[tokio::test]
async fn up_to_the_cap_a_new_payee_is_paid_and_more_when_it_has_cooled_off() {
    let world = world().await;
    let (alice, account, carol) = alice(&world).await;
    let shown = world.get(&alice, &format!("/v1/payees/{carol}")).await.body;
    let at = |name: &str| chrono::DateTime::parse_from_rfc3339(shown[name].as_str().unwrap()).unwrap();
    assert_eq!((at("cools_off_at") - at("created_at")).num_seconds(), 86_400);
    assert_eq!(world.pay(&alice, &account, &carol, "3.00", "a").await.status, 201);
    let reply = world.pay(&alice, &account, &carol, "2.01", "b").await;
    too_much(&reply);
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(detail.contains("5.00 EUR") && detail.contains(shown["cools_off_at"].as_str().unwrap()), "{detail}");
    assert_eq!(world.pay(&alice, &account, &carol, "2.00", "c").await.status, 201);
    too_much(&world.pay(&alice, &account, &carol, "0.01", "d").await);
    // What was paid is told so again; another payee has its own; and one that is added again is new again.
    assert_eq!(world.pay(&alice, &account, &carol, "3.00", "a").await.headers["idempotent-replayed"], "true");
    let dave = world.add_payee(&alice, "Dave", &iban(1)).await;
    assert_eq!(world.pay(&alice, &account, &dave, "5.00", "e").await.status, 201);
    a_day_later(&world, &carol).await;
    // The refusal was no outcome of its key.
    let later = world.pay(&alice, &account, &carol, "2.01", "b").await;
    assert_eq!((later.status, later.headers.get("idempotent-replayed")), (201, None), "{:?}", later.body);
    a_day_later(&world, &carol).await;
    assert_eq!(world.remove_payee(&alice, &carol).await.status, 200);
    let again = world.add_payee(&alice, "Carol", IBAN).await;
    too_much(&world.pay(&alice, &account, &again, "5.01", "f").await);
    assert_eq!(world.pay(&alice, &account, &again, "5.00", "g").await.status, 201);
    // Whoever removes and adds it on the same day, by another name, has what they had.
    assert_eq!(world.remove_payee(&alice, &again).await.status, 200);
    let once_more = world.add_payee(&alice, "Caroline", IBAN).await;
    too_much(&world.pay(&alice, &account, &once_more, "0.01", "h").await);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn of_a_currency_without_a_cap_nothing_is_paid_to_a_new_payee() {
    let world = world().await;
    let (alice, _, carol) = alice(&world).await;
    let dollars = world.open_with(&alice, "10.00", "USD").await;
    let order =
        json!({ "from_account": dollars, "amount": { "amount": "0.01", "currency": "USD" }, "payee_id": carol });
    too_much(&world.post_with_key(&alice, "/v1/payouts", &order, "k").await);
    a_day_later(&world, &carol).await;
    assert_eq!(world.post_with_key(&alice, "/v1/payouts", &order, "k").await.status, 201);
}

/// What was given back was tried.
#[tokio::test]
async fn a_payout_that_is_given_back_keeps_its_share() {
    let world = world().await;
    let (alice, account, carol) = alice(&world).await;
    let paid = world.pay(&alice, &account, &carol, "5.00", "a").await;
    assert_eq!(world.event("e-1", paid.body["id"].as_str().unwrap(), "failed").await.0, 200);
    assert_eq!(world.balance(&alice, &account).await, "100.00");
    too_much(&world.pay(&alice, &account, &carol, "0.01", "b").await);
}

/// Above the low value a payment takes approval, but not one that nothing comes of.
#[tokio::test]
async fn nobody_is_asked_to_approve_what_is_not_paid_anyway() {
    let new_payee_cap = [("EUR".to_owned(), "5.00".to_owned())].into();
    let world = World::start_where(|config| {
        config.payees = Payees { new_payee_cap, ..Payees::default() };
        config.approval = Approval::uncounted(BTreeMap::new());
    })
    .await;
    let (alice, account, carol) = alice(&world).await;
    assert_eq!(world.pay(&alice, &account, &carol, "5.00", "a").await.code(), "auth.approval_required");
    too_much(&world.pay(&alice, &account, &carol, "5.01", "b").await);
    assert_eq!(world.remove_payee(&alice, &carol).await.status, 200);
    assert_eq!(world.pay(&alice, &account, &carol, "5.00", "c").await.code(), "ledger.payee_not_found");
    assert_eq!(world.count("approvals").await, 1);
}

/// From two accounts, so that no account's lock puts them in turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_exactly_as_many_are_paid_as_fit() {
    let world = world().await;
    let (alice, account, carol) = alice(&world).await;
    let accounts = [account, world.open_with(&alice, "100.00", "EUR").await];
    let keys: Vec<String> = (0..24).map(|n| n.to_string()).collect();
    // A batch with one too many is tried in halves, and on a slow machine some of it is told to come back: that is no refusal.
    let pay = async |n: usize| {
        let mut reply = world.pay(&alice, &accounts[n % 2], &carol, "1.00", &keys[n]).await;
        for _ in 0..10 {
            if reply.code() == "server.busy" {
                reply = world.pay(&alice, &accounts[n % 2], &carol, "1.00", &keys[n]).await;
            }
        }
        reply
    };
    let replies = join_all((0..keys.len()).map(pay)).await;
    let (paid, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!((paid.len(), refused.len(), world.count("payouts").await), (5, 19, 5));
    refused.into_iter().for_each(too_much);
    assert_eq!(world.invariants().await["hold"], true);
}

/// Said again by the database: it adds up by itself, and what is not said is nothing.
#[tokio::test]
async fn the_poster_pays_a_new_payee_no_more_than_the_cap_that_it_names() {
    let books = Books::open().await;
    let mut superuser = books.superuser().await;
    let new = "set session_replication_role = replica; update payees set cools_off_at = now() + interval '1 hour'; reset session_replication_role";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut superuser, new).await.unwrap();
    let mut poster = books.poster().await;
    let capped = |number: u32, cap: &str| {
        let writing = payout(number);
        let extra = writing.extra.replace("provider, ", "provider, new_payee_cap, ");
        writing.with(extra.replace("'sandbox-bank', ", &format!("'sandbox-bank', {cap}, ")))
    };
    for (number, cap, fits) in
        [(2, "null", false), (2, "99", false), (2, "100", true), (3, "199", false), (3, "200", true)]
    {
        let writing = capped(number, cap).to_string();
        if fits {
            diesel_async::SimpleAsyncConnection::batch_execute(&mut poster, &writing).await.unwrap();
        } else {
            let error = refused(&mut poster, &writing).await;
            assert!(error.contains("too much for a new payee"), "{number} {cap}: {error}");
        }
    }
    for change in ["update payouts set new_payee_cap = 1", "update payees set cools_off_at = now()"] {
        let mut superuser = books.superuser().await;
        let error = refused(&mut superuser, change).await;
        assert!(error.contains("is not allowed") || error.contains("nothing else of it changes"), "{change}: {error}");
    }
}
