//! An account that somebody else holds (an operator's session, a report) stops those who need it and nobody else.

use std::time::Duration;

use crypto::SecretString;
use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use ledger::MIGRATIONS;
use ledger::ids::AccountId;
use ledger::posting::committer::Sizes;
use ledger::posting::{Answer, Order, Outcome, Reason, Unanswered};
use storage::{Pooled, StorageError};
use testkit::database::TestDatabase;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::engine::{Engine, order};

async fn engine(lanes: usize) -> (TestDatabase, Engine, Vec<AccountId>) {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let engine = Engine::with(&database, Sizes { queue: 4096, batch: 50, lanes });
    let accounts = engine.open(4, 100_000).await;
    (database, engine, accounts)
}

/// Holds an account's row until it is dropped.
async fn hold(engine: &Engine, account: AccountId) -> Pooled {
    let mut session = storage::connection(&engine.superuser).await.unwrap();
    let lock = format!(
        "begin; set local idle_in_transaction_session_timeout = 0; select from accounts where id = '{account}' for update"
    );
    session.batch_execute(&lock).await.unwrap();
    session
}

async fn release(mut session: Pooled) {
    session.batch_execute("rollback").await.unwrap();
}

fn send(engine: &Engine, order: Order) -> JoinHandle<Result<Answer, Unanswered>> {
    let committer = engine.committer.clone();
    tokio::spawn(async move { committer.submit(order).await })
}

fn is_posted(answer: &Result<Answer, Unanswered>) -> bool {
    matches!(answer, Ok(Answer::Decided(Outcome::Posted(_))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_somebody_holds_stops_nobody_else() {
    for lanes in [1, 2] {
        let (_database, engine, accounts) = engine(lanes).await;
        // What the machine does when nobody holds anything.
        let started = Instant::now();
        for n in 0..100 {
            let answer = engine.committer.submit(order(&format!("before-{n}"), accounts[1], accounts[2], 1)).await;
            assert!(is_posted(&answer), "{n}: {answer:?}");
        }
        let usual = started.elapsed();
        let held = hold(&engine, accounts[0]).await;
        // Orders between the held account and another keep coming; each waits, and holds nothing while it does.
        let mut waiting = Vec::new();
        let started = Instant::now();
        for n in 0..100 {
            if n % 10 == 0 {
                waiting.push(send(&engine, order(&format!("held-{n}"), accounts[1], accounts[0], 1)));
            }
            let answer = engine.committer.submit(order(&format!("free-{n}"), accounts[1], accounts[2], 1)).await;
            assert!(is_posted(&answer), "{n}: {answer:?} after {:?}", started.elapsed());
        }
        let elapsed = started.elapsed();
        assert!(elapsed < usual * 3 + Duration::from_secs(1), "100 transfers took {elapsed:?} instead of {usual:?}");
        release(held).await;
        let mut posted = 0;
        for answer in waiting {
            // On a machine that is slow enough the first have waited for too long.
            let answer = timeout(Duration::from_secs(5), answer).await.unwrap().unwrap();
            assert!(is_posted(&answer) || answer == Err(Unanswered::Busy), "{answer:?}");
            posted += i64::from(is_posted(&answer));
        }
        assert!(posted > 0);
        assert_eq!(engine.balance(accounts[0]).await, 100_000 + posted);
        engine.check(&accounts).await;
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_held_account_for_too_long_is_busy_and_nothing_happens_later() {
    let (_database, engine, accounts) = engine(1).await;
    let held = hold(&engine, accounts[0]).await;
    let waiting: Vec<_> =
        (0..5).map(|n| send(&engine, order(&format!("k-{n}"), accounts[0], accounts[n % 3 + 1], 1))).collect();
    for answer in waiting {
        let answer = timeout(Duration::from_secs(10), answer).await.expect("it waits without end").unwrap();
        assert_eq!(answer, Err(Unanswered::Busy));
    }
    release(held).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(engine.count("transfers where kind = 'transfer'").await, 0);
    assert_eq!(engine.count("idempotency where operation = 'transfer'").await, 0);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_account_is_not_a_missing_one_and_a_missing_one_is_not_held() {
    let (_database, engine, accounts) = engine(1).await;
    let held = hold(&engine, accounts[0]).await;
    let (nobody, key) = (AccountId::from_bytes([1; 16]), "k");
    let waiting = send(&engine, order(key, accounts[1], accounts[0], 1));
    let missing = send(&engine, order("missing", accounts[1], nobody, 1));
    let missing = timeout(Duration::from_secs(2), missing).await.unwrap().unwrap();
    assert!(
        matches!(missing, Ok(Answer::Decided(Outcome::Rejected(no))) if no.reason == Reason::NotFound),
        "{missing:?}"
    );
    // The same key again, while its first order waits: one of them decides, the other gets the same answer.
    let again = send(&engine, order(key, accounts[1], accounts[0], 1));
    sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished() && !again.is_finished());
    release(held).await;
    let (first, second) = (waiting.await.unwrap().unwrap(), again.await.unwrap().unwrap());
    match (first, second) {
        (Answer::Decided(one), Answer::Replayed(other)) | (Answer::Replayed(one), Answer::Decided(other)) => {
            assert_eq!(one, other);
            assert!(matches!(one, Outcome::Posted(_)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.balance(accounts[0]).await, 100_001);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_has_decided_is_told_although_its_account_is_held() {
    let (_database, engine, accounts) = engine(1).await;
    let order = order("k", accounts[1], accounts[0], 1);
    let Ok(Answer::Decided(first)) = engine.committer.submit(order.clone()).await else { panic!() };
    let held = hold(&engine, accounts[0]).await;
    let again = timeout(Duration::from_secs(3), engine.committer.submit(order)).await.expect("it waits for the lock");
    assert_eq!(again, Ok(Answer::Replayed(first)));
    release(held).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_decides_what_waits_for_a_held_account() {
    let (_database, engine, accounts) = engine(1).await;
    let held = hold(&engine, accounts[0]).await;
    let waiting = send(&engine, order("k", accounts[1], accounts[0], 1));
    sleep(Duration::from_millis(200)).await;
    let releasing = async {
        sleep(Duration::from_millis(500)).await;
        release(held).await;
    };
    tokio::join!(releasing, engine.stop());
    assert!(is_posted(&waiting.await.unwrap()));
}

/// Two processes take the same account from each other all the time: to each of them it is held by somebody else every other moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_account_in_two_processes_starves_nobody() {
    let (database, first, accounts) = engine(1).await;
    let second = Engine::with(&database, Sizes { queue: 4096, batch: 50, lanes: 1 });
    let senders = [&first, &second].into_iter().enumerate().flat_map(|(process, engine)| {
        let accounts = &accounts;
        (0..32).map(move |sender| async move {
            for n in 0..15 {
                let key = format!("k-{process}-{sender}-{n}");
                let answer = engine.committer.submit(order(&key, accounts[0], accounts[sender % 3 + 1], 1)).await;
                assert!(is_posted(&answer), "{key}: {answer:?}");
            }
        })
    });
    join_all(senders).await;
    assert_eq!(first.balance(accounts[0]).await, 100_000 - 960);
    first.check(&accounts).await;
    first.stop().await;
    second.stop().await;
}

/// A role that could hold accounts could stop the house.
#[tokio::test]
async fn only_the_poster_locks_and_nobody_sets_the_time() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let run = async |url: &str, sql: &str| {
        let pool = storage::pool(&SecretString::from(url.to_owned()), 1).unwrap();
        storage::connection(&pool).await.unwrap().batch_execute(sql).await.map_err(StorageError::from)
    };
    for call in [
        "select * from lock_free_accounts(array[]::uuid[])",
        "select * from lock_accounts(array[]::uuid[])",
        "select accounts_there(array[]::uuid[])",
    ] {
        assert_eq!(run(&database.app_url, call).await.unwrap_err().sqlstate(), Some("42501"), "{call}");
        run(&database.poster_url, call).await.unwrap();
    }
    let backwards = "update head set posted_at = '2000-01-01'";
    for url in [&database.app_url, &database.poster_url] {
        assert_eq!(run(url, backwards).await.unwrap_err().sqlstate(), Some("42501"));
    }
    // Not even who owns the table: the trigger has the last word.
    run(&database.migrator_url, backwards).await.unwrap();
    let superuser = storage::pool(&SecretString::from(database.superuser_url.clone()), 1).unwrap();
    assert_eq!(crate::engine::count(&superuser, "head where posted_at < now() - interval '1 minute'").await, 0);
}
