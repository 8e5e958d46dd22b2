//! How much of something there is: a number of units that come back at an even pace. The arithmetic is the Generic Cell Rate Algorithm
//! (ITU-T I.371, virtual scheduling), in whole microseconds.
//!
//! What is remembered of a key is one number, the time at which all of its units will be there again: a unit that is taken puts it off by the time
//! that one unit needs to come back. It lies in the past for whoever has taken nothing lately, so a key that is not remembered has all of them.
//!
//! What holds, whatever is asked and when, as long as time does not go back:
//! - over any interval at most all units are given, and those that come back in it;
//! - whoever has never asked for more than that is not refused;
//! - a debt is at most all units once more: nobody who made others fail at something is shut out for longer than twice the time of all units.

use std::time::Duration;

use runtime::Clock;
use tokio::time::Instant;

use super::Taken;

/// A point in time, in microseconds since 1970: what limits are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// As a `runtime::Clock` tells it. Whole seconds are too coarse: all of a second would come at once.
    pub const fn unix_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    pub(crate) const fn micros(self) -> i64 {
        self.0
    }
}

/// A clock that nobody sets, which began at what another one showed: by one that was set back, limits would shut everybody out.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    began: (i64, Instant),
}

impl SteadyClock {
    /// From what `clock` shows now.
    pub fn of(clock: &dyn Clock) -> Self {
        Self { began: (clock.unix_millis(), Instant::now()) }
    }

    /// What it shows.
    pub fn now(&self) -> Moment {
        let (then, began) = self.began;
        // Default: what no clock shows.
        let since = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Moment::unix_millis(then.saturating_add(since))
    }
}

/// Units that come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    units: u32,
    /// Microseconds in which one unit comes back.
    pace: i64,
}

/// What became of one demand on a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judged {
    /// When all units would be there again, had nothing been demanded.
    pub(crate) before: i64,
    /// When all units will be there again, if what was demanded is taken, as far as debt may go.
    pub(crate) full_at: i64,
    /// Microseconds until what was demanded is there: none if it is there now.
    pub(crate) wait: i64,
}

impl Judged {
    /// What is taken with that: less than was demanded where the debt is as deep as it can be.
    pub(crate) fn taken(self) -> Taken {
        Taken::new(self.full_at.saturating_sub(self.before))
    }
}

impl Quota {
    /// The most units, so that all sums stay exact, here and in the doubles of a Redis script.
    pub const MOST_UNITS: u32 = 1_000_000;
    /// The longest time in which all units come back.
    pub const LONGEST: Duration = Duration::from_hours(24 * 31);

    /// `units`, all of which come back within `window`. For constants: a quota that is none does not compile there.
    ///
    /// # Panics
    /// If [`Quota::checked`] finds no quota in it.
    #[expect(clippy::panic, reason = "while compiling")]
    pub const fn new(units: u32, window: Duration) -> Self {
        match Self::checked(units, window) {
            Some(quota) => quota,
            None => panic!("a quota has 1 to 1,000,000 units, which come back in at most 31 days"),
        }
    }

    /// `units`, all of which come back within `window`; none if there are too few or too many of either. The time of one unit is rounded up to
    /// the microsecond: never is more given than was said.
    pub const fn checked(units: u32, window: Duration) -> Option<Self> {
        let micros = window.as_micros();
        if units == 0 || units > Self::MOST_UNITS || micros == 0 || micros > Self::LONGEST.as_micros() {
            return None;
        }
        // Fits: 31 days are less than 2^42 microseconds.
        #[expect(clippy::cast_possible_truncation, reason = "at most 31 days")]
        Some(Self { units, pace: (micros as i64 + units as i64 - 1) / units as i64 })
    }

    /// How many units there are.
    pub const fn units(self) -> u32 {
        self.units
    }

    /// The time in which all units come back.
    pub fn window(self) -> Duration {
        Duration::from_micros(self.all().unsigned_abs())
    }

    /// Microseconds in which one unit comes back.
    pub(crate) const fn pace(self) -> i64 {
        self.pace
    }

    /// Microseconds in which all units come back; at most 31 days and a second.
    pub(crate) const fn all(self) -> i64 {
        self.pace * self.units as i64
    }

    /// Whether `needs` units are there at `now`, and what is to be remembered when `takes` are taken, be they there or not. None if the numbers are
    /// beyond what can be reckoned with.
    pub(crate) fn judge(self, full_at: Option<i64>, now: i64, needs: u32, takes: u32) -> Option<Judged> {
        let before = self.as_of(full_at, now)?;
        let there = now.checked_add(self.all())?.checked_sub(before)?;
        let wait = self.time_of(needs)?.checked_sub(there)?.max(0);
        Some(Judged { before, full_at: before.checked_add(self.time_of(takes)?)?.min(self.latest(now)?), wait })
    }

    /// What is to be remembered when something that was taken is given back.
    pub(crate) fn give_back(self, full_at: Option<i64>, now: i64, taken: Taken) -> Option<i64> {
        Some(self.as_of(full_at, now)?.checked_sub(taken.micros())?.max(now))
    }

    /// How many whole units are there when all of them will be there in so many microseconds.
    pub(crate) fn left(self, full_in: i64) -> u32 {
        // Default: none, for whoever is in debt; more than all of them there cannot be.
        u32::try_from((self.all().saturating_sub(full_in)) / self.pace).unwrap_or(0).min(self.units)
    }

    /// What is remembered, as it counts at `now`. A time beyond the deepest debt comes from a clock that was set back since, and would shut out for
    /// as long as that.
    fn as_of(self, full_at: Option<i64>, now: i64) -> Option<i64> {
        // Default: all units of a key that is not remembered are there.
        Some(full_at.unwrap_or(now).min(self.latest(now)?).max(now))
    }

    fn latest(self, now: i64) -> Option<i64> {
        now.checked_add(self.all())?.checked_add(self.all())
    }

    /// Microseconds in which so many units come back.
    pub(crate) fn time_of(self, units: u32) -> Option<i64> {
        self.pace.checked_mul(i64::from(units))
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
