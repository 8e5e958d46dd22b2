//! Small payments need no approval, and add up until one is approved.

use futures_util::stream::{self, StreamExt as _};
use ledger::config::Approval;
use testkit::authority::{Raw, Reply, SyntheticPhone};

use crate::approvals::{answered, approved};
use crate::world::{IBAN, World, transfer};

/// Up to 30 euros each, and so much and so many together.
async fn world(total: &str, payments: u32) -> World {
    let amounts = |text: &str| [("EUR".to_owned(), text.to_owned())].into();
    let approval = Approval {
        low_value_total: amounts(total),
        low_value_payments: Some(payments),
        ..Approval::uncounted(amounts("30.00"))
    };
    World::start_where(|config| config.approval = approval).await
}

/// Alice with 500 euros, and an account of Bob's.
async fn people(world: &World) -> (SyntheticPhone, String, String) {
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&bob, "EUR").await);
    (alice, from, to)
}

async fn pay(world: &World, phone: &SyntheticPhone, (from, to): (&str, &str), amount: &str, key: &str) -> Reply {
    world.post_with_key(phone, "/v1/transfers", &transfer(from, to, amount), key).await
}

fn is_asked(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (401, "auth.approval_required"), "{:?}", reply.body);
}

#[tokio::test]
async fn small_payments_add_up_until_one_is_approved() {
    let world = world("100.00", 50).await;
    let (alice, from, to) = people(&world).await;
    let way = (from.as_str(), to.as_str());
    for key in ["1", "2", "3"] {
        assert_eq!(pay(&world, &alice, way, "30.00", key).await.status, 201, "{key}");
    }
    let one_more = pay(&world, &alice, way, "10.01", "4").await;
    is_asked(&one_more);
    assert_eq!(pay(&world, &alice, way, "10.00", "5").await.status, 201, "exactly as much as they may be");
    is_asked(&pay(&world, &alice, way, "0.01", "6").await);
    let again = pay(&world, &alice, way, "30.00", "1").await;
    assert!(again.status == 201 && again.headers.contains_key("idempotent-replayed"), "what was paid stays paid");
    // Another user has a count of their own.
    let carol = world.phone("carol").await;
    let hers = world.open_with(&carol, "50.00", "EUR").await;
    assert_eq!(pay(&world, &carol, (&hers, &to), "30.00", "1").await.status, 201);

    alice.approve(&[approved(&world, &one_more, alice.subject()).await]);
    assert_eq!(pay(&world, &alice, way, "10.01", "4").await.status, 201);
    alice.approve(&[]);
    assert_eq!(world.count("low_value_counters where amount = 0 and payments = 0").await, 1);
    assert_eq!(pay(&world, &alice, way, "30.00", "7").await.status, 201, "and begin anew");
    assert_eq!(world.count("low_value_counters where amount = 3000 and payments = 1").await, 2);
    assert_eq!(world.count("exemptions where exemption = 'low_value'").await, 6);
}

#[tokio::test]
async fn they_are_counted_whatever_they_are_of() {
    let world = world("1000.00", 5).await;
    let (alice, from, to) = people(&world).await;
    let savings = world.open(&alice, "EUR").await;
    for key in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(
            pay(&world, &alice, (&from, &savings), "1.00", key).await.status,
            201,
            "to oneself as often as one likes"
        );
    }
    assert_eq!(world.count("exemptions where exemption = 'own_account'").await, 6);
    assert_eq!(world.count("low_value_counters").await, 0);
    for key in ["1", "2", "3", "4", "5"] {
        assert_eq!(pay(&world, &alice, (&from, &to), "0.01", key).await.status, 201, "{key}");
    }
    is_asked(&pay(&world, &alice, (&from, &to), "0.01", "6").await);
    is_asked(&pay(&world, &alice, (&savings, &to), "0.01", "7").await);
    assert_eq!(
        pay(&world, &alice, (&from, &savings), "1.00", "g").await.status,
        201,
        "that still is no payment to anybody"
    );
}

/// By two processes, each of which thinks that there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_small_payments_at_once_as_many_pass_as_may() {
    let world = world("1000.00", 7).await;
    let (alice, from, to) = people(&world).await;
    let carol = world.phone("carol").await;
    let hers = world.open_with(&carol, "50.00", "EUR").await;
    let beside = world.start_beside().await;
    let url = |port: u16| format!("https://localhost:{port}/v1/transfers");
    let urls = [url(world.ledger.public.unwrap().port()), url(beside.public.unwrap().port())];
    let (order, other) = (transfer(&from, &to, "1.00"), transfer(&hers, &to, "1.00"));
    let keys: Vec<String> = (0..24).map(|n| format!("k-{n}")).collect();
    // Somebody else's payments are in the same batches, and none of hers is lost for it.
    let attempts = keys.iter().enumerate().map(|(n, key)| {
        let (phone, order) = if n % 8 == 0 { (&carol, &other) } else { (&alice, &order) };
        let url = &urls[n % 2];
        async move { (n % 8 == 0, answered(phone, url, order, key).await.1) }
    });
    let replies: Vec<(bool, Raw)> = stream::iter(attempts).buffer_unordered(24).collect().await;
    let statuses = |of_carol: bool| {
        let hers = replies.iter().filter(move |(carols, _)| *carols == of_carol);
        hers.map(|(_, reply)| reply.status).collect::<Vec<_>>()
    };
    let (carols, alices) = (statuses(true), statuses(false));
    assert_eq!(carols, [201; 3]);
    assert!(alices.iter().all(|status| [201, 401].contains(status)), "{alices:?}");
    assert_eq!(alices.iter().filter(|status| **status == 201).count(), 7);
    assert_eq!(
        (world.balance(&alice, &from).await, world.balance(&carol, &hers).await),
        ("493.00".into(), "47.00".into())
    );
    beside.stop().await.unwrap();
}

#[tokio::test]
async fn the_database_takes_no_exemption_but_with_its_payment_and_none_back() {
    let world = world("100.00", 5).await;
    let (alice, from, to) = people(&world).await;
    let paid = pay(&world, &alice, (&from, &to), "5.00", "1").await;
    let id = paid.body["id"].as_str().unwrap();
    assert_eq!(world.count("exemptions where amount = 500 and most_amount = 10000 and most_payments = 5").await, 1);
    for statement in ["delete from exemptions", "update exemptions set amount = 1", "truncate exemptions"] {
        assert!(!world.sql_error(statement).await.is_empty(), "{statement}");
    }
    // Long after it was posted.
    world.sql("alter table exemptions disable trigger exemptions_append_only; delete from exemptions; alter table exemptions enable trigger exemptions_append_only").await;
    let row =
        format!("insert into exemptions values ('{id}', '{}', 'low_value', 500, 'EUR', 10000, 5)", alice.subject());
    assert!(world.sql_error(&row).await.contains("an exemption without its payment"));
    // In time, and as if it were another owner's, of another amount or currency, or to oneself.
    for (n, lie) in
        ["owner := 'somebody'", "amount := 99", "currency := 'USD'", "exemption := 'own_account'"].iter().enumerate()
    {
        world
            .sql(&format!(
                "create or replace function lie() returns trigger language plpgsql as $$ begin new.{lie}; return new; end $$; \
                 create trigger lies before insert on exemptions for each row execute function lie();"
            ))
            .await;
        let reply = pay(&world, &alice, (&from, &to), "1.00", &format!("lie-{n}")).await;
        assert_eq!(reply.status, 500, "{lie}: {:?}", reply.body);
        world.sql("drop trigger lies on exemptions").await;
    }
    assert_eq!(world.count("exemptions").await, 0);
    assert_eq!(pay(&world, &alice, (&from, &to), "1.00", "true").await.status, 201, "with none of it");
}

/// Payouts and transfers are counted together, and an approval between two of a batch begins anew.
#[tokio::test]
async fn a_payout_counts_as_a_transfer_does() {
    let world = world("100.00", 3).await;
    let (alice, from, to) = people(&world).await;
    let way = (from.as_str(), to.as_str());
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    for key in ["1", "2"] {
        assert_eq!(world.pay(&alice, &from, &carol, "1.00", key).await.status, 201, "{key}");
    }
    assert_eq!(pay(&world, &alice, way, "1.00", "3").await.status, 201);
    let asked = world.pay(&alice, &from, &carol, "1.00", "4").await;
    is_asked(&asked);
    is_asked(&pay(&world, &alice, way, "1.00", "5").await);
    alice.approve(&[approved(&world, &asked, alice.subject()).await]);
    assert_eq!(world.pay(&alice, &from, &carol, "1.00", "4").await.status, 201);
    alice.approve(&[]);
    for key in ["6", "7", "8"] {
        assert_eq!(pay(&world, &alice, way, "1.00", key).await.status, 201, "{key}");
    }
    is_asked(&world.pay(&alice, &from, &carol, "1.00", "9").await);
}

/// Who is looked up because they were at their limit stays so until something begins anew: a payment that needs no room says nothing of the next one.
#[tokio::test]
async fn whoever_is_at_the_limit_is_told_so_before_the_queue() {
    let world = world("100.00", 2).await;
    let (alice, from, to) = people(&world).await;
    let savings = world.open(&alice, "EUR").await;
    for key in ["1", "2"] {
        assert_eq!(pay(&world, &alice, (&from, &to), "1.00", key).await.status, 201, "{key}");
    }
    is_asked(&pay(&world, &alice, (&from, &to), "1.00", "3").await);
    for key in ["a", "b"] {
        assert_eq!(pay(&world, &alice, (&from, &savings), "1.00", key).await.status, 201, "{key}");
        is_asked(&pay(&world, &alice, (&from, &to), "1.00", &format!("{key}-to-bob")).await);
    }
}
