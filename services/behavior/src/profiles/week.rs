//! At which hours a user pays.

use crate::events::{HOUR, Seconds};

const HOURS: usize = 24 * 7;
/// All counts are halved when one of them comes so far: what was long ago fades.
const FULL: u8 = 250;

/// A histogram of the week's 168 hours, UTC, from Monday on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Week([u8; HOURS]);

impl Default for Week {
    fn default() -> Self {
        Self([0; HOURS])
    }
}

/// The hour of the week: 0 is Monday 00:00 to 01:00 UTC.
fn hour_of_week(at: Seconds) -> usize {
    // 1970-01-01 was a Thursday, three days after a Monday.
    let hours = (at.div_euclid(HOUR) + 3 * 24).rem_euclid(7 * 24);
    usize::try_from(hours).unwrap_or(0) // Default: cannot be, it is 0 to 167
}

impl Week {
    /// How much this user pays at this hour of the day and the hours beside it, against somebody to whom all hours are alike: 1 is as usual, towards 0 is never.
    /// The week's days are taken together, for most people's payments are too few to tell them apart.
    pub(crate) fn usual(&self, at: Seconds) -> f64 {
        let hour = hour_of_week(at) % 24;
        let total: f64 = self.0.iter().map(|count| f64::from(*count)).sum();
        let near = self.at_hour(hour) + f64::midpoint(self.at_hour((hour + 1) % 24), self.at_hour((hour + 23) % 24));
        // Everybody starts with one payment at each hour, or a second payment would be at a strange time.
        (near + 2.0) / (total + 24.0) * 12.0
    }

    fn at_hour(&self, hour: usize) -> f64 {
        self.0.iter().skip(hour).step_by(24).map(|count| f64::from(*count)).sum()
    }

    /// Counts a payment.
    pub(crate) fn count(&mut self, at: Seconds) {
        let Some(bin) = self.0.get_mut(hour_of_week(at)) else { return };
        *bin += 1;
        if *bin >= FULL {
            self.0.iter_mut().for_each(|bin| *bin /= 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::DAY;

    #[test]
    fn hours_count_from_monday_midnight() {
        assert_eq!(hour_of_week(0), 3 * 24, "1970-01-01 00:00, a Thursday");
        assert_eq!(hour_of_week(-1), 3 * 24 - 1);
        assert_eq!(hour_of_week(4 * DAY), 0, "Monday");
    }

    #[test]
    fn the_night_of_who_pays_by_day_is_strange_and_the_day_is_not() {
        let mut week = Week::default();
        assert_eq!(week.usual(0).total_cmp(&1.0), std::cmp::Ordering::Equal, "nobody is known");
        (0..100).for_each(|day| week.count(day * DAY + (9 + day % 8) * HOUR));
        assert!(week.usual(3 * HOUR) < 0.25, "{}", week.usual(3 * HOUR));
        assert!(week.usual(12 * HOUR) > 2.0, "{}", week.usual(12 * HOUR));
    }

    #[test]
    fn counts_fade_and_never_overflow() {
        let mut week = Week::default();
        (0..10_000).for_each(|_| week.count(0));
        assert!(week.0.iter().all(|bin| *bin < FULL));
    }
}
