//! What the ledger counts of itself for its metrics.

use std::sync::Arc;
use std::time::Duration;

use crypto::SecretString;
use ledger::watching::{Waits, Watching};
use runtime::{Clock, SystemClock};

use crate::world::{World, problem, transfer, until};

/// By a clock that is an hour ahead.
struct Later;

impl Clock for Later {
    fn unix_millis(&self) -> i64 {
        SystemClock.unix_millis() + 3_600_000
    }
}

async fn waits(world: &World, clock: Arc<dyn Clock>, tells: bool) -> Waits {
    let poster = storage::pool(&SecretString::from(world.database().poster_url.clone()), 1).unwrap();
    Watching { poster, clock, tells }.waits().await.unwrap()
}

#[tokio::test]
async fn what_is_not_told_and_which_payouts_have_no_end_is_counted() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let now = waits(&world, Arc::new(SystemClock), true).await;
    let statuses: Vec<(&str, i64)> = now.payouts.iter().map(|(status, number)| (status.as_str(), *number)).collect();
    assert_eq!(statuses, [("held", 0), ("pending", 0), ("submitted", 0), ("unknown", 0)]);
    // Nobody is told anything by this ledger: the deposit waits.
    let [(reader, 1, lag)] = now.readers.as_slice() else { panic!("{now:?}") };
    assert!(reader == "behavior" && *lag < Duration::from_mins(1), "{now:?}");
    assert_eq!(world.post(&alice, "/v1/transfers", &transfer(&hers, &his, "1.00")).await.status, 201);
    let later = waits(&world, Arc::new(Later), true).await;
    let [(_, 2, lag)] = later.readers.as_slice() else { panic!("{later:?}") };
    assert!((3_599..3_700).contains(&lag.as_secs()), "the oldest counts: {later:?}");
    assert!(waits(&world, Arc::new(SystemClock), false).await.readers.is_empty());
    // Who has been told everything waits for nothing.
    world.sql("update outbox_readers set position = (select announced from head)").await;
    assert_eq!(waits(&world, Arc::new(Later), true).await.readers, [("behavior".to_owned(), 0, Duration::ZERO)]);

    world.broker.answers.lock().unwrap().payout = problem(503, "server.outcome_unknown");
    world.broker.answers.lock().unwrap().standing = problem(503, "server.outcome_unknown");
    let payout = world.order(&alice, &hers, "5.00").await;
    until(|| async { world.payout_status(&alice, &payout).await == "unknown" }).await;
    let unsure = waits(&world, Arc::new(SystemClock), false).await.payouts;
    assert_eq!((unsure["unknown"], unsure["pending"]), (1, 0), "{unsure:?}");
}
