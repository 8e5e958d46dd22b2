//! How each feature is read off a payment and the profiles.

use crate::events::{DAY, HOUR, KeyProtection, MINUTE, Origin, Payment, Place, Seconds, WEEK, figure};
use crate::features::Feature;
use crate::profiles::payee::Run;
use crate::profiles::{PayeeProfile, Signals, UserProfile, Whereabouts};

/// The least amount that something is divided by: a cent.
const CENT: f64 = 0.01;
/// More deviations than this above the usual is an outlier.
const OUTLIER: f64 = 3.0;
/// What is said of a payee without known frauds.
const NO_RUN: Run = Run { age: 99.0, silence: 99.0, frauds: 0.0, share: 0.0 };

/// A payment beside what is known of who pays and who is paid; what several features ask for is worked out once.
pub(super) struct Look<'a> {
    payment: &'a Payment,
    origin: Origin,
    user: &'a UserProfile,
    payee: &'a PayeeProfile,
    amount: f64,
    /// Median of the user's amounts, and their median absolute deviation from it.
    median: f64,
    away: f64,
    run: Run,
}

impl<'a> Look<'a> {
    pub(super) fn at(payment: &'a Payment, origin: Origin, user: &'a UserProfile, payee: &'a PayeeProfile) -> Self {
        let amount = payment.counted();
        let (median, away) = user.recent.median().unwrap_or((amount, 0.0)); // Default: what is not known is not unusual
        let run = payee.run(payment.at).unwrap_or(NO_RUN); // Default: no frauds are known
        Self { payment, origin, user, payee, amount, median, away, run }
    }

    /// The value of one feature.
    pub(super) fn value(&self, feature: Feature) -> f64 {
        let Self { payment, user, payee, amount, median, run, .. } = *self;
        let at = payment.at;
        match feature {
            Feature::Amount => amount,
            Feature::AmountDeviations => user.amounts.deviations(amount),
            Feature::AmountRatio => amount / median.max(CENT),
            Feature::AmountRobust => (amount - median) / (1.4826 * self.away).max(median / 20.0).max(CENT),
            Feature::AmountOverMax => self.over_greatest(),
            Feature::Count1m => self.count(MINUTE),
            Feature::Count1h => self.count(HOUR),
            Feature::Count24h => self.count(DAY),
            Feature::Count7d => self.count(WEEK),
            Feature::Sum24hRatio => (self.sum(DAY) + amount) / (self.sum(WEEK) / 7.0).max(median).max(CENT),
            Feature::Outliers7d => counted(user.recent.within(at, WEEK).filter(|past| past.deviations > OUTLIER)),
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
            Feature::PayeeRunFrauds => run.frauds,
            Feature::PayeeRunShare => run.share,
            Feature::PayeeRunDays => run.age.clamp(0.0, 99.0),
            Feature::PayeeRunSilenceDays => run.silence.clamp(0.0, 99.0),
            Feature::PayeeSurge => payee.paid(at, 2) / (payee.paid(at, 30) / 15.0).max(1.0),
            Feature::DeviceDays => days(self.signals().and_then(|signals| signals.device_age(self.origin.device, at))),
            Feature::NewestDeviceDays => days(self.signals().and_then(|signals| signals.newest_device_age(at))),
            Feature::DeviceLevel => {
                let level = self.signals().and_then(|signals| signals.level(self.origin.device));
                level.map_or(2.0, level_of_three) // Default: what is not known is not unusual
            }
            Feature::FailedLogins1h => self.tally(|signals| signals.failures(at, HOUR)),
            Feature::FailedLogins24h => self.tally(|signals| signals.failures(at, DAY)),
            Feature::MinutesSinceFailedLogin => {
                let seconds = self.signals().and_then(|signals| signals.since_failure(at));
                seconds.map_or(1_440.0, |seconds| (figure(seconds) / figure(MINUTE)).min(1_440.0)) // Default: as long ago as is told apart
            }
            Feature::FailedBeforeLogin => self.tally(|signals| signals.failures_before_login(at)),
            Feature::SecondFactorDays => days(self.signals().and_then(|signals| signals.since_second_factor(at))),
            Feature::CountryDays => days(self.been().and_then(|(been, here)| been.country_age(here, at))),
            Feature::NetworkDays => days(self.been().and_then(|(been, here)| been.network_age(here, at))),
            Feature::TravelSpeed => self.been().map_or(0.0, |(been, here)| been.speed(here, at)), // Default: nobody has travelled
            Feature::CountriesAround1h => self.around(|been, here| been.countries_around(here, at)),
            Feature::NetworksAround1h => self.around(|been, here| been.networks_around(here, at)),
        }
    }

    fn signals(&self) -> Option<&Signals> {
        self.user.signals.as_deref()
    }

    /// Where the user was, and where the payment is asked for from; nothing, if either is not known.
    fn been(&self) -> Option<(&Whereabouts, Place)> {
        self.signals().map(|signals| &signals.been).zip(self.origin.place)
    }

    fn around(&self, of: impl Fn(&Whereabouts, Place) -> usize) -> f64 {
        self.been().map_or(0.0, |(been, here)| tallied(of(been, here))) // Default: nothing is known
    }

    fn tally(&self, of: impl Fn(&Signals) -> usize) -> f64 {
        let count = self.signals().map_or(0, of); // Default: nothing has happened
        tallied(count)
    }

    fn count(&self, length: Seconds) -> f64 {
        counted(self.user.recent.within(self.payment.at, length))
    }

    fn sum(&self, length: Seconds) -> f64 {
        self.user.recent.within(self.payment.at, length).map(|past| past.amount).sum()
    }

    fn over_greatest(&self) -> f64 {
        let week = self.user.recent.within(self.payment.at, WEEK);
        let greatest = week.map(|past| past.amount).fold(0.0, f64::max);
        if greatest > 0.0 { self.amount / greatest.max(CENT) } else { 1.0 }
    }
}

/// A count as a figure.
fn tallied(count: usize) -> f64 {
    f64::from(u16::try_from(count).unwrap_or(u16::MAX)) // Default: there are not so many
}

/// How well a key is kept, from 0 to 2.
fn level_of_three(level: KeyProtection) -> f64 {
    match level {
        KeyProtection::Software => 0.0,
        KeyProtection::Tee => 1.0,
        KeyProtection::SecureElement => 2.0,
    }
}

/// Days, 99 at most and of what never was.
fn days(seconds: Option<Seconds>) -> f64 {
    seconds.map_or(99.0, |seconds| (figure(seconds) / figure(DAY)).min(99.0)) // Default: as long ago as is told apart
}

/// How many there are. Not `sum`, by which none are -0.
fn counted<T>(all: impl Iterator<Item = T>) -> f64 {
    all.fold(0.0, |count, _| count + 1.0)
}
