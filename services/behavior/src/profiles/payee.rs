//! Who is paid: how often, and how much of it was fraud as far as anybody knows by now.

use crate::events::{DAY, Fraud, Seconds, figure};

/// So many days are kept.
const DAYS: i64 = 48;
/// A payment that nobody complained about for so many days is judged honest.
const LABEL_DELAY: i64 = 7;
/// Frauds that lie further apart than so many days are two stories.
const APART: i64 = 14;

/// The payments and frauds of each of the last [`DAYS`] days, UTC, and the frauds that go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayeeProfile {
    /// The counts of the days up to `newest`, oldest first.
    days: Vec<Day>,
    newest: i64,
    /// First and last day of the frauds that are known and lie no more than [`APART`] days apart.
    run: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Day {
    payments: u16,
    frauds: u16,
}

/// How many frauds among how many payments.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Share {
    frauds: f64,
    payments: f64,
}

impl Share {
    /// 0 when there was no payment.
    pub(crate) fn get(self) -> f64 {
        if self.payments > 0.0 { self.frauds / self.payments } else { 0.0 }
    }
}

/// Frauds of one payee that go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    /// Days since the first.
    pub(crate) age: f64,
    /// Days since the last that is known.
    pub(crate) silence: f64,
    /// How many are known.
    pub(crate) frauds: f64,
    /// Their share of the judged payments since the first.
    pub(crate) share: f64,
}

impl PayeeProfile {
    /// The share of fraud in the payments of `length` days that are old enough to be judged.
    pub(crate) fn judged(&self, at: Seconds, length: i64) -> Share {
        let until = day(at) - LABEL_DELAY;
        self.sum(until - length + 1, until)
    }

    /// Payments of the last `length` days, today's included.
    pub(crate) fn paid(&self, at: Seconds, length: i64) -> f64 {
        self.sum(day(at) - length + 1, day(at)).payments
    }

    /// The frauds that go on, as far as they are known.
    pub(crate) fn run(&self, at: Seconds) -> Option<Run> {
        let (first, last) = self.run?;
        let today = day(at);
        let since = self.sum(first, (today - LABEL_DELAY).max(last));
        Some(Run {
            age: figure(today - first),
            silence: figure(today - last),
            frauds: since.frauds,
            share: since.get(),
        })
    }

    /// Counts a payment.
    pub(crate) fn count(&mut self, at: Seconds) {
        if let Some(day) = self.counts_of(day(at)) {
            day.payments = day.payments.saturating_add(1);
        }
    }

    /// Learns that a payment was fraud. They come in any order.
    pub(crate) fn learn(&mut self, fraud: &Fraud) {
        let paid = day(fraud.paid_at);
        if let Some(day) = self.counts_of(paid) {
            day.frauds = day.frauds.saturating_add(1);
        }
        self.run = Some(match self.run {
            None => (paid, paid),
            Some((_, last)) if paid > last + APART => (paid, paid),
            Some((first, last)) if paid < first - APART => (first, last), // an old story, told late
            Some((first, last)) => (first.min(paid), last.max(paid)),
        });
    }

    /// Takes back what was learned of a payment. What goes on is then made of the days that are still kept.
    pub(crate) fn unlearn(&mut self, fraud: &Fraud) {
        let Some(day) = self.counts_of(day(fraud.paid_at)) else { return };
        day.frauds = day.frauds.saturating_sub(1);
        if day.frauds > 0 {
            return;
        }
        let newest = self.newest;
        let days = self.days.iter().rev().zip(0..).filter(|(day, _)| day.frauds > 0).map(|(_, past)| newest - past);
        self.run = days.fold(None, |run, day| match run {
            None => Some((day, day)),
            Some((first, last)) if first - day <= APART => Some((day, last)),
            told => told,
        });
    }

    fn sum(&self, from: i64, until: i64) -> Share {
        let mut sum = Share::default();
        for (day, past) in self.days.iter().rev().zip(0..) {
            if (from..=until).contains(&(self.newest - past)) {
                sum.frauds += f64::from(day.frauds);
                sum.payments += f64::from(day.payments);
            }
        }
        sum
    }

    /// A day's counts; nothing for one that is too long ago.
    fn counts_of(&mut self, day: i64) -> Option<&mut Day> {
        if self.days.is_empty() {
            self.newest = day;
            self.days.push(Day::default());
        }
        let ahead = day - self.newest;
        if ahead > 0 {
            let keep = usize::try_from(DAYS).ok()?; // Lost: a constant that fits
            let new = usize::try_from(ahead.min(DAYS)).ok()?; // Lost: between 1 and DAYS
            self.days.resize(self.days.len() + new, Day::default());
            self.days.drain(..self.days.len().saturating_sub(keep));
            self.newest = day;
        }
        let past = usize::try_from(self.newest - day).ok()?; // Lost: not negative, newest is the greatest
        let missing = (past + 1).saturating_sub(self.days.len());
        if past >= usize::try_from(DAYS).ok()? {
            return None;
        }
        self.days.splice(..0, std::iter::repeat_n(Day::default(), missing));
        self.days.iter_mut().rev().nth(past)
    }
}

/// The day since 1970-01-01, UTC.
fn day(at: Seconds) -> i64 {
    at.div_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid_daily(days: std::ops::Range<i64>) -> PayeeProfile {
        let mut payee = PayeeProfile::default();
        days.for_each(|day| payee.count(day * DAY));
        payee
    }

    fn fraud(payee: &mut PayeeProfile, day: i64) {
        payee.learn(&Fraud { paid_at: day * DAY, payee: 0 });
    }

    #[test]
    fn a_payment_of_the_last_week_is_not_judged_yet() {
        let mut payee = paid_daily(0..20);
        fraud(&mut payee, 15);
        let today = 20 * DAY;
        assert_eq!(payee.judged(today, 7), Share { frauds: 0.0, payments: 7.0 }, "days 7 to 13");
        assert_eq!(payee.judged(today + 2 * DAY, 1), Share { frauds: 1.0, payments: 1.0 }, "day 15");
        assert_eq!(payee.paid(19 * DAY, 7).total_cmp(&7.0), std::cmp::Ordering::Equal);
    }

    #[test]
    fn frauds_that_go_on_are_one_run_and_an_old_one_is_another_story() {
        let mut payee = paid_daily(0..40);
        for day in [30, 28, 2, 35] {
            fraud(&mut payee, day);
        }
        let run = payee.run(40 * DAY);
        // Judged by now: days 28 to 35; 3 frauds of 8 payments.
        assert_eq!(run, Some(Run { age: 12.0, silence: 5.0, frauds: 3.0, share: 3.0 / 8.0 }));
        fraud(&mut payee, 50);
        assert_eq!(payee.run(51 * DAY).map(|run| run.age), Some(1.0), "15 days later a new one begins");
    }

    #[test]
    fn a_fraud_that_was_none_leaves_no_trace_and_parts_what_it_held_together() {
        let mut payee = paid_daily(0..40);
        let clean = payee.clone();
        fraud(&mut payee, 20);
        let unlearn = |payee: &mut PayeeProfile, day: i64| payee.unlearn(&Fraud { paid_at: day * DAY, payee: 0 });
        unlearn(&mut payee, 20);
        assert_eq!(payee, clean);
        for day in [10, 22, 34, 34] {
            fraud(&mut payee, day);
        }
        unlearn(&mut payee, 34);
        assert_eq!(payee.run, Some((10, 34)), "there was another one on that day");
        unlearn(&mut payee, 22);
        assert_eq!(payee.run, Some((34, 34)), "24 days lie between the other two");
        unlearn(&mut payee, 34);
        assert_eq!(payee.run, Some((10, 10)));
    }

    #[test]
    fn late_early_and_absurd_days_neither_panic_nor_grow() {
        let mut payee = paid_daily(100..110);
        for at in [i64::MIN, -1, 0, 62 * DAY, 61 * DAY, 150 * DAY, i64::MAX, 7] {
            payee.count(at);
            payee.learn(&Fraud { paid_at: at, payee: 0 });
            assert!(payee.days.len() <= 48, "{} days", payee.days.len());
        }
        let mut late = paid_daily(100..101);
        late.count(60 * DAY);
        assert_eq!(late.paid(100 * DAY, 48).total_cmp(&2.0), std::cmp::Ordering::Equal, "40 days late is counted");
        late.count(52 * DAY);
        assert_eq!(late.paid(100 * DAY, 48).total_cmp(&2.0), std::cmp::Ordering::Equal, "48 days late is not");
    }
}
