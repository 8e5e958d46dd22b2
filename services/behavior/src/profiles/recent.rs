//! A user's last payments: velocity and the robust figures are made of them.

use std::collections::VecDeque;

use crate::events::{Seconds, WEEK};

/// So many are kept however old they are; of them the robust figures are made.
const KEPT: usize = 32;
/// Never more than these: who pays more often in a week counts as paying just so often.
const LIMIT: usize = 256;

/// A payment, as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Remembered {
    /// When.
    pub(crate) at: Seconds,
    /// How much, as statistics count it.
    pub(crate) amount: f64,
    /// How far above the usual it was when it was made, in deviations.
    pub(crate) deviations: f64,
}

/// The payments of a week, and at least the last [`KEPT`], in the order of their time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recent(VecDeque<Remembered>);

impl Recent {
    /// The payments of the `length` seconds up to `at`, newest first. An event that comes late does not see what came after it.
    pub(crate) fn within(&self, at: Seconds, length: Seconds) -> impl Iterator<Item = &Remembered> {
        let after = at.saturating_sub(length);
        self.0.iter().rev().skip_while(move |past| past.at > at).take_while(move |past| past.at > after)
    }

    /// The last one up to `at`.
    pub(crate) fn last(&self, at: Seconds) -> Option<&Remembered> {
        self.within(at, Seconds::MAX).next()
    }

    /// Median of the last [`KEPT`] amounts and their median absolute deviation from it; nothing if there is none.
    pub(crate) fn median(&self) -> Option<(f64, f64)> {
        let mut amounts: Vec<f64> = self.0.iter().rev().take(KEPT).map(|past| past.amount).collect();
        let median = middle(&mut amounts)?;
        let mut away: Vec<f64> = amounts.iter().map(|amount| (amount - median).abs()).collect();
        middle(&mut away).map(|away| (median, away))
    }

    /// Remembers a payment at its place in time, and forgets what is too old.
    pub(crate) fn remember(&mut self, at: Seconds, amount: f64, deviations: f64) {
        let place = self.0.partition_point(|past| past.at <= at);
        self.0.insert(place, Remembered { at, amount, deviations });
        let Some(newest) = self.0.back().map(|last| last.at) else { return };
        let old = newest.saturating_sub(WEEK);
        while self.0.len() > LIMIT || self.0.len() > KEPT && self.0.front().is_some_and(|first| first.at <= old) {
            self.0.pop_front();
        }
    }
}

/// The median; of an even number, the upper of the two in the middle.
fn middle(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    values.get(half)?;
    Some(*values.select_nth_unstable_by(half, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{DAY, MINUTE};

    fn amounts<'a>(of: impl Iterator<Item = &'a Remembered>) -> Vec<f64> {
        of.map(|past| past.amount).collect()
    }

    #[test]
    fn a_span_takes_what_is_inside_it_and_nothing_later() {
        let mut recent = Recent::default();
        // Out of order: the third one comes late.
        for (at, amount) in [(100, 1.0), (200, 2.0), (150, 3.0), (260, 4.0)] {
            recent.remember(at, amount, 0.0);
        }
        assert_eq!(amounts(recent.within(200, MINUTE)), [2.0, 3.0]);
        assert_eq!(amounts(recent.within(160, MINUTE)), [3.0], "100 is a whole minute ago");
        assert_eq!(recent.last(159).map(|past| past.at), Some(150));
        assert_eq!(recent.last(99), None);
    }

    #[test]
    fn a_week_is_kept_and_the_last_32_and_never_more_than_256() {
        let mut recent = Recent::default();
        (0..100).for_each(|day| recent.remember(day * DAY, 1.0, 0.0));
        assert_eq!(recent.0.len(), KEPT);
        (0..1_000).for_each(|second| recent.remember(100 * DAY + second, 1.0, 0.0));
        assert_eq!(recent.0.len(), LIMIT);
    }

    #[test]
    fn half_of_the_amounts_may_be_absurd_before_the_median_is() {
        let mut recent = Recent::default();
        (0..32).for_each(|n| recent.remember(n, if n % 2 == 0 { 1e12 } else { 10.0 }, 0.0));
        recent.remember(40, 10.0, 0.0);
        assert_eq!(recent.median().map(|(median, _)| median), Some(10.0));
    }
}
