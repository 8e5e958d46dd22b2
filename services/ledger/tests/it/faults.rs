//! What happens when things break in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use ledger::MIGRATIONS;
use ledger::posting::{Answer, Order, Outcome, Unanswered};
use testkit::database::TestDatabase;

use crate::engine::{Engine, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_killed_in_mid_flight_lose_no_acknowledged_transfer_and_double_none() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let engine = Engine::start(&database);
    let accounts = engine.open(4, 100_000).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (pool, ending) = (engine.superuser.clone(), Arc::clone(&stop));
    let killer = tokio::spawn(async move {
        let mut kills = 0_u64;
        while !ending.load(Ordering::SeqCst) {
            let mut db = storage::connection(&pool).await.unwrap();
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ledger_poster' and datname = current_database()";
            db.batch_execute(kill).await.unwrap();
            kills += 1;
            drop(db);
            // Ever more time in between: on a slow machine a transaction takes longer than the first pauses.
            tokio::time::sleep(Duration::from_millis(30 + 2 * kills)).await;
        }
        kills
    });
    // Each sender repeats its order, with the same key, until it has an answer: what the SDK does.
    let send = |n: usize| {
        let order = order(&format!("k-{n}"), accounts[n % 4], accounts[(n + 1) % 4], 1);
        let committer = engine.committer.clone();
        async move {
            let mut repeated = 0;
            loop {
                match committer.submit(order.clone()).await {
                    Ok(Answer::Decided(outcome) | Answer::Replayed(outcome)) => return (outcome, repeated),
                    Ok(Answer::KeyReused) => panic!("the key was used for something else"),
                    Err(Unanswered::Fault | Unanswered::Ceiling(_)) => panic!("a lost connection is nobody's fault"),
                    Err(Unanswered::Busy | Unanswered::Unknown) => repeated += 1,
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let mut repeated = 0;
    for round in 0..10 {
        let outcomes = join_all((0..60).map(|n| send(round * 60 + n))).await;
        assert!(outcomes.iter().all(|(outcome, _)| matches!(outcome, Outcome::Posted(_))));
        repeated += outcomes.iter().map(|(_, repeated)| repeated).sum::<i32>();
    }
    stop.store(true, Ordering::SeqCst);
    let kills = killer.await.unwrap();
    assert!(kills > 0 && repeated > 0, "nothing was disturbed: {kills} kills, {repeated} repetitions");
    // 600 transfers of one cent around a ring of four, each exactly once.
    for account in &accounts {
        assert_eq!(engine.balance(*account).await, 100_000);
    }
    let counted = engine.count("transfers where kind = 'transfer'").await;
    assert_eq!((counted, engine.count("idempotency where operation = 'transfer'").await), (600, 600));
    engine.check(&accounts).await;
    engine.stop().await;
}

/// The reference is longer than the database takes: a fault that the domain's checks would have caught.
#[tokio::test]
async fn one_poisoned_order_does_not_spoil_its_batch() {
    spoils_nothing("", "x".repeat(141)).await;
}

/// Some of the database's checks wait for the commit. That it refuses then is as certain as before: nothing was written.
#[tokio::test]
async fn an_order_that_is_refused_at_the_commit_does_not_spoil_its_batch_and_is_not_unknown() {
    let late = "create function late() returns trigger language plpgsql as $$ begin
            if new.reference = 'poison' then raise exception 'late' using errcode = 'check_violation'; end if; return null;
        end $$;
        create constraint trigger late after insert on transfers deferrable initially deferred for each row execute function late()";
    spoils_nothing(late, "poison".to_owned()).await;
}

async fn spoils_nothing(prepared: &str, poison: String) {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let engine = Engine::start(&database);
    storage::connection(&engine.superuser).await.unwrap().batch_execute(prepared).await.unwrap();
    let accounts = engine.open(2, 1_000).await;
    let mut orders: Vec<_> = (0..20).map(|n| order(&format!("k-{n}"), accounts[0], accounts[1], 1)).collect();
    orders[7].reference = poison;
    // As senders do, each repeats what was not taken in time.
    let send = async |order: &Order| loop {
        match engine.committer.submit(order.clone()).await {
            Err(Unanswered::Busy) => (),
            answer => return answer,
        }
    };
    let answers = join_all(orders.iter().map(send)).await;
    for (n, answer) in answers.iter().enumerate() {
        match answer {
            Err(Unanswered::Fault) => assert_eq!(n, 7),
            Ok(Answer::Decided(Outcome::Posted(_))) => assert_ne!(n, 7),
            other => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(engine.balance(accounts[1]).await, 1_019);
    // A fault is never an outcome: repaired, the same key goes through.
    orders[7].reference.clear();
    assert!(matches!(engine.committer.submit(orders[7].clone()).await, Ok(Answer::Decided(Outcome::Posted(_)))));
    engine.check(&accounts).await;
    engine.stop().await;
}

#[tokio::test]
async fn a_stop_decides_what_was_taken() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let engine = Engine::start(&database);
    let accounts = engine.open(2, 1_000).await;
    let waiting: Vec<_> = (0..200)
        .map(|n| {
            let (committer, order) = (engine.committer.clone(), order(&format!("k-{n}"), accounts[0], accounts[1], 1));
            tokio::spawn(async move { committer.submit(order).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let superuser = engine.superuser.clone();
    engine.stop().await;
    let mut posted = 0;
    for answer in join_all(waiting).await {
        match answer.unwrap() {
            Ok(Answer::Decided(Outcome::Posted(_))) => posted += 1,
            Err(Unanswered::Busy) => (),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(crate::engine::count(&superuser, "transfers where kind = 'transfer'").await, posted);
}
