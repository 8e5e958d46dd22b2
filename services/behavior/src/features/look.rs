//! How each feature is read off a payment and the profiles.

use crate::events::{DAY, HOUR, MINUTE, Payment, Seconds, WEEK, figure};
use crate::features::Feature;
use crate::profiles::payee::Run;
use crate::profiles::{PayeeProfile, UserProfile};

/// The least amount that something is divided by: a cent.
const CENT: f64 = 0.01;
/// More deviations than this above the usual is an outlier.
const OUTLIER: f64 = 3.0;
/// What is said of a payee without known frauds.
const NO_RUN: Run = Run { age: 99.0, silence: 99.0, frauds: 0.0, share: 0.0 };

/// The value of one feature.
pub(super) fn value(feature: Feature, payment: &Payment, user: &UserProfile, payee: &PayeeProfile) -> f64 {
    let at = payment.at;
    let amount = payment.counted();
    let count = |length| figure(user.recent.within(at, length).zip(1..).last().map_or(0, |(_, count)| count)); // Default: none
    let run = || payee.run(at).unwrap_or(NO_RUN); // Default: no frauds are known
    match feature {
        Feature::Amount => amount,
        Feature::AmountDeviations => user.amounts.deviations(amount),
        Feature::AmountRatio => amount / median(user, amount).0.max(CENT),
        Feature::AmountRobust => robust(user, amount),
        Feature::AmountOverMax => over_greatest(user, at, amount),
        Feature::Count1m => count(MINUTE),
        Feature::Count1h => count(HOUR),
        Feature::Count24h => count(DAY),
        Feature::Count7d => count(WEEK),
        Feature::Sum24hRatio => {
            let usual = (sum(user, at, WEEK) / 7.0).max(median(user, amount).0).max(CENT);
            (sum(user, at, DAY) + amount) / usual
        }
        Feature::Outliers7d => {
            let outliers = user.recent.within(at, WEEK).filter(|past| past.deviations > OUTLIER);
            outliers.map(|_| 1.0).sum()
        }
        Feature::Deviation7d => user.recent.within(at, WEEK).map(|past| past.deviations).fold(0.0, f64::max),
        Feature::HourUsual => user.week.usual(at),
        Feature::HoursSinceLast => {
            let seconds = user.recent.last(at).map(|last| figure(at.saturating_sub(last.at)));
            seconds.map_or(720.0, |seconds| (seconds / figure(HOUR)).min(720.0)) // Default: as long ago as is told apart
        }
        Feature::PayeeCount => f64::from(user.payees.times(payment.payee)),
        Feature::KnownPayments => user.amounts.count(),
        Feature::PayeeRisk1d => payee.judged(at, 1).get(),
        Feature::PayeeRisk7d => payee.judged(at, 7).get(),
        Feature::PayeeRisk30d => payee.judged(at, 30).get(),
        Feature::PayeePaid30d => payee.paid(at, 30),
        Feature::PayeeRunFrauds => run().frauds,
        Feature::PayeeRunShare => run().share,
        Feature::PayeeRunDays => run().age.clamp(0.0, 99.0),
        Feature::PayeeRunSilenceDays => run().silence.clamp(0.0, 99.0),
        Feature::PayeeSurge => payee.paid(at, 2) / (payee.paid(at, 30) / 15.0).max(1.0),
    }
}

/// Median and median absolute deviation of the user; of who is not known, the amount itself.
fn median(user: &UserProfile, amount: f64) -> (f64, f64) {
    user.recent.median().unwrap_or((amount, 0.0)) // Default: what is not known is not unusual
}

fn robust(user: &UserProfile, amount: f64) -> f64 {
    let (median, away) = median(user, amount);
    (amount - median) / (1.4826 * away).max(median / 20.0).max(CENT)
}

fn over_greatest(user: &UserProfile, at: Seconds, amount: f64) -> f64 {
    let greatest = user.recent.within(at, WEEK).map(|past| past.amount).fold(0.0, f64::max);
    if greatest > 0.0 { amount / greatest.max(CENT) } else { 1.0 }
}

fn sum(user: &UserProfile, at: Seconds, length: Seconds) -> f64 {
    user.recent.within(at, length).map(|past| past.amount).sum()
}
