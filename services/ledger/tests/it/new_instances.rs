//! A phone that is new to its user moves little to others, until it has cooled off or a second factor of before approves.

use api::header::IDEMPOTENT_REPLAYED;
use chrono::DateTime;
use futures_util::stream::{self, StreamExt as _};
use identity::Instance;
use ledger::config::{Approval, Limits, NewInstance};
use runtime::{Clock as _, SystemClock};
use serde_json::json;
use testkit::authority::{Reply, SyntheticPhone};

use crate::approvals::{answered, approved, asked};
use crate::layers::audited;
use crate::world::{IBAN, World, logged, transfer};

const DAY: u32 = 86_400;

/// Up to 30 euros a payment needs no approval, and new phones move 50 in all.
async fn world() -> World {
    logged();
    World::start_where(|config| {
        config.approval = Approval::uncounted([("EUR".to_owned(), "30.00".to_owned())].into());
        let cap = [("EUR".to_owned(), "50.00".to_owned())].into();
        config.limits = Limits { new_instance: NewInstance { cool_off_seconds: DAY, cap } };
    })
    .await
}

fn now() -> i64 {
    SystemClock.unix()
}

/// Of a phone on which its user has logged in so many seconds ago.
fn since(seconds: i64) -> Instance {
    Instance { since: now() - seconds, first: false }
}

/// A new phone of Alice's, with 500 euros on her account; and an account of Bob's.
async fn people(world: &World) -> (SyntheticPhone, String, String) {
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&bob, "EUR").await);
    alice.is_known(Some(since(0)), None);
    (alice, from, to)
}

async fn pay(world: &World, phone: &SyntheticPhone, (from, to): (&str, &str), amount: &str, key: &str) -> Reply {
    world.post_with_key(phone, "/v1/transfers", &transfer(from, to, amount), key).await
}

/// In how many seconds the phone is new no longer, as the refusal says.
fn ends_in(reply: &Reply) -> i64 {
    let until = reply.body["new_until"].as_str().unwrap_or_else(|| panic!("{:?}", reply.body));
    DateTime::parse_from_rfc3339(until).unwrap().timestamp() - now()
}

fn is_new(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (422, "ledger.instance_cooling_off"), "{:?}", reply.body);
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(detail.contains("at most 50.00 EUR") && (1..=i64::from(DAY)).contains(&ends_in(reply)), "{detail}");
}

#[tokio::test]
async fn a_new_phone_moves_little_to_others() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let way = (from.as_str(), to.as_str());
    assert_eq!(pay(&world, &alice, way, "30.00", "1").await.status, 201);
    let more = pay(&world, &alice, way, "20.01", "2").await;
    asked(&more);
    assert!((i64::from(DAY) - 60..=i64::from(DAY)).contains(&ends_in(&more)), "{:?}", more.body);
    assert_eq!(audited(logged(), &more), [json!(["step_up", "approval_required_of_new_instance", "sub-alice"])]);
    assert_eq!(pay(&world, &alice, way, "20.00", "3").await.status, 201, "exactly as much as may be");
    asked(&pay(&world, &alice, way, "0.01", "4").await);
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    asked(&world.pay(&alice, &from, &carol, "0.01", "5").await);
    // What was paid stays paid, and what stays hers is no payment.
    let again = pay(&world, &alice, way, "30.00", "1").await;
    assert!(again.status == 201 && again.headers.contains_key(IDEMPOTENT_REPLAYED), "{:?}", again.body);
    let savings = world.open(&alice, "EUR").await;
    assert_eq!(pay(&world, &alice, (&from, &savings), "400.00", "6").await.status, 201);
    assert_eq!(world.count("new_instance_payments where counts").await, 2);
    assert_eq!(world.balance(&alice, &from).await, "50.00");
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn payouts_and_what_is_approved_with_the_password_alone_count_too() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    let large = world.pay(&alice, &from, &carol, "40.00", "1").await;
    asked(&large);
    assert_eq!(large.body.get("new_until"), None, "there is room, so any approval of hers will do");
    alice.approve(&[approved(&world, &large, alice.subject()).await]);
    assert_eq!(world.pay(&alice, &from, &carol, "40.00", "1").await.status, 201);
    alice.approve(&[]);
    asked(&pay(&world, &alice, (&from, &to), "10.01", "2").await);
    assert_eq!(pay(&world, &alice, (&from, &to), "10.00", "3").await.status, 201);
    assert_eq!(world.count("new_instance_payments where counts").await, 2);
    // Of another currency, which has no cap, nothing.
    let dollars = world.open_with(&alice, "5.00", "USD").await;
    let bobs = world.open(&world.phone("bob").await, "USD").await;
    let mut order = transfer(&dollars, &bobs, "0.01");
    order["amount"]["currency"] = json!("USD");
    let reply = world.post(&alice, "/v1/transfers", &order).await;
    asked(&reply);
    ends_in(&reply);
}

/// Who took the password has that, and what they have enrolled with it.
#[tokio::test]
async fn only_a_second_factor_of_before_lifts_the_cap() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let way = (from.as_str(), to.as_str());
    let large = pay(&world, &alice, way, "100.00", "1").await;
    alice.approve(&[approved(&world, &large, alice.subject()).await]);
    let day = i64::from(DAY);
    for factor_since in [None, Some(now()), Some(now() - day + 60), Some(now() + day)] {
        alice.is_known(Some(since(3_600)), factor_since);
        let refused = pay(&world, &alice, way, "100.00", "1").await;
        is_new(&refused);
        assert_eq!(audited(logged(), &refused), [json!(["step_up", "instance_is_new", "sub-alice"])]);
        assert!(ends_in(&refused) <= day - 3_600);
    }
    assert_eq!(world.count("transfers where kind = 'transfer'").await, 0);
    // It has used nothing up: with her app of last year it is paid, and she has as much left as before.
    alice.is_known(Some(since(3_600)), Some(now() - day));
    assert_eq!(pay(&world, &alice, way, "100.00", "1").await.status, 201);
    assert_eq!(world.count("used_approvals").await, 1);
    alice.approve(&[]);
    alice.is_known(Some(since(3_600)), None);
    assert_eq!(pay(&world, &alice, way, "30.00", "2").await.status, 201);
    assert_eq!(world.count("new_instance_payments").await, 1);
}

#[tokio::test]
async fn who_waits_and_who_is_new_with_the_account_are_not_held_back() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let way = (from.as_str(), to.as_str());
    let known = [
        (Some(since(i64::from(DAY))), None),
        (Some(Instance { since: now(), first: true }), None),
        // Who has logged in with it has been vouched for altogether.
        (Some(since(0)), Some(now() - i64::from(DAY))),
    ];
    for (n, (instance, factor)) in known.into_iter().enumerate() {
        alice.is_known(instance, factor);
        for part in ["a", "b", "c"] {
            assert_eq!(pay(&world, &alice, way, "30.00", &format!("{n}-{part}")).await.status, 201, "{n}");
        }
        let large = pay(&world, &alice, way, "31.00", &format!("{n}-large")).await;
        asked(&large);
        assert_eq!(large.body.get("new_until"), None, "{n}: as ever");
    }
    assert_eq!(world.count("new_instance_payments").await, 0);
    // One of which the token says nothing is new, and nobody says until when: it would be another time with each token.
    alice.is_known(None, None);
    for key in ["1", "2"] {
        pay(&world, &alice, way, "25.00", key).await;
    }
    let more = pay(&world, &alice, way, "0.01", "3").await;
    asked(&more);
    assert_eq!(more.body.get("new_until"), None);
    assert_eq!(audited(logged(), &more), [json!(["step_up", "approval_required_of_new_instance", "sub-alice"])]);
    alice.approve(&[approved(&world, &more, alice.subject()).await]);
    let refused = pay(&world, &alice, way, "0.01", "3").await;
    assert_eq!((refused.status, refused.code()), (422, "ledger.instance_cooling_off"), "{:?}", refused.body);
    assert_eq!(refused.body.get("new_until"), None);
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.starts_with("new phones of this user move at most 50.00 EUR"), "{detail}");
}

#[tokio::test]
async fn what_was_long_ago_counts_no_more() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let way = (from.as_str(), to.as_str());
    for key in ["1", "2"] {
        assert_eq!(pay(&world, &alice, way, "25.00", key).await.status, 201);
    }
    asked(&pay(&world, &alice, way, "0.01", "3").await);
    let earlier = |by: &str| {
        format!(
            "alter table new_instance_payments disable trigger new_instance_payments_append_only; \
             update new_instance_payments set counted_at = counted_at - interval '{by}'; \
             alter table new_instance_payments enable trigger new_instance_payments_append_only"
        )
    };
    world.sql(&earlier("86000 seconds")).await;
    asked(&pay(&world, &alice, way, "0.01", "4").await);
    world.sql(&earlier("400 seconds")).await;
    assert_eq!(pay(&world, &alice, way, "25.00", "5").await.status, 201);
}

/// Two phones of one owner's, by two processes, each of which thinks that there is room: whoever has the password has as many phones as they like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_payments_at_once_as_much_passes_as_may() {
    let world = world().await;
    let (first, from, to) = people(&world).await;
    let second = world.phone("alice").await;
    second.is_known(Some(since(0)), None);
    let carol = world.phone("carol").await;
    let hers = world.open_with(&carol, "50.00", "EUR").await;
    let beside = world.start_beside().await;
    let url = |port: u16| format!("https://localhost:{port}/v1/transfers");
    let urls = [url(world.ledger.public.unwrap().port()), url(beside.public.unwrap().port())];
    let (order, other) = (transfer(&from, &to, "1.00"), transfer(&hers, &to, "1.00"));
    let keys: Vec<String> = (0..110).map(|n| format!("k-{n}")).collect();
    // Somebody else's payments are in the same batches, and none of hers is lost for it.
    let attempts = keys.iter().enumerate().map(|(n, key)| {
        let phone = if n % 11 == 0 { &carol } else { [&first, &second][n / 2 % 2] };
        let order = if n % 11 == 0 { &other } else { &order };
        let url = &urls[n % 2];
        async move { (n % 11 == 0, answered(phone, url, order, key).await.1.status) }
    });
    let replies: Vec<(bool, u16)> = stream::iter(attempts).buffer_unordered(100).collect().await;
    let passed = |of_carol: bool| replies.iter().filter(|reply| **reply == (of_carol, 201)).count();
    assert_eq!((passed(true), passed(false)), (10, 50), "{replies:?}");
    // Twenty wait for an approval, and more may not.
    assert!(replies.iter().all(|(_, status)| [201, 401, 422].contains(status)), "{replies:?}");
    assert_eq!(world.balance(&first, &from).await, "450.00");
    assert_eq!(world.count("new_instance_payments where counts").await, 50);
    beside.stop().await.unwrap();
}

#[tokio::test]
async fn the_database_takes_none_but_with_its_payment_and_none_back() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let paid = pay(&world, &alice, (&from, &to), "5.00", "1").await;
    let id = paid.body["id"].as_str().unwrap();
    let kept =
        "new_instance_payments where counts and amount = 500 and most_amount = 5000 and cool_off_seconds = 86400";
    assert_eq!(world.count(kept).await, 1);
    for statement in ["delete from", "truncate", "update"] {
        let change = if statement == "update" { "set amount = 1" } else { "" };
        assert!(
            !world.sql_error(&format!("{statement} new_instance_payments {change}")).await.is_empty(),
            "{statement}"
        );
    }
    // Long after it was posted.
    world.sql("alter table new_instance_payments disable trigger new_instance_payments_append_only; delete from new_instance_payments; alter table new_instance_payments enable trigger new_instance_payments_append_only").await;
    let row = format!(
        "insert into new_instance_payments values ('{id}', '{}', true, 500, 'EUR', 5000, 86400)",
        alice.subject()
    );
    assert!(world.sql_error(&row).await.contains("a payment of a new instance without its transfer"));
    // In time, and as if it were another owner's, of another amount or currency, or to oneself.
    let lies = ["owner := 'somebody'", "amount := 99", "currency := 'USD'", "counts := false"];
    for (n, lie) in lies.iter().enumerate() {
        world
            .sql(&format!(
                "create or replace function lie() returns trigger language plpgsql as $$ begin new.{lie}; return new; end $$; \
                 create trigger lies before insert on new_instance_payments for each row execute function lie();"
            ))
            .await;
        let reply = pay(&world, &alice, (&from, &to), "1.00", &format!("lie-{n}")).await;
        assert_eq!(reply.status, 500, "{lie}: {:?}", reply.body);
        world.sql("drop trigger lies on new_instance_payments").await;
    }
    // And as if there were less room than the service has seen: it comes back to be approved, and has taken nobody else's posting with it.
    world
        .sql(
            "create or replace function lie() returns trigger language plpgsql as $$ begin new.most_amount := 99; return new; end $$; \
             create trigger lies before insert on new_instance_payments for each row execute function lie();",
        )
        .await;
    let reply = pay(&world, &alice, (&from, &to), "1.00", "less").await;
    assert_eq!((reply.status, reply.code()), (503, "server.busy"), "{:?}", reply.body);
    world.sql("drop trigger lies on new_instance_payments").await;
    assert_eq!(world.count("new_instance_payments").await, 0);
    assert_eq!(pay(&world, &alice, (&from, &to), "1.00", "true").await.status, 201, "with none of it");
}
