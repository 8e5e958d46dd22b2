//! Where a user was: countries and networks from which somebody logged in, or went on, as the user. Whatever order it came in, it makes the same, and it is bounded.

use std::cmp::Reverse;

use api::behavior::Country;

use crate::events::{HOUR, Key, MINUTE, Place, Seconds, figure};
use crate::places;

/// Of countries and of networks, so many are kept that came first, and so many that came last. One beyond those that came first is a new one always.
const KEPT: usize = 32;

/// Things that were seen, each with a time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen<T> {
    /// When each was seen first: the earliest of these times, in their order.
    first: Vec<(Seconds, T)>,
    /// When each was seen last: the latest of these times, the latest first.
    last: Vec<(Seconds, T)>,
}

// Not derived: `T` has no default.
impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { first: Vec::new(), last: Vec::new() }
    }
}

impl<T: Copy + Ord> Seen<T> {
    fn learn(&mut self, at: Seconds, what: T) {
        match self.first.iter_mut().find(|(_, known)| *known == what) {
            Some((first, _)) => *first = at.min(*first),
            None => self.first.push((at, what)),
        }
        self.first.sort_unstable();
        self.first.truncate(KEPT);
        match self.last.iter_mut().find(|(_, known)| *known == what) {
            Some((last, _)) => *last = at.max(*last),
            None => self.last.push((at, what)),
        }
        self.last.sort_unstable_by_key(|seen| Reverse(*seen));
        self.last.truncate(KEPT);
    }

    /// Seconds since it was seen first, as far as it was before. None where it is nothing to wonder about: nothing was ever seen, or it is the first of all.
    fn age(&self, what: T, at: Seconds) -> Option<Seconds> {
        let (_, home) = self.first.first()?;
        if *home == what {
            return None;
        }
        let known = self.first.iter().find(|(_, known)| *known == what);
        Some(known.map_or(0, |(first, _)| at.saturating_sub(*first).max(0))) // Default: it was never seen
    }

    /// The others, each with the seconds that lie between then and now, whichever was before.
    fn others(&self, what: T, at: Seconds) -> impl Iterator<Item = (u64, T)> {
        self.last.iter().filter(move |(_, other)| *other != what).map(move |(last, other)| (at.abs_diff(*last), *other))
    }

    fn others_within_an_hour(&self, what: T, at: Seconds) -> usize {
        self.others(what, at).filter(|(away, _)| *away <= HOUR.unsigned_abs()).count()
    }
}

/// What is remembered of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    countries: Seen<Country>,
    networks: Seen<Key>,
}

impl Whereabouts {
    /// The user was there.
    pub(crate) fn learn(&mut self, at: Seconds, place: Place) {
        self.countries.learn(at, place.country);
        if let Some(network) = place.network {
            self.networks.learn(at, network);
        }
    }

    /// Seconds since the user was first in that country; None where that is nothing to wonder about.
    pub(crate) fn country_age(&self, place: Place, at: Seconds) -> Option<Seconds> {
        self.countries.age(place.country, at)
    }

    /// The same of that network.
    pub(crate) fn network_age(&self, place: Place, at: Seconds) -> Option<Seconds> {
        self.networks.age(place.network?, at)
    }

    /// Other countries in which the user was within an hour of it.
    pub(crate) fn countries_around(&self, place: Place, at: Seconds) -> usize {
        self.countries.others_within_an_hour(place.country, at)
    }

    /// Other networks, likewise.
    pub(crate) fn networks_around(&self, place: Place, at: Seconds) -> usize {
        place.network.map_or(0, |network| self.networks.others_within_an_hour(network, at)) // Default: it is not known which
    }

    /// How fast (km/h) somebody is at least who was where the user was last in another country, and is here now: the greatest of these. Clocks differ, so less than a
    /// minute is one.
    pub(crate) fn speed(&self, place: Place, at: Seconds) -> f64 {
        let speeds = self.countries.others(place.country, at).map(|(away, other)| {
            let away = figure(i64::try_from(away).unwrap_or(i64::MAX)).max(figure(MINUTE)); // Default: as long as can be
            places::least_distance(other, place.country) / (away / figure(HOUR))
        });
        speeds.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::events::DAY;

    const NOON: Seconds = 1_700_000_000;

    fn place(country: &str, network: Option<Key>) -> Place {
        Place { country: country.parse().unwrap(), network }
    }

    fn been(places: &[(Seconds, &str, Key)]) -> Whereabouts {
        let mut been = Whereabouts::default();
        for (at, country, network) in places {
            been.learn(*at, place(country, Some(*network)));
        }
        been
    }

    #[test]
    fn the_first_country_is_nothing_to_wonder_about_and_a_later_one_is_as_old_as_it_is() {
        let been = been(&[(NOON, "DE", 1), (NOON + DAY, "SG", 2), (NOON + 2 * DAY, "SG", 2)]);
        let now = NOON + 3 * DAY;
        assert_eq!(been.country_age(place("DE", None), now), None, "the first");
        assert_eq!(been.country_age(place("SG", None), now), Some(2 * DAY));
        assert_eq!(been.country_age(place("BR", None), now), Some(0), "never seen");
        assert_eq!(been.network_age(place("BR", Some(2)), now), Some(2 * DAY));
        assert_eq!(been.network_age(place("BR", None), now), None, "the table does not say whose it is");
        assert_eq!(Whereabouts::default().country_age(place("BR", None), now), None, "no place of the user is known");
    }

    #[test]
    fn who_flew_was_no_faster_than_a_plane_and_who_is_on_two_continents_at_once_was() {
        let been = been(&[(NOON, "DE", 1)]);
        let (there, plane) = (place("SG", None), 1_000.0);
        assert!(been.speed(there, NOON + 12 * HOUR) < plane, "Frankfurt to Singapore takes so long");
        assert!(been.speed(there, NOON + 5 * MINUTE) > plane);
        assert!(been.speed(there, NOON) > been.speed(there, NOON + MINUTE * 5), "the nearer, the faster");
        assert!(been.speed(there, NOON).is_finite());
        for near in ["DE", "FR", "ZZ"] {
            assert!(been.speed(place(near, None), NOON + 1) < plane, "{near}");
        }
        assert!(Whereabouts::default().speed(there, NOON).abs() < f64::EPSILON);
    }

    /// A thief who logs in before paying does not make the owner's whereabouts forgotten.
    #[test]
    fn whoever_was_seen_there_meanwhile_was_seen_here_as_well() {
        let been = been(&[(NOON, "DE", 1), (NOON + 300, "SG", 2)]);
        assert!(been.speed(place("SG", Some(2)), NOON + 600) > 1_000.0);
        assert_eq!(been.countries_around(place("SG", Some(2)), NOON + 600), 1);
        assert_eq!(been.networks_around(place("SG", Some(2)), NOON + 600), 1);
        assert_eq!(been.networks_around(place("SG", Some(2)), NOON + 2 * HOUR), 0);
    }

    proptest! {
        #[test]
        fn in_whatever_order_it_comes_it_makes_the_same_and_is_bounded(
            all in proptest::collection::vec((0..400_i64, 0..26_u8, 0..3_u8, 0..60_u64), 0..300),
            seed in any::<u64>(),
        ) {
            let all: Vec<(Seconds, String, Key)> = all
                .into_iter()
                .map(|(at, one, other, network)| (at, String::from_utf8_lossy(&[b'A' + one, b'A' + other]).into_owned(), network))
                .collect();
            let mut shuffled = all.clone();
            shuffled.sort_by_key(|(at, country, network)| {
                network.wrapping_mul(seed | 1).rotate_left(7) ^ at.unsigned_abs().wrapping_mul(seed) ^ u64::from(country.as_bytes()[0])
            });
            let fold = |all: &[(Seconds, String, Key)]| {
                let borrowed: Vec<_> = all.iter().map(|(at, country, network)| (*at, country.as_str(), *network)).collect();
                been(&borrowed)
            };
            let whole = fold(&all);
            prop_assert_eq!(&whole, &fold(&shuffled));
            for length in [whole.countries.first.len(), whole.countries.last.len(), whole.networks.first.len(), whole.networks.last.len()] {
                prop_assert!(length <= KEPT);
            }
        }

        /// Having been somewhere else as well never makes a place look more usual.
        #[test]
        fn another_place_makes_nothing_look_more_usual(
            all in proptest::collection::vec((0..20_i64, 0..4_usize), 0..12), more in (0..20_i64, 0..4_usize),
        ) {
            const COUNTRIES: [&str; 5] = ["BR", "DE", "SG", "US", "ZA"];
            let here = place("ZA", Some(99));
            let mut before = been(&[(0, "DE", 1)]);
            for (hour, country) in all {
                before.learn(hour * HOUR, place(COUNTRIES[country], Some(hour.unsigned_abs())));
            }
            let mut after = before.clone();
            after.learn(more.0 * HOUR, place(COUNTRIES[more.1], Some(more.0.unsigned_abs())));
            for at in [10 * HOUR, 30 * HOUR] {
                prop_assert!(after.country_age(here, at) <= before.country_age(here, at));
                prop_assert!(after.network_age(here, at) <= before.network_age(here, at));
            }
            // At the end of all that is known: what is seen later still is nearer, not further.
            prop_assert!(after.speed(here, 21 * HOUR) >= before.speed(here, 21 * HOUR));
            prop_assert!(after.countries_around(here, 21 * HOUR) >= before.countries_around(here, 21 * HOUR));
            prop_assert!(after.networks_around(here, 21 * HOUR) >= before.networks_around(here, 21 * HOUR));
        }
    }
}
