use std::num::NonZeroU32;

use governor::clock::FakeRelativeClock;
use governor::{Quota as Theirs, RateLimiter};
use proptest::prelude::*;

use super::*;

const START: i64 = 1_800_000_000_000_000;

/// Remembers everything: slow, and plainly right.
struct SlidingLog {
    quota: Quota,
    given: Vec<(i64, u32)>,
}

impl SlidingLog {
    /// Over every interval that ends now, and with what is wanted now, no more is given than all units and those that come back in it.
    fn conforms(&self, now: i64, cost: u32) -> bool {
        let mut sum = i64::from(cost);
        let fits = |sum: i64, since: i64| sum * self.quota.pace() <= self.quota.all() + (now - since);
        fits(sum, now)
            && self.given.iter().rev().all(|(at, units)| {
                sum += i64::from(*units);
                fits(sum, *at)
            })
    }
}

fn quotas() -> impl Strategy<Value = Quota> {
    (1_u32..=20, 1_u64..=50_000).prop_map(|(units, micros)| Quota::new(units, Duration::from_micros(micros)))
}

/// Pauses before each demand, and its units: from bursts to more than a window.
fn demands() -> impl Strategy<Value = Vec<(i64, u32)>> {
    let pause = prop_oneof![3 => Just(0), 3 => 0_i64..2_000, 1 => 0_i64..100_000];
    prop::collection::vec((pause, 1_u32..=6), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_given_is_what_a_log_of_everything_would_give(quota in quotas(), demands in demands()) {
        let mut log = SlidingLog { quota, given: Vec::new() };
        let (mut now, mut full_at) = (START, None);
        for (pause, cost) in demands {
            now += pause;
            let judged = quota.judge(full_at, now, cost, cost).unwrap();
            prop_assert_eq!(judged.wait == 0, log.conforms(now, cost), "{:?} at {}", quota, now);
            if judged.wait == 0 {
                log.given.push((now, cost));
                full_at = Some(judged.full_at);
            } else if cost <= quota.units() {
                prop_assert!(!log.conforms(now + judged.wait - 1, cost), "waits too long");
                prop_assert!(log.conforms(now + judged.wait, cost), "waits not long enough");
            }
        }
    }

    #[test]
    fn who_keeps_the_pace_is_never_refused(quota in quotas(), late in prop::collection::vec(0_i64..500, 200)) {
        let (mut now, mut full_at) = (START, None);
        for late in late {
            let judged = quota.judge(full_at, now, 1, 1).unwrap();
            prop_assert_eq!(judged.wait, 0);
            full_at = Some(judged.full_at);
            now += quota.pace() + late;
        }
    }

    #[test]
    fn an_implementation_of_others_gives_the_same(quota in quotas(), demands in demands()) {
        let clock = FakeRelativeClock::default();
        let pace = Duration::from_micros(quota.pace().unsigned_abs());
        let theirs = Theirs::with_period(pace).unwrap().allow_burst(NonZeroU32::new(quota.units()).unwrap());
        let theirs = RateLimiter::direct_with_clock(theirs, clock.clone());
        let (mut now, mut full_at) = (START, None);
        for (pause, cost) in demands {
            now += pause;
            clock.advance(Duration::from_micros(pause.unsigned_abs()));
            let judged = quota.judge(full_at, now, cost, cost).unwrap();
            let given = matches!(theirs.check_n(NonZeroU32::new(cost).unwrap()), Ok(Ok(())));
            prop_assert_eq!(judged.wait == 0, given, "{:?} at {}", quota, now);
            if given {
                full_at = Some(judged.full_at);
            }
        }
    }

    #[test]
    fn a_debt_is_at_most_all_units_once_more(quota in quotas(), charges in prop::collection::vec(0_u32.., 1..50)) {
        let full_at = charges.iter().fold(None, |full_at, cost| {
            Some(quota.judge(full_at, START, 0, *cost)?.full_at)
        });
        let judged = quota.judge(full_at, START, 1, 0).unwrap();
        prop_assert!(judged.full_at <= START + 2 * quota.all());
        prop_assert!(judged.wait <= quota.all() + quota.pace());
        prop_assert_eq!(quota.judge(full_at, START + judged.wait, 1, 0).unwrap().wait, 0);
    }

    #[test]
    fn no_numbers_overflow(
        units in 1_u32..=Quota::MOST_UNITS,
        micros in 1_u64..=31 * 86_400_000_000,
        full_at in prop::option::of(any::<i64>()),
        now in any::<i64>(),
        cost in any::<u32>(),
    ) {
        let quota = Quota::checked(units, Duration::from_micros(micros)).unwrap();
        prop_assert!(quota.window() >= Duration::from_micros(micros), "never faster than was said");
        // What cannot be reckoned is none, and never wraps around to a yes.
        if let Some(judged) = quota.judge(full_at, now, cost, cost) {
            prop_assert!(cost <= units || judged.wait > 0);
            prop_assert!(judged.full_at >= now);
        }
        if let Some(Judged { full_at, before, .. }) = quota.judge(full_at, now, 0, cost) {
            prop_assert!(full_at >= before && before >= now && full_at - now <= 2 * quota.all());
        }
    }
}

#[test]
fn a_quota_has_units_and_a_window_that_can_be_reckoned_with() {
    let day = Duration::from_hours(24);
    assert_eq!(Quota::checked(0, day), None);
    assert_eq!(Quota::checked(Quota::MOST_UNITS + 1, day), None);
    assert_eq!(Quota::checked(1, Duration::from_nanos(999)), None);
    assert_eq!(Quota::checked(1, Quota::LONGEST + Duration::from_micros(1)), None);
    assert!(Quota::checked(Quota::MOST_UNITS, Quota::LONGEST).is_some());
}

#[test]
fn at_the_boundary_of_a_window_there_is_no_second_burst() {
    let quota = Quota::new(10, Duration::from_secs(10));
    let mut full_at = None;
    let given = |full_at: &mut Option<i64>, now: i64| {
        (0..100)
            .filter(|_| {
                let judged = quota.judge(*full_at, now, 1, 1).unwrap();
                if judged.wait == 0 {
                    *full_at = Some(judged.full_at);
                }
                judged.wait == 0
            })
            .count()
    };
    // A counter that begins anew with each window of ten seconds would give twenty here.
    assert_eq!(given(&mut full_at, START + 9_900_000), 10);
    assert_eq!(given(&mut full_at, START + 10_100_000), 0);
    assert_eq!(given(&mut full_at, START + 10_900_000), 1);
}

#[test]
fn a_clock_that_was_set_back_shuts_nobody_out_for_as_long() {
    let quota = Quota::new(2, Duration::from_secs(2));
    let ahead = quota.judge(None, START + 3_600_000_000, 1, 1).unwrap().full_at;
    let judged = quota.judge(Some(ahead), START, 1, 1).unwrap();
    assert!((1..=3_000_000).contains(&judged.wait), "{judged:?}");
}

#[test]
fn whole_units_are_counted_down() {
    let quota = Quota::new(3, Duration::from_secs(3));
    assert_eq!(
        [-1, 0, 1, 1_000_000, 1_000_001, 3_000_000, 4_000_000, 9_000_000].map(|in_| quota.left(in_)),
        [3, 3, 2, 2, 1, 0, 0, 0]
    );
}
