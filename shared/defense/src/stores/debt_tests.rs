//! What was taken into debt goes back exactly, however many do so at once: in the memory, and in a Redis that three processes share.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::redis::tests::by_our_clock;
use super::{Beside, Counters, MemoryCounters, MemoryOnce};
use crate::rate::{Allowance, Demand, Limit, LimitClass, Moment, Quota, Taken};

const NOW: Moment = Moment::unix_millis(1_800_000_000_000);
/// A unit comes back in twelve seconds; so at most ten are taken.
const LOGIN: Limit = Limit::new("login", LimitClass::Identifier, Quota::new(5, Duration::from_mins(1)));
const UNIT: i64 = 12_000_000;

async fn charge(counters: &dyn Counters, key: &[u8], units: u32) -> Vec<Taken> {
    counters.charge(&[Demand::units(&LOGIN, key, units)], NOW).await.unwrap()
}

/// So many charge four units each at the same time, and then give back at the same time what was taken.
async fn all_at_once(stores: &[Arc<dyn Counters>], key: &'static [u8], many: usize) -> Vec<i64> {
    let at_once = |index: usize| Arc::clone(&stores[index % stores.len()]);
    let charges = (0..many).map(|index| {
        let store = at_once(index);
        tokio::spawn(async move { charge(&*store, key, 4).await })
    });
    let taken: Vec<_> = join_all(charges).await.into_iter().flat_map(Result::unwrap).collect();
    let refunds = taken.iter().copied().enumerate().map(|(index, taken)| {
        let store = at_once(index);
        tokio::spawn(async move { store.give_back(&[Demand::units(&LOGIN, key, 4).refund(taken)], NOW).await })
    });
    assert!(join_all(refunds).await.into_iter().all(|given| given.unwrap() == Ok(())));
    taken.into_iter().map(Taken::micros).collect()
}

async fn goes_back_exactly(stores: &[Arc<dyn Counters>]) {
    charge(&*stores[0], b"alice", 9).await;
    let taken = all_at_once(stores, b"alice", 64).await;
    assert_eq!(taken.iter().sum::<i64>(), UNIT, "one more unit, and then the debt is as deep as can be: {taken:?}");
    assert_eq!(charge(&*stores[0], b"alice", 4).await, [Taken::new(UNIT)], "nine are taken, as before");
    // And who has given nothing back before is as deep in debt as can be.
    let taken = all_at_once(stores, b"alice", 64).await;
    assert_eq!(taken.iter().sum::<i64>(), 0);
    assert_eq!(charge(&*stores[0], b"alice", 4).await, [Taken::new(0)]);
    // Where debt is far, all that was demanded is taken, and goes back.
    let taken = all_at_once(stores, b"bob", 2).await;
    assert_eq!(taken, [4 * UNIT, 4 * UNIT]);
    assert_eq!(charge(&*stores[0], b"bob", 11).await, [Taken::new(10 * UNIT)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_debt_in_memory_what_was_taken_goes_back_and_no_more() {
    goes_back_exactly(&[Arc::new(MemoryCounters::new(100))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_debt_that_three_processes_share_what_was_taken_goes_back_and_no_more() {
    let Some(server) = testkit::redis::start() else { return };
    let mut stores: Vec<Arc<dyn Counters>> = Vec::new();
    for _ in 0..3 {
        stores.push(Arc::new(by_our_clock(&server, 100).await));
    }
    goes_back_exactly(&stores).await;
}

/// A price above all that there is and may be owed, such as a failure's where an operator allows one unit.
async fn reserves_no_more_than_debt_allows(counters: &dyn Counters) {
    const ONE: Limit = Limit::new("one", LimitClass::Identifier, Quota::new(1, Duration::from_secs(12)));
    let reserved = [Demand::reserved(&ONE, b"alice", 4)];
    for _ in 0..3 {
        let taken = counters.take(&reserved, NOW).await;
        let Allowance::Within(readings) = taken else { unreachable!("{taken:?}") };
        assert_eq!(readings[0].taken, Taken::new(2 * UNIT));
        counters.charge(&[Demand::units(&ONE, b"alice", 1)], NOW).await.unwrap();
        counters.give_back(&[reserved[0].refund(readings[0].taken)], NOW).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_reserved_is_at_most_what_debt_allows_too() {
    reserves_no_more_than_debt_allows(&MemoryCounters::new(100)).await;
    let Some(server) = testkit::redis::start() else { return };
    reserves_no_more_than_debt_allows(&by_our_clock(&server, 100).await).await;
}

/// All of alice's that debt allows, but for what is taken already.
async fn units_left(counters: &dyn Counters) -> i64 {
    charge(counters, b"alice", 11).await[0].micros() / UNIT
}

#[tokio::test]
async fn what_was_taken_goes_back_to_the_store_that_it_was_taken_in() {
    let Some(mut server) = testkit::redis::start() else { return };
    let (shared, here) = (Arc::new(by_our_clock(&server, 100).await), Arc::new(MemoryCounters::new(100)));
    let beside = Beside::new(Arc::clone(&shared), Arc::new(MemoryOnce::new(100)), Arc::clone(&here));
    let demand = Demand::units(&LOGIN, b"alice", 4);
    let there = charge(&beside, b"alice", 4).await;
    server.kill();
    let alone = charge(&beside, b"alice", 3).await;
    assert_eq!((there[0], alone[0]), (Taken::new(4 * UNIT), Taken::new(3 * UNIT).alone()));
    assert!(beside.give_back(&[demand.refund(there[0])], NOW).await.is_err(), "the store is away");
    server.restart().unwrap();
    timeout(Duration::from_secs(10), shared.connected()).await.unwrap();
    // A server that begins anew knows nothing, until something is taken again.
    charge(&*shared, b"alice", 4).await;
    assert_eq!(beside.give_back(&[demand.refund(alone[0])], NOW).await, Ok(()));
    assert_eq!((units_left(&*shared).await, units_left(&*here).await), (6, 10));
}
