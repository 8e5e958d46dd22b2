//! Every sender has an answer in time, whatever the database does; and what was answered "busy" never happens.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ledger::MIGRATIONS;
use ledger::ids::AccountId;
use ledger::posting::committer::Sizes;
use ledger::posting::{Answer, Order, Outcome, Unanswered};
use runtime::SystemClock;
use testkit::database::TestDatabase;
use testkit::proxy::Proxy;
use tokio::time::{sleep, timeout};

use crate::engine::{Engine, order};

/// What the callers of the ledger wait for at the most: their clients' time-out.
const PATIENCE: Duration = Duration::from_secs(10);
const SIZES: Sizes = Sizes { queue: 4096, batch: 50, lanes: 1 };

async fn behind_a_proxy() -> (TestDatabase, Proxy, Engine, Vec<AccountId>) {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let proxy = Proxy::start(&database.poster_url).await.unwrap();
    let engine = Engine::made_of(&database, proxy.url(), Arc::new(SystemClock), SIZES);
    let accounts = engine.open(2, 100_000).await;
    (database, proxy, engine, accounts)
}

fn orders(accounts: &[AccountId], count: usize) -> Vec<Order> {
    (0..count).map(|n| order(&format!("k-{n}"), accounts[0], accounts[1], 1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_is_busy_in_time_and_nothing_happens_later() {
    let (_database, proxy, engine, accounts) = behind_a_proxy().await;
    proxy.hang();
    let orders = orders(&accounts, 600);
    let answers = join_all(orders.iter().map(|order| engine.committer.submit(order.clone())));
    let answers = timeout(PATIENCE, answers).await.expect("somebody waits without end");
    assert!(answers.iter().all(|answer| *answer == Err(Unanswered::Busy)), "{answers:?}");
    // What was held back on its way arrives now; and the engine is as good as new.
    proxy.resume();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(engine.count("transfers where kind = 'transfer'").await, 0);
    let answer = engine.committer.submit(orders[7].clone()).await;
    assert!(matches!(answer, Ok(Answer::Decided(Outcome::Posted(_)))), "{answer:?}");
    engine.check(&accounts).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_answers_is_unknown_in_time_and_the_same_key_tells() {
    let (_database, proxy, engine, accounts) = behind_a_proxy().await;
    let order = &orders(&accounts, 1)[0];
    proxy.hang_after_commit();
    let answer = timeout(Duration::from_secs(4), engine.committer.submit(order.clone())).await;
    assert_eq!(answer.expect("it waits without end"), Err(Unanswered::Unknown));
    proxy.resume();
    let answer = engine.committer.submit(order.clone()).await;
    assert!(matches!(answer, Ok(Answer::Replayed(Outcome::Posted(_)))), "{answer:?}");
    assert_eq!(engine.count("transfers where kind = 'transfer'").await, 1);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_in_time_although_the_database_hangs() {
    let (_database, proxy, engine, accounts) = behind_a_proxy().await;
    proxy.hang();
    let waiting: Vec<_> = orders(&accounts, 300)
        .into_iter()
        .map(|order| {
            let committer = engine.committer.clone();
            tokio::spawn(async move { committer.submit(order).await })
        })
        .collect();
    sleep(Duration::from_millis(100)).await;
    timeout(PATIENCE, engine.stop()).await.expect("it does not end");
    assert!(join_all(waiting).await.into_iter().all(|answer| answer.unwrap() == Err(Unanswered::Busy)));
}

/// After a failover the old primary keeps its clients' connections, and only reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_is_busy_and_its_connection_is_not_used_again() {
    let (database, _proxy, engine, accounts) = behind_a_proxy().await;
    // Sessions begin as those of a replica do.
    let set = |state: &str| {
        format!("alter role ledger_poster in database {} set default_transaction_read_only = {state}", database.name())
    };
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ledger_poster' and datname = current_database()";
    engine.sql(&set("on")).await;
    engine.sql(kill).await;
    sleep(Duration::from_millis(100)).await;
    let order = &orders(&accounts, 1)[0];
    assert_eq!(engine.committer.submit(order.clone()).await, Err(Unanswered::Busy));
    // The primary is back; the connection to the replica is not.
    engine.sql(&set("off")).await;
    let answer = engine.committer.submit(order.clone()).await;
    assert!(matches!(answer, Ok(Answer::Decided(Outcome::Posted(_)))), "{answer:?}");
    engine.stop().await;
}
