//! Many at once.

use std::collections::HashSet;

use futures_util::future::join_all;
use ledger::MIGRATIONS;
use ledger::config::Posting;
use ledger::posting::committer::Sizes;
use ledger::posting::{Answer, Order, Outcome, Unanswered};
use testkit::database::TestDatabase;

use crate::engine::{Engine, order};
use crate::world::{World, transfer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_transfers_from_one_account_never_overdraw_it() {
    // Two lanes, so that two transactions do meet on the account.
    let world = World::start_with(Posting { lanes: 2, batch: 8, ..Posting::default() }).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&bob, "EUR").await);
    let body = transfer(&from, &to, "0.25");
    let replies = join_all((0..64).map(|_| world.post(&alice, "/v1/transfers", &body))).await;
    let posted = replies.iter().filter(|reply| reply.status == 201).count();
    let refused = replies.iter().filter(|reply| reply.code() == "ledger.insufficient_funds").count();
    assert_eq!((posted, refused), (40, 24));
    assert_eq!((world.balance(&alice, &from).await, world.balance(&bob, &to).await), ("0.00".into(), "10.00".into()));
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_with_one_key_have_one_effect_and_one_answer() {
    let world = World::start_with(Posting { lanes: 2, batch: 8, ..Posting::default() }).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&bob, "EUR").await);
    let body = transfer(&from, &to, "0.25");
    let replies = join_all((0..64).map(|_| world.post_with_key(&alice, "/v1/transfers", &body, "one"))).await;
    let bodies: HashSet<String> = replies.iter().map(|reply| reply.body.to_string()).collect();
    assert!(replies.iter().all(|reply| reply.status == 201));
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let first = replies.iter().filter(|reply| !reply.headers.contains_key("idempotent-replayed")).count();
    assert_eq!((first, world.balance(&bob, &to).await), (1, "0.25".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_database_number_and_decide_as_one() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let (first, second) = (Engine::start(&database), Engine::start(&database));
    let accounts = first.open(4, 1_000).await;
    // Every key goes to both at the same time, with its accounts in either order.
    let orders: Vec<Order> =
        (0..200_usize).map(|n| order(&format!("k-{n}"), accounts[n % 4], accounts[(n * 7 + 1) % 4], 90)).collect();
    let (left, right) = tokio::join!(
        join_all(orders.iter().map(|order| first.committer.submit(order.clone()))),
        join_all(orders.iter().map(|order| second.committer.submit(order.clone())))
    );
    for (left, right) in left.into_iter().zip(right) {
        match (left.unwrap(), right.unwrap()) {
            (Answer::Decided(a), Answer::Replayed(b)) | (Answer::Replayed(a), Answer::Decided(b)) => assert_eq!(a, b),
            other => panic!("{other:?}"),
        }
    }
    first.check(&accounts).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_nothing_has_happened() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let engine = Engine::with(&database, Sizes { queue: 4, batch: 4, lanes: 1 });
    let accounts = engine.open(2, 1_000).await;
    let orders: Vec<Order> = (0..100).map(|n| order(&format!("k-{n}"), accounts[0], accounts[1], 1)).collect();
    let answers = join_all(orders.iter().map(|order| engine.committer.submit(order.clone()))).await;
    let busy = answers.iter().filter(|answer| **answer == Err(Unanswered::Busy)).count();
    let posted = answers.iter().filter(|answer| matches!(answer, Ok(Answer::Decided(Outcome::Posted(_))))).count();
    assert!(busy > 0 && posted >= 4 && busy + posted == 100, "{busy} {posted}");
    let balance = engine.balance(accounts[1]).await;
    assert_eq!(balance, 1_000 + i64::try_from(posted).unwrap());
    engine.stop().await;
}
