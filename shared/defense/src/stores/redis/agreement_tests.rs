//! The two stores of each kind, asked the same at the same time, answer the same.

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::super::{MemoryCounters, MemoryOnce, OnceClass};
use super::tests::{NOW, by_our_clock, raw};
use super::*;
use crate::rate::{Limit, LimitClass, Quota};

/// What is done to both stores, one after the other: a pause before it, what, and on which of few keys with how many units.
type Step = (i64, u8, Vec<(usize, u8, u32)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![2 => Just(0), 2 => 0_i64..200, 1 => 0_i64..3_000];
    let demands = prop::collection::vec((0_usize..4, 0_u8..3, 0_u32..4), 1..5);
    prop::collection::vec((pause, 0_u8..6, demands), 1..40)
}

const LIMITS: [Limit; 4] = [
    Limit::new("one", LimitClass::User, Quota::new(5, Duration::from_millis(500))),
    Limit::new("two", LimitClass::User, Quota::new(3, Duration::from_secs(1))),
    Limit::new("one", LimitClass::AddressHost, Quota::new(7, Duration::from_millis(333))),
    Limit::new("one", LimitClass::Global, Quota::new(20, Duration::from_secs(2))),
];

/// What is given back is no whole unit of any of them.
const PART: i64 = 37_001;

/// Memory and Redis, of a room for so many, asked the same at the same time.
async fn agree(store: &RedisStore, capacity: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (counters, mut millis) = (MemoryCounters::new(capacity), NOW * 1000);
    for (pause, what, demands) in steps {
        millis += pause;
        let now = Moment::unix_millis(millis);
        let keys: Vec<_> = demands.iter().map(|(_, key, _)| [*key]).collect();
        let demand = |((limit, _, cost), key): (&(usize, u8, u32), _)| match cost {
            0 => Demand::left(&LIMITS[*limit], key),
            // Into debt.
            3 => Demand::reserved(&LIMITS[*limit], key, 6),
            cost => Demand::units(&LIMITS[*limit], key, *cost),
        };
        let demands: Vec<_> = demands.iter().zip(&keys).map(|(step, key)| demand((step, &key[..]))).collect();
        match what {
            0 => prop_assert_eq!(store.examine(&demands, now).await, counters.examine(&demands, now).await),
            1 => prop_assert_eq!(store.charge(&demands, now).await, counters.charge(&demands, now).await),
            2 => {
                let refunds = demands.iter().map(|demand| demand.refund(Taken::new(i64::from(demand.takes) * PART)));
                let refunds: Vec<_> = refunds.collect();
                prop_assert_eq!(store.give_back(&refunds, now).await, counters.give_back(&refunds, now).await);
            }
            _ => prop_assert_eq!(store.take(&demands, now).await, counters.take(&demands, now).await),
        }
    }
    Ok(())
}

#[test]
fn memory_and_redis_agree_to_the_microsecond() {
    let Some(server) = testkit::redis::start() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for capacity in [100, 2] {
        let store = runtime.block_on(async { by_our_clock(&server, capacity).await });
        proptest!(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }, |(steps in steps())| {
            runtime.block_on(async {
                let () = redis::cmd("FLUSHALL").query_async(&mut raw(&server).await).await.unwrap();
                agree(&store, capacity, steps).await
            })?;
        });
    }
}

#[test]
fn memory_and_redis_agree_on_what_was_used() {
    let Some(server) = testkit::redis::start() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = runtime.block_on(by_our_clock(&server, 100_000));
    let claims = prop::collection::vec((0_i64..30, 0_usize..2, 0_u8..3, 0_u8..6, 0_i64..50), 1..60);
    proptest!(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }, |(claims in claims)| {
        runtime.block_on(async {
            let () = redis::cmd("FLUSHALL").query_async(&mut raw(&server).await).await.unwrap();
            let (memory, mut now) = (MemoryOnce::new(100_000), NOW);
            for (pause, class, owner, key, life) in claims {
                now += pause;
                let class = [OnceClass::DpopProof, OnceClass::Webhook][class];
                // What is shared is remembered longer than memory does: for the clocks' sake.
                let (owner, key) = ([owner], [key]);
                let claim = |life| Claim { class, owner: &owner, key: &key, until: now + life, now };
                let ours = memory.claim(&claim(life + 1 + 10)).now_or_never().unwrap();
                prop_assert_eq!(store.claim(&claim(life)).await, ours);
            }
            Ok(())
        })?;
    });
}

#[tokio::test]
async fn an_owner_whose_keys_have_expired_has_all_of_its_part_again() {
    let Some(server) = testkit::redis::start() else { return };
    let store = by_our_clock(&server, 160).await;
    for now in [NOW, NOW + 72, NOW + 144] {
        for (n, expected) in
            (0..12_u8).map(|n| (n, if n < 10 { Claimed::First } else { Claimed::Unknown("once_memory_full") }))
        {
            let claim = Claim { class: OnceClass::DpopProof, owner: b"alice", key: &[n], until: now + 60, now };
            assert_eq!(store.claim(&claim).await, expected, "{n} at {now}");
        }
    }
    let owners =
        redis::cmd("HLEN").arg("redoubt:{ledger}:owners:dpop_proof").query_async(&mut raw(&server).await).await;
    assert_eq!(owners, Ok(1));
}
