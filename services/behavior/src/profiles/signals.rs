//! What happened at a user's door: logins, failed ones, devices, second factors. Whatever order it came in, it makes the same, and it is bounded.

use crate::events::{DAY, HOUR, Key, KeyProtection, Seconds, Signal, What};

/// So many failed logins are kept, the latest; who fails more often counts as failing just so often.
const FAILURES: usize = 128;
/// Hours with a login that are kept, the latest: a day and the hour that it begins in.
const LOGINS: usize = 25;
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

/// What is remembered of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signals {
    /// In their order.
    failures: Vec<Seconds>,
    /// The last login of each hour that has one, in their order: logging in again and again makes nobody forget what came before.
    logins: Vec<Seconds>,
    /// In the order in which they came.
    devices: Vec<Device>,
    /// The last change.
    second_factor: Option<Seconds>,
}

impl Signals {
    /// Learns one.
    pub(crate) fn learn(&mut self, signal: &Signal) {
        let at = signal.at;
        match signal.what {
            What::FailedLogin => keep_latest(&mut self.failures, at, FAILURES),
            // The owner's: whoever has failed before was somebody else, or the owner mistyped.
            What::Login { known_device: true } => (),
            What::Login { known_device: false } => match self.logins.iter_mut().find(|login| hour(**login) == hour(at)) {
                Some(login) => *login = at.max(*login),
                None => keep_latest(&mut self.logins, at, LOGINS),
            },
            What::Device { device, level } => self.enrol(Device { since: at, key: device, level }),
            What::SecondFactor(_) => self.second_factor = self.second_factor.max(Some(at)),
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

    /// Failed logins of the `length` seconds up to `at`.
    pub(crate) fn failures(&self, at: Seconds, length: Seconds) -> usize {
        let after = at.saturating_sub(length);
        self.failures.iter().filter(|failure| (after.saturating_add(1)..=at).contains(*failure)).count()
    }

    /// Seconds since the last failed login.
    pub(crate) fn since_failure(&self, at: Seconds) -> Option<Seconds> {
        self.failures.iter().rev().find(|failure| **failure <= at).map(|failure| at.saturating_sub(*failure))
    }

    /// The most failed logins that came in the two hours before one login of the last day that was on no known device. Two, because of the logins of an hour the last is known.
    pub(crate) fn failures_before_login(&self, at: Seconds) -> usize {
        let day = at.saturating_sub(DAY)..=at;
        let logins = self.logins.iter().filter(|login| day.contains(*login));
        logins.map(|login| self.failures(*login, 2 * HOUR)).max().unwrap_or(0) // Default: nobody has logged in
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

    /// How well the key of this device is kept, if anybody has said.
    pub(crate) fn level(&self, device: Option<Key>) -> Option<KeyProtection> {
        self.devices.iter().find(|known| Some(known.key) == device).map(|known| known.level)
    }

    /// Seconds since a second factor was added, removed, or stood in for.
    pub(crate) fn since_second_factor(&self, at: Seconds) -> Option<Seconds> {
        self.second_factor.map(|changed| at.saturating_sub(changed).max(0))
    }
}

fn hour(at: Seconds) -> i64 {
    at.div_euclid(HOUR)
}

/// Puts `at` at its place, and forgets the earliest if there are too many.
fn keep_latest(times: &mut Vec<Seconds>, at: Seconds, most: usize) {
    let place = times.partition_point(|past| *past <= at);
    times.insert(place, at);
    if times.len() > most {
        times.remove(0);
    }
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
            folded.learn(&Signal { at: *at, user: 1, what: *what });
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
        assert_eq!(told(&all).failures(NOON + 300, 5 * 60), 5, "the first is five whole minutes ago");
        assert_eq!(told(&all).since_failure(NOON + 330), Some(30));
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

    proptest! {
        #[test]
        fn whatever_comes_it_is_bounded_and_the_order_does_not_matter(
            (all, shuffled) in signals().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
        ) {
            let folded = told(&all);
            prop_assert_eq!(&told(&shuffled), &folded);
            prop_assert!(folded.failures.len() <= FAILURES && folded.logins.len() <= LOGINS && folded.devices.len() <= DEVICES);
        }

        /// One more failure or a later change never makes anything look more honest.
        #[test]
        fn more_of_what_is_suspicious_is_never_less(all in signals(), late in 0..DAY) {
            let (before, now) = (told(&all), NOON + DAY);
            let with = |what: What| {
                let mut more = before.clone();
                more.learn(&Signal { at: NOON + late, user: 1, what });
                more
            };
            let failed = with(What::FailedLogin);
            prop_assert!(failed.failures(now, HOUR) >= before.failures(now, HOUR));
            prop_assert!(failed.failures_before_login(now) >= before.failures_before_login(now));
            prop_assert!(before.since_failure(now).is_none_or(|since| failed.since_failure(now).is_some_and(|less| less <= since)));
            let changed = with(What::SecondFactor(Change::Removed)).since_second_factor(now);
            prop_assert!(before.since_second_factor(now).is_none_or(|since| changed.is_some_and(|less| less <= since)));
        }
    }
}
