//! What happened at a user's door: logins, failed ones, devices, second factors, and from where. Whatever order it came in, it makes the same, and it is bounded.

use std::collections::BTreeMap;

use crate::events::{DAY, HOUR, Key, KeyProtection, MINUTE, Seconds, Signal, What};
use crate::profiles::Whereabouts;

/// Failed logins and logins are kept by spans of so many seconds: whoever fails ten thousand times fills no more of them than whoever fails once in each.
const SPAN: Seconds = 5 * MINUTE;
/// So many spans are kept, the latest: a day in which somebody logs in and the two hours before that, and one more for clocks that differ.
const SPANS: i64 = 27 * HOUR / SPAN;
/// Devices that are kept, those that came first. One beyond them is a new one always.
const DEVICES: usize = 16;

/// An installation of the app that acts for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Device {
    /// Since when: the first time that it was told of.
    since: Seconds,
    key: Key,
    /// As its evidence said then; the worse of two that came at once.
    level: KeyProtection,
}

/// What came in one span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tries {
    /// Failed logins; what is more than can be counted counts as just so many.
    failed: u16,
    /// The last of them.
    last: Option<Seconds>,
    /// Whether somebody logged in on a device that was not known.
    in_by_unknown: bool,
}

/// What is remembered of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signals {
    /// By their span, [`SPANS`] of them at most.
    tries: BTreeMap<i64, Tries>,
    /// In the order in which they came.
    devices: Vec<Device>,
    /// The last change.
    second_factor: Option<Seconds>,
    /// Where the user was.
    pub(crate) been: Whereabouts,
}

impl Signals {
    /// Learns one.
    pub(crate) fn learn(&mut self, signal: &Signal) {
        let at = signal.at;
        // Where somebody has failed, the user need not have been.
        if let (Some(place), What::Login { .. } | What::Seen) = (signal.place, signal.what) {
            self.been.learn(at, place);
        }
        match signal.what {
            What::FailedLogin => self.tried(at, |tries| {
                tries.failed = tries.failed.saturating_add(1);
                tries.last = tries.last.max(Some(at));
            }),
            What::Login { known_device: false } => self.tried(at, |tries| tries.in_by_unknown = true),
            // The owner's: whoever has failed before was somebody else, or the owner mistyped.
            What::Login { known_device: true } | What::Seen => (),
            What::Device { device, level } => self.enrol(Device { since: at, key: device, level }),
            What::SecondFactor(_) => self.second_factor = self.second_factor.max(Some(at)),
        }
    }

    /// Counts at its time, and forgets what is so old that no later payment is looked at beside it.
    fn tried(&mut self, at: Seconds, count: impl FnOnce(&mut Tries)) {
        count(self.tries.entry(span(at)).or_default());
        let Some((newest, _)) = self.tries.last_key_value() else { return };
        let oldest = newest.saturating_sub(SPANS - 1);
        while let Some(first) = self.tries.first_entry().filter(|first| *first.key() < oldest) {
            first.remove();
        }
    }

    fn enrol(&mut self, told: Device) {
        match self.devices.iter_mut().find(|known| known.key == told.key) {
            Some(known) if known.since == told.since => known.level = known.level.min(told.level),
            Some(known) if known.since > told.since => *known = told,
            Some(_) => return,
            None => self.devices.push(told),
        }
        self.devices.sort_unstable_by_key(|device| (device.since, device.key));
        self.devices.truncate(DEVICES);
    }

    /// Failed logins of the `length` seconds up to `at`, and those of the rest of the spans in which these begin and end: never less than there were.
    pub(crate) fn failures(&self, at: Seconds, length: Seconds) -> usize {
        self.failed_in(span(at.saturating_sub(length)), span(at))
    }

    fn failed_in(&self, first: i64, last: i64) -> usize {
        self.tries.range(first..=last).map(|(_, tries)| usize::from(tries.failed)).sum()
    }

    /// Seconds since the last failed login. What came in the span of `at`, but later, has come just now.
    pub(crate) fn since_failure(&self, at: Seconds) -> Option<Seconds> {
        let last = self.tries.range(..=span(at)).rev().find_map(|(_, tries)| tries.last)?;
        Some(at.saturating_sub(last).max(0))
    }

    /// The most failed logins that came before one login of the last day on a device that was not known: in its span and in the two hours before that.
    pub(crate) fn failures_before_login(&self, at: Seconds) -> usize {
        let day = self.tries.range(span(at.saturating_sub(DAY))..=span(at));
        let logins = day.filter(|(_, tries)| tries.in_by_unknown);
        // Default: nobody has logged in.
        logins.map(|(login, _)| self.failed_in(login.saturating_sub(2 * HOUR / SPAN), *login)).max().unwrap_or(0)
    }

    /// For how many seconds this device has been the user's. None where it is nothing to wonder about: it is not known which device it is, the user has none that
    /// is known, or it is the first that the user had.
    pub(crate) fn device_age(&self, device: Option<Key>, at: Seconds) -> Option<Seconds> {
        let (device, first) = (device?, self.devices.first()?);
        if first.key == device {
            return None;
        }
        let known = self.devices.iter().find(|known| known.key == device);
        Some(known.map_or(0, |known| at.saturating_sub(known.since).max(0))) // Default: it has come just now
    }

    /// The age of the newest device beside the first.
    pub(crate) fn newest_device_age(&self, at: Seconds) -> Option<Seconds> {
        let newest = self.devices.iter().skip(1).rev().find(|device| device.since <= at)?;
        Some(at.saturating_sub(newest.since))
    }

    /// How well the key of this device is kept. Of a device that nobody has told of, while others of the user are known, it counts as kept by the app alone; None
    /// where it is not known which device it is, or the user has none that is known.
    pub(crate) fn level(&self, device: Option<Key>) -> Option<KeyProtection> {
        let device = device.filter(|_| !self.devices.is_empty())?;
        let known = self.devices.iter().find(|known| known.key == device);
        Some(known.map_or(KeyProtection::Software, |known| known.level)) // Default: nobody has said that it is kept better
    }

    /// Seconds since a second factor was added, removed, or stood in for.
    pub(crate) fn since_second_factor(&self, at: Seconds) -> Option<Seconds> {
        self.second_factor.map(|changed| at.saturating_sub(changed).max(0))
    }
}

/// The span that a moment is in.
fn span(at: Seconds) -> i64 {
    at.div_euclid(SPAN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::events::Change;

    const NOON: Seconds = 1_700_000_000;
    const LOGIN: What = What::Login { known_device: false };

    fn told(signals: &[(Seconds, What)]) -> Signals {
        let mut folded = Signals::default();
        for (at, what) in signals {
            folded.learn(&Signal { at: *at, user: 1, what: *what, place: None });
        }
        folded
    }

    fn device(device: Key) -> What {
        What::Device { device, level: KeyProtection::Tee }
    }

    #[test]
    fn the_first_device_is_nothing_to_wonder_about_and_every_later_one_is_as_old_as_it_is() {
        let signals = told(&[(NOON, device(7)), (NOON + DAY, device(8)), (NOON + 2 * DAY, device(8))]);
        let now = NOON + 3 * DAY;
        assert_eq!(signals.device_age(Some(7), now), None, "the first");
        assert_eq!(signals.device_age(Some(8), now), Some(2 * DAY), "since it was told of first");
        assert_eq!(signals.device_age(Some(9), now), Some(0), "nobody has told of it");
        assert_eq!(signals.device_age(None, now), None, "nobody has said which");
        assert_eq!(Signals::default().device_age(Some(9), now), None, "the user has none that is known");
        assert_eq!(signals.newest_device_age(now), Some(2 * DAY));
        assert_eq!(told(&[(NOON, device(7))]).newest_device_age(now), None);
    }

    #[test]
    fn enrolling_many_devices_makes_none_of_them_the_first() {
        let many: Vec<(Seconds, What)> = (0..100).map(|n| (NOON + n, device(n.unsigned_abs()))).collect();
        let signals = told(&many);
        assert_eq!(signals.devices.len(), DEVICES);
        assert_eq!(signals.device_age(Some(0), NOON + DAY), None, "the owner's");
        assert_eq!(signals.device_age(Some(99), NOON + DAY), Some(0));
        assert_eq!(signals.level(Some(15)), Some(KeyProtection::Tee));
        assert_eq!(signals.level(Some(16)), Some(KeyProtection::Software), "the first that is not kept");
        assert_eq!(signals.level(None), None);
        assert_eq!(Signals::default().level(Some(16)), None, "the user has none that is known");
    }

    #[test]
    fn failures_count_where_a_login_came_of_them_however_often_it_is_repeated() {
        let mut all: Vec<(Seconds, What)> = (0..6).map(|n| (NOON + n * 60, What::FailedLogin)).collect();
        assert_eq!(told(&all).failures_before_login(NOON + HOUR), 0, "none came of them");
        all.push((NOON + 600, What::Login { known_device: true }));
        assert_eq!(told(&all).failures_before_login(NOON + HOUR), 0, "the owner's own, on a phone that was known");
        all.push((NOON + 600, LOGIN));
        let now = NOON + 20 * HOUR;
        assert_eq!(told(&all).failures_before_login(now), 6);
        all.extend((0..500).map(|n| (NOON + 601 + n * 60, LOGIN)));
        assert_eq!(told(&all).failures_before_login(now), 6, "whoever got in logs in again and again");
        assert_eq!(told(&all).failures_before_login(NOON + 3 * DAY), 0, "some days ago");
        assert_eq!(told(&all).failures(NOON + 300, 5 * 60), 6, "all that came in the spans that this touches");
        assert_eq!(told(&all).since_failure(NOON + 330), Some(30));
    }

    /// A right password on an account with a second factor lets a thief fail on, and a login can be repeated.
    #[test]
    fn no_flood_makes_the_way_in_forgotten() {
        let mut way_in: Vec<(Seconds, What)> = (0..6).map(|n| (NOON + n * 60, What::FailedLogin)).collect();
        way_in.push((NOON + 360, LOGIN));
        let floods: [(&str, i64, What); 3] = [
            ("failures", 10_000, What::FailedLogin),
            ("logins", 10_000, LOGIN),
            ("owner's logins", 10_000, What::Login { known_device: true }),
        ];
        for (name, many, what) in floods {
            let mut all = way_in.clone();
            all.extend((0..many).map(|n| (NOON + 3 * HOUR + n * 7, what)));
            let now = NOON + 23 * HOUR;
            assert!(told(&all).failures_before_login(now) >= 6, "{name}");
            assert!(told(&all).failures(now, DAY) >= 6, "{name}");
        }
        // A login late in the hour of the first one, more than two hours after the failures.
        let mut all = way_in;
        all.push((NOON + 360 + 2 * HOUR + 2 * SPAN, LOGIN));
        assert_eq!(told(&all).failures_before_login(NOON + 20 * HOUR), 6);
    }

    #[test]
    fn a_count_ends_and_does_not_begin_anew() {
        let flood = vec![(NOON, What::FailedLogin); 70_000];
        assert_eq!(told(&flood).failures(NOON, HOUR), usize::from(u16::MAX));
    }

    fn signals() -> impl Strategy<Value = Vec<(Seconds, What)>> {
        let at = prop_oneof![6 => NOON..NOON + 2 * DAY, 1 => any::<Seconds>()];
        let level =
            prop_oneof![Just(KeyProtection::Software), Just(KeyProtection::Tee), Just(KeyProtection::SecureElement)];
        let enrolled = (0..40_u64, level).prop_map(|(device, level)| What::Device { device, level });
        let change = prop_oneof![Just(Change::Added), Just(Change::Removed), Just(Change::Recovered)];
        let what = prop_oneof![
            3 => Just(What::FailedLogin),
            2 => any::<bool>().prop_map(|known_device| What::Login { known_device }),
            2 => enrolled,
            1 => change.prop_map(What::SecondFactor)
        ];
        proptest::collection::vec((at, what), 0..200)
    }

    /// Thousands of the same within some hours, as a thief makes them who wants to be forgotten.
    fn floods() -> impl Strategy<Value = Vec<(Seconds, What)>> {
        let what = prop_oneof![Just(What::FailedLogin), Just(LOGIN)];
        let (from, apart) = (NOON..NOON + DAY, 1..60_i64);
        (from, apart, what, 0..2_000_i64).prop_map(|(from, apart, what, many)| {
            (0..many).map(|n| ((from + n * apart).min(NOON + DAY), what)).collect()
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_it_is_bounded_and_the_order_does_not_matter(
            (all, shuffled) in signals().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
        ) {
            let folded = told(&all);
            prop_assert_eq!(&told(&shuffled), &folded);
            prop_assert!(folded.tries.len() <= 324 && folded.devices.len() <= DEVICES);
        }

        /// However much there was before, one more failure, a login or a later change never makes anything look more honest.
        #[test]
        fn more_of_what_is_suspicious_is_never_less(
            all in signals(), flood in floods(), known_device in any::<bool>(), late in 0..DAY
        ) {
            let (mut before, now) = (told(&all), NOON + DAY);
            for (at, what) in flood {
                before.learn(&Signal { at, user: 1, what, place: None });
            }
            let with = |what: What| {
                let mut more = before.clone();
                more.learn(&Signal { at: NOON + late, user: 1, what, place: None });
                more
            };
            let failed = with(What::FailedLogin);
            prop_assert!(failed.failures(now, HOUR) >= before.failures(now, HOUR));
            prop_assert!(failed.failures_before_login(now) >= before.failures_before_login(now));
            prop_assert!(before.since_failure(now).is_none_or(|since| failed.since_failure(now).is_some_and(|less| less <= since)));
            for more in [&failed, &with(LOGIN), &with(What::Login { known_device })] {
                prop_assert!(more.failures(now, DAY) >= before.failures(now, DAY));
                prop_assert!(more.failures_before_login(now) >= before.failures_before_login(now));
            }
            let changed = with(What::SecondFactor(Change::Removed)).since_second_factor(now);
            prop_assert!(before.since_second_factor(now).is_none_or(|since| changed.is_some_and(|less| less <= since)));
        }
    }
}
