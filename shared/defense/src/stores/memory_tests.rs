use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;
use crate::rate::{Limit, Quota};

const NOW: i64 = 1_800_000_000;
const MINUTE: Duration = Duration::from_mins(1);
const HOST: Limit = Limit::new("host", LimitClass::AddressHost, Quota::new(30, MINUTE));
const USER: Limit = Limit::new("user", LimitClass::User, Quota::new(10, MINUTE));
const LOGIN: Limit = Limit::new("login", LimitClass::Identifier, Quota::new(5, MINUTE));
const ALL: Limit = Limit::new("all", LimitClass::Global, Quota::new(100, MINUTE));

fn at(seconds: i64) -> Moment {
    Moment::unix_millis((NOW + seconds) * 1000)
}

fn claim(memory: &MemoryOnce, class: OnceClass, owner: &str, key: &str) -> Claimed {
    let claim = Claim { class, owner: owner.as_bytes(), key: key.as_bytes(), until: NOW + 60, now: NOW };
    memory.claim(&claim).now_or_never().unwrap()
}

fn take(counters: &MemoryCounters, demands: &[Demand<'_>], now: Moment) -> Allowance {
    counters.take(demands, now).now_or_never().unwrap()
}

fn takes(counters: &MemoryCounters, demands: &[Demand<'_>], now: Moment) -> bool {
    matches!(take(counters, demands, now), Allowance::Within(_))
}

fn would_take(counters: &MemoryCounters, demands: &[Demand<'_>], now: Moment) -> bool {
    matches!(counters.examine(demands, now).now_or_never().unwrap(), Allowance::Within(_))
}

fn charge(counters: &MemoryCounters, demands: &[Demand<'_>], now: Moment) -> Result<Vec<Taken>, &'static str> {
    counters.charge(demands, now).now_or_never().unwrap()
}

#[test]
fn a_key_is_used_once_by_its_owner_in_its_class() {
    let memory = MemoryOnce::new(1_000);
    assert_eq!(claim(&memory, OnceClass::DpopProof, "alice", "1"), Claimed::First);
    assert_eq!(claim(&memory, OnceClass::DpopProof, "alice", "1"), Claimed::Again);
    assert_eq!(claim(&memory, OnceClass::DpopProof, "bob", "1"), Claimed::First);
    assert_eq!(claim(&memory, OnceClass::SignatureNonce, "alice", "1"), Claimed::First);
    assert_eq!(claim(&memory, OnceClass::DpopProof, "alic", "e1"), Claimed::First);
}

#[test]
fn what_has_expired_is_not_used_and_its_place_is_free_again() {
    let memory = MemoryOnce::new(1_000);
    let claim = |until, now| {
        let claim = Claim { class: OnceClass::Webhook, owner: b"partner", key: b"1", until, now };
        memory.claim(&claim).now_or_never().unwrap()
    };
    assert_eq!(claim(NOW - 1, NOW), Claimed::Again);
    assert_eq!(claim(NOW, NOW), Claimed::First);
    assert_eq!(claim(NOW, NOW + 1), Claimed::Again);
    assert_eq!(claim(NOW + 9, NOW + 1), Claimed::First);
    assert_eq!(memory.len(OnceClass::Webhook), 1);
}

#[test]
fn of_64_parallel_claims_one_is_the_first() {
    let (memory, first, barrier) = (MemoryOnce::new(1_000), AtomicUsize::new(0), Barrier::new(64));
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                barrier.wait();
                if claim(&memory, OnceClass::DpopProof, "alice", "1") == Claimed::First {
                    first.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(first.into_inner(), 1);
}

#[test]
fn who_fills_a_class_takes_nothing_from_another_and_nothing_live_is_forgotten() {
    let memory = MemoryOnce::new(1_000);
    assert_eq!(claim(&memory, OnceClass::DpopProof, "alice", "1"), Claimed::First);
    assert_eq!(claim(&memory, OnceClass::SignatureNonce, "alice", "1"), Claimed::First);
    let flood = |n: u32| claim(&memory, OnceClass::SignatureNonce, &format!("owner-{n}"), "1");
    let flood: Vec<_> = (0..100_000).map(flood).collect();
    assert_eq!(flood.last(), Some(&Claimed::Unknown("once_memory_full")));
    assert!(memory.len(OnceClass::SignatureNonce) <= 1_024);
    assert_eq!(claim(&memory, OnceClass::SignatureNonce, "alice", "1"), Claimed::Again, "not forgotten");
    assert_eq!(claim(&memory, OnceClass::DpopProof, "alice", "1"), Claimed::Again);
    assert_eq!(claim(&memory, OnceClass::DpopProof, "alice", "2"), Claimed::First, "not blocked");
}

#[test]
fn an_owner_who_floods_takes_nothing_from_another() {
    let memory = MemoryOnce::new(64 * 160);
    let flood =
        (0..100_000).filter(|n| claim(&memory, OnceClass::DpopProof, "flood", &n.to_string()) == Claimed::First);
    assert!(flood.count() <= 640, "a sixteenth");
    assert!((0..1_000).all(|n| claim(&memory, OnceClass::DpopProof, &format!("owner-{n}"), "1") == Claimed::First));
}

#[test]
fn all_demands_are_met_or_nothing_is_taken() {
    let counters = MemoryCounters::new(1_000);
    let (host, alice) = (Demand::units(&HOST, b"192.0.2.1", 1), Demand::units(&USER, b"alice", 4));
    assert!(takes(&counters, &[host, alice], at(0)) && takes(&counters, &[host, alice], at(0)));
    // Two of alice's ten are left, which does for no third request of four; the host's are not touched by those.
    for _ in 0..50 {
        let Allowance::Exceeded(readings) = take(&counters, &[host, alice], at(0)) else { unreachable!() };
        assert!(!readings[0].is_exceeded() && readings[1].is_exceeded());
        assert_eq!((readings[0].left, readings[1].left), (28, 2));
        assert_eq!(readings[1].wait, Duration::from_secs(12));
    }
    assert!(takes(&counters, &[Demand::units(&HOST, b"192.0.2.1", 28)], at(0)));
    assert!(!takes(&counters, &[Demand::units(&HOST, b"192.0.2.1", 1)], at(0)));
    assert!(takes(&counters, &[Demand::units(&USER, b"alice", 2)], at(0)));
    assert!(takes(&counters, &[host, alice], at(24)));
}

#[test]
fn to_examine_takes_nothing() {
    let counters = MemoryCounters::new(1_000);
    let demands = [Demand::units(&USER, b"alice", 10), Demand::units(&HOST, b"192.0.2.1", 1)];
    for _ in 0..100 {
        assert!(would_take(&counters, &demands, at(0)));
    }
    assert_eq!((counters.len(LimitClass::User), counters.len(LimitClass::AddressHost)), (0, 0));
    assert!(takes(&counters, &demands, at(0)));
    let Allowance::Exceeded(readings) = counters.examine(&demands, at(0)).now_or_never().unwrap() else {
        unreachable!()
    };
    assert_eq!((readings[0].wait, readings[1].wait), (MINUTE, Duration::ZERO));
}

#[test]
fn one_limit_demanded_twice_is_taken_twice() {
    let counters = MemoryCounters::new(1_000);
    let six = Demand::units(&USER, b"alice", 6);
    assert!(!takes(&counters, &[six, six], at(0)));
    let five = Demand::units(&USER, b"alice", 5);
    assert!(takes(&counters, &[five, five], at(0)));
    assert!(!takes(&counters, &[Demand::units(&USER, b"alice", 1)], at(0)));
}

#[test]
fn limits_of_one_class_and_keys_of_one_limit_count_apart() {
    const OTHER: Limit = Limit::new("other", LimitClass::User, Quota::new(1, MINUTE));
    let counters = MemoryCounters::new(1_000);
    let ten = |limit, key: &'static [u8]| takes(&counters, &[Demand::units(limit, key, limit.quota().units())], at(0));
    assert!(ten(&USER, b"alice") && !ten(&USER, b"alice") && ten(&USER, b"bob") && ten(&OTHER, b"alice"));
}

#[test]
fn failures_are_charged_afterwards_and_then_refuse() {
    let counters = MemoryCounters::new(1_000);
    let (left, failure) = (Demand::left(&LOGIN, b"alice"), Demand::units(&LOGIN, b"alice", 1));
    // Who never fails may go on for ever.
    assert!((0..100).all(|_| takes(&counters, &[left], at(0))));
    for _ in 0..5 {
        assert!(takes(&counters, &[left], at(0)));
        charge(&counters, &[failure], at(0)).unwrap();
    }
    assert!(
        !takes(&counters, &[left], at(0)) && !takes(&counters, &[left], at(11)) && takes(&counters, &[left], at(12))
    );
    // A hundred that were under way together fail: it takes longer, but not for ever.
    (0..100).for_each(|_| drop(charge(&counters, &[failure], at(12)).unwrap()));
    assert!(!takes(&counters, &[left], at(12 + 60)) && takes(&counters, &[left], at(12 + 60 + 12)));
    assert!(takes(&counters, &[Demand::left(&LOGIN, b"bob")], at(12)));
}

#[test]
fn of_parallel_demands_as_many_are_met_as_there_are_units_and_nothing_is_lost() {
    let (counters, met, barrier) = (MemoryCounters::new(1_000), AtomicUsize::new(0), Barrier::new(16));
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (counters, met, barrier) = (&counters, &met, &barrier);
            scope.spawn(move || {
                let user = format!("user-{}", thread % 8);
                let demands = [Demand::units(&ALL, b"", 1), Demand::units(&USER, user.as_bytes(), 1)];
                barrier.wait();
                for _ in 0..1_000 {
                    met.fetch_add(usize::from(takes(counters, &demands, at(0))), Ordering::Relaxed);
                }
            });
        }
    });
    // Eight users of ten each are fewer than the hundred of all: exactly eighty, and exactly twenty are left.
    assert_eq!(met.into_inner(), 80);
    assert!(
        takes(&counters, &[Demand::units(&ALL, b"", 20)], at(0))
            && !takes(&counters, &[Demand::units(&ALL, b"", 1)], at(0))
    );
}

#[test]
fn who_fills_a_class_takes_nothing_from_another_and_nothing_that_counts_is_forgotten() {
    let counters = MemoryCounters::new(1_000);
    let alice = Demand::units(&LOGIN, b"alice", 1);
    assert!((0..4).all(|_| takes(&counters, &[alice], at(0))));
    let flood = |n: usize| take(&counters, &[Demand::units(&LOGIN, &n.to_be_bytes(), 1)], at(0));
    let flood: Vec<_> = (0..100_000).map(flood).collect();
    assert_eq!(flood.last(), Some(&Allowance::Unknown("counters_full")));
    assert_eq!(counters.len(LimitClass::Identifier), 1_000);
    assert!(takes(&counters, &[alice], at(0)) && !takes(&counters, &[alice], at(0)), "who is known is counted on");
    assert!(takes(&counters, &[Demand::units(&USER, b"bob", 1)], at(0)), "other classes have room");
    let bob = [Demand::units(&USER, b"bob", 1), Demand::units(&LOGIN, b"bob", 1)];
    assert_eq!(take(&counters, &bob, at(0)), Allowance::Unknown("counters_full"));
    assert!(takes(&counters, &[Demand::units(&USER, b"bob", 9)], at(0)), "nothing was taken of what is known");
    assert_eq!(charge(&counters, &[Demand::units(&LOGIN, b"bob", 1)], at(0)), Err("counters_full"));
}

#[test]
fn keys_of_which_nothing_is_taken_any_more_are_forgotten() {
    let counters = MemoryCounters::new(1_000);
    for round in 0..5 {
        let now = at(round * 61);
        for n in 0..1_000_usize {
            assert!(takes(&counters, &[Demand::units(&USER, &n.to_be_bytes(), 10)], now), "{round}");
        }
        assert_eq!(counters.len(LimitClass::User), 1_000);
    }
    // One that is used again and again stays, whatever its entry in the heap says.
    for second in 400..500 {
        assert!(takes(&counters, &[Demand::units(&USER, b"alice", 1)], at(second * 6)));
    }
    assert_eq!(counters.len(LimitClass::User), 1);
    assert_eq!(counters.classes().values().map(|table| table.by_time.len()).sum::<usize>(), 1);
}

#[test]
fn a_demand_that_no_wait_would_meet_is_said_to_be_one() {
    let counters = MemoryCounters::new(1_000);
    assert_eq!(take(&counters, &[Demand::units(&USER, b"alice", 11)], at(0)), Allowance::Unknown("demand_above_quota"));
    let end = Moment::unix_millis(i64::MAX);
    assert_eq!(take(&counters, &[Demand::units(&USER, b"alice", 1)], end), Allowance::Unknown("time_out_of_range"));
}

#[test]
fn what_is_given_back_is_there_again_and_never_more_than_all() {
    let counters = MemoryCounters::new(1_000);
    let reserved = Demand::reserved(&LOGIN, b"alice", 4);
    let refund = |demand: Demand<'static>, now| {
        let taken = Taken::new(demand.limit.quota().time_of(demand.takes).unwrap());
        counters.give_back(&[demand.refund(taken)], now).now_or_never().unwrap().unwrap();
    };
    let give_back = |now| refund(reserved, now);
    // One of five is left after the first, which does for a second, and then there is debt.
    assert!(takes(&counters, &[reserved], at(0)) && takes(&counters, &[reserved], at(0)));
    assert!(!takes(&counters, &[reserved], at(0)), "three are owed");
    give_back(at(0));
    assert!(takes(&counters, &[reserved], at(0)), "one is there");
    for _ in 0..10 {
        give_back(at(1));
    }
    let five = [Demand::units(&LOGIN, b"alice", 5)];
    assert!(takes(&counters, &five, at(1)) && !takes(&counters, &[Demand::left(&LOGIN, b"alice")], at(1)));
    // A key of which nothing is taken is not remembered for it.
    refund(Demand::units(&LOGIN, b"bob", 1), at(1));
    assert_eq!(counters.len(LimitClass::Identifier), 1);
}

#[test]
fn keys_that_were_given_something_back_are_forgotten_like_others() {
    let counters = MemoryCounters::new(1_000);
    let reserved = Demand::reserved(&LOGIN, b"alice", 4);
    for second in 0..100 {
        let Allowance::Within(taken) = take(&counters, &[reserved], at(second)) else { unreachable!("{second}") };
        counters.give_back(&[reserved.refund(taken[0].taken)], at(second)).now_or_never().unwrap().unwrap();
    }
    assert!(takes(&counters, &[Demand::units(&LOGIN, b"bob", 1)], at(1_000)));
    for _ in 0..20 {
        assert!(takes(&counters, &[Demand::left(&LOGIN, b"bob")], at(1_000)));
    }
    assert_eq!(counters.len(LimitClass::Identifier), 1, "bob");
    let in_heap =
        |counters: &MemoryCounters| counters.classes().values().map(|table| table.by_time.len()).sum::<usize>();
    assert_eq!(in_heap(&counters), 1);
}
