//! How good is it? Past payments are played as if they happened now, and what was said of each is held against what turned out.

mod dataset;
pub mod metrics;

pub use dataset::{DatasetError, Played, Replay};

use std::collections::HashSet;

use crate::backtest::metrics::Scored;
use crate::events::Key;
use crate::judgement::Judge;

/// Which days train and which test, counted from the data's first day, and which users are left out of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The first day of training.
    pub train_from: i64,
    /// How many days train.
    pub train_days: i64,
    /// How many days pass until what was fraud is known.
    pub delay_days: i64,
    /// How many days test.
    pub test_days: i64,
}

impl Split {
    /// The split of the published figures: training from 2018-07-25 for 7 days, 7 days until frauds are known, 7 days of test.
    pub const PUBLISHED: Self = Self { train_from: 115, train_days: 7, delay_days: 7, test_days: 7 };

    fn test_from(self) -> i64 {
        self.train_from + self.train_days + self.delay_days
    }

    /// Whether a day trains.
    #[must_use]
    pub fn trains(self, day: i64) -> bool {
        (self.train_from..self.train_from + self.train_days).contains(&day)
    }

    /// Whether a day tests.
    #[must_use]
    pub fn tests(self, day: i64) -> bool {
        (self.test_from()..self.test_from() + self.test_days).contains(&day)
    }

    /// Whether everything that is needed has been seen before this day.
    #[must_use]
    pub fn is_over(self, day: i64) -> bool {
        day >= self.test_from() + self.test_days
    }

    /// The first day of test on which nobody looks any more at a user who had a fraud on `day`: on that day the bank knows, and has blocked the card.
    fn known_from(self, day: i64) -> Option<i64> {
        let test_day = day - (self.train_from + self.train_days - 1);
        match day {
            day if self.trains(day) => Some(self.test_from()),
            _ if (0..self.test_days).contains(&test_day) => Some(self.test_from() + test_day),
            _ => None,
        }
    }
}

/// Plays the payments of a data set and scores those that test, once by each judge.
///
/// # Errors
/// [`DatasetError`]: a line cannot be read.
pub fn run<R: std::io::BufRead>(data: R, split: Split, judges: &[Judge<'_>]) -> Result<Vec<Vec<Scored>>, DatasetError> {
    let mut scored = vec![Vec::new(); judges.len()];
    let mut compromised: Vec<(i64, Key)> = Vec::new();
    let mut known: HashSet<Key> = HashSet::new();
    let mut today = i64::MIN;
    for played in Replay::new(data)? {
        let Played { day, user, fraud, features } = played?;
        if split.is_over(day) {
            break;
        }
        if day != today {
            today = day;
            let blocked = compromised.iter().filter(|(from, _)| *from <= today);
            known.extend(blocked.map(|(_, user)| *user));
        }
        if split.tests(day) && !known.contains(&user) {
            for (judge, scored) in judges.iter().zip(&mut scored) {
                scored.push(Scored { day, user, fraud, score: judge.judge(&features).score });
            }
        }
        if fraud && let Some(from) = split.known_from(day) {
            compromised.push((from, user));
        }
    }
    Ok(scored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraud_blocks_its_user_when_it_is_known_and_not_before() {
        let split = Split::PUBLISHED;
        assert!(split.trains(121) && !split.trains(122) && !split.tests(128) && split.tests(129) && split.tests(135));
        assert_eq!(split.known_from(115), Some(129), "a fraud of training is known when the test begins");
        assert_eq!(split.known_from(122), Some(130), "one of the next day is known a day later");
        assert_eq!(split.known_from(127), Some(135));
        assert_eq!(split.known_from(128), None, "known only after the test");
        assert_eq!(split.known_from(114), None, "before training nobody counted");
    }
}
