//! When something was posted: by the database's clock, which all processes share, and never before what came before it.

use std::sync::Arc;

use ledger::MIGRATIONS;
use ledger::posting::committer::Sizes;
use ledger::posting::{Answer, Outcome, Posted};
use runtime::{Clock as _, SystemClock};
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;

use crate::engine::{Engine, order};

#[tokio::test]
async fn posted_at_never_runs_backwards_and_is_told_as_it_is_stored() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let clock = Arc::new(ManualClock::now());
    let sizes = Sizes { queue: 100, batch: 10, lanes: 1 };
    let engine = Engine::made_of(&database, &database.poster_url, clock.clone(), sizes);
    let accounts = engine.open(2, 1_000).await;
    let post = async |key: &str| match engine.committer.submit(order(key, accounts[0], accounts[1], 1)).await {
        Ok(Answer::Decided(Outcome::Posted(posted))) => posted,
        other => panic!("{other:?}"),
    };
    let first = post("a").await;
    // This process believes that it is yesterday.
    clock.advance(-86_400);
    let second = post("b").await;
    assert!(second.at >= first.at, "{} after {}", second.at, first.at);
    assert!((SystemClock.unix_millis() - second.at.timestamp_millis()).abs() < 5_000);
    // And now the database does: a server with another clock has taken over.
    engine.sql("alter table head disable trigger user; update head set posted_at = posted_at + interval '1 hour'; alter table head enable trigger user").await;
    let third = post("c").await;
    assert_eq!((third.at - second.at).num_minutes(), 60);
    // What is told is what is stored, now and when it is asked again.
    for (key, posted) in [("a", first), ("b", second), ("c", third)] {
        let Posted { id, at, .. } = posted;
        let row = format!("transfers where id = '{id}' and posted_at = '{at}'");
        assert_eq!(engine.count(&row).await, 1);
        let again = engine.committer.submit(order(key, accounts[0], accounts[1], 1)).await;
        assert_eq!(again, Ok(Answer::Replayed(Outcome::Posted(posted))));
    }
    let backwards =
        "(select posted_at < lag(posted_at) over (order by sequence) as wrong from transfers) as times where wrong";
    assert_eq!(engine.count(backwards).await, 0);
    engine.stop().await;
}
