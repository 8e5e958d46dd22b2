//! What a payment looks like beside the profiles: one figure for each thing that a rule or a model may ask.

use crate::events::{Origin, Payment};
use crate::profiles::{PayeeProfile, UserProfile};

mod look;

use look::Look;

/// The version of the features: of their names *and* of what they mean. A model is trained on one version and is of no use with another.
pub const VERSION: u32 = 3;

macro_rules! features {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $name:literal, $words:literal;)+) => {
        /// One thing that can be asked of a payment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Feature { $($(#[doc = $meaning])+ $variant,)+ }

        /// How many features there are.
        pub const COUNT: usize = [$(Feature::$variant,)+].len();

        impl Feature {
            /// All of them, in the order of [`Features`].
            pub const ALL: [Self; COUNT] = [$(Self::$variant,)+];

            /// The name in models, rules and stored decisions.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What is said of a value, with `{}` in its place.
            fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)+ }
            }
        }
    };
}

features! {
    /// The amount, in major units of its currency.
    Amount = "amount", "the amount is {}";
    /// How many deviations the amount lies above what this user usually pays.
    AmountDeviations = "amount_deviations", "the amount lies {} deviations above what this user usually pays";
    /// The amount as a multiple of the user's median.
    AmountRatio = "amount_ratio", "the amount is {} times what this user pays in the middle";
    /// Its distance from the median in median absolute deviations, scaled by 1.4826 so that they compare with deviations.
    AmountRobust = "amount_robust", "the amount lies {} robust deviations from this user's median";
    /// The amount as a multiple of the greatest of the last 7 days; 1 if there is none.
    AmountOverMax = "amount_over_max", "the amount is {} times the greatest of the last 7 days";
    /// Payments of the last minute.
    Count1m = "count_1m", "{} payments in the last minute";
    /// Payments of the last hour.
    Count1h = "count_1h", "{} payments in the last hour";
    /// Payments of the last 24 hours.
    Count24h = "count_24h", "{} payments in the last 24 hours";
    /// Payments of the last 7 days.
    Count7d = "count_7d", "{} payments in the last 7 days";
    /// This amount and those of the last 24 hours, as a multiple of the last week's average day.
    Sum24hRatio = "sum_24h_ratio", "with this payment the last 24 hours bring {} times a usual day's sum";
    /// Payments of the last 7 days that were more than three deviations above the usual.
    Outliers7d = "outliers_7d", "{} unusually high payments in the last 7 days";
    /// The greatest deviation of the last 7 days.
    Deviation7d = "deviation_7d", "a payment of the last 7 days lay {} deviations above the usual";
    /// How usual the hour is for this user: 1 as for anybody, towards 0 never.
    HourUsual = "hour_usual", "the hour is {} times as usual for this user as any hour";
    /// Hours since the user's last payment, 720 at most.
    HoursSinceLast = "hours_since_last", "{} hours since this user's last payment";
    /// How often this user has paid this payee.
    PayeeCount = "payee_count", "this user has paid this payee {} times before";
    /// Of how many payments, 100 at most, the usual is made.
    KnownPayments = "known_payments", "{} payments of this user are known";
    /// The share of fraud in the payee's judged payments of one day.
    PayeeRisk1d = "payee_risk_1d", "{} of the payee's judged payments of one day were fraud";
    /// The same of 7 days.
    PayeeRisk7d = "payee_risk_7d", "{} of the payee's judged payments of 7 days were fraud";
    /// The same of 30 days.
    PayeeRisk30d = "payee_risk_30d", "{} of the payee's judged payments of 30 days were fraud";
    /// Payments to this payee in the last 30 days.
    PayeePaid30d = "payee_paid_30d", "the payee had {} payments in the last 30 days";
    /// How many frauds of the payee's that go on are known.
    PayeeRunFrauds = "payee_run_frauds", "{} frauds of this payee are known that may go on";
    /// Their share of the judged payments since the first.
    PayeeRunShare = "payee_run_share", "{} of the payee's judged payments since its first fraud were fraud";
    /// Days since the first of them, 99 at most and if there is none.
    PayeeRunDays = "payee_run_days", "the payee's first fraud of these was {} days ago";
    /// Days since the last of them that is known, 99 at most and if there is none.
    PayeeRunSilenceDays = "payee_run_silence_days", "the payee's last known fraud was {} days ago";
    /// Payments to this payee today and yesterday, as a multiple of two average days of its last 30.
    PayeeSurge = "payee_surge", "the payee has {} times its usual payments";
    /// Days for which the device has been the user's: 0 of one that nobody has told of; 99 at most, of the user's first device, and where nothing is known.
    DeviceDays = "device_days", "the device has been this user's for {} days";
    /// The same of the newest device that the user has beside the first, whichever asks.
    NewestDeviceDays = "newest_device_days", "this user's newest device is {} days old";
    /// How well the device's key is kept: 0 by the app, or if others of the user are known and this one is not; 1 by the processor; 2 by a chip of its own, and where nothing is known.
    DeviceLevel = "device_level", "the device's key is kept at level {} of 2";
    /// Failed logins of the last hour, to 5 minutes and never too few.
    FailedLogins1h = "failed_logins_1h", "{} failed logins in the last hour";
    /// Failed logins of the last 24 hours, to 5 minutes and never too few.
    FailedLogins24h = "failed_logins_24h", "{} failed logins in the last 24 hours";
    /// Minutes since the last failed login, 1440 at most and if there is none.
    MinutesSinceFailedLogin = "minutes_since_failed_login", "{} minutes since the last failed login";
    /// The most failed logins that came in the two hours (to 5 minutes and never too few) before a login of the last 24 hours on a device that did not act for the user yet.
    FailedBeforeLogin = "failed_before_login", "{} failed logins came before one that did not fail, on a device that was not known";
    /// Days since a second factor was added, removed, or stood in for by a recovery code; 99 at most and if it never was.
    SecondFactorDays = "second_factor_days", "{} days since what this user shows beside the password has changed";
    /// Days since the user was first seen in the country that the payment is asked for from: 0 of one where they never were; 99 at most, of the user's first country, and where nothing is known.
    CountryDays = "country_days", "{} days since this user was first seen in this country";
    /// The same of the network's operator.
    NetworkDays = "network_days", "{} days since this user was first seen in the network of this operator";
    /// Kilometers per hour, at least, of whoever was where the user was last in another country, and is where the payment is asked for from; 0 where nothing is known.
    TravelSpeed = "travel_speed", "whoever asks has come here with {} km/h at least from where this user was";
    /// Other countries in which the user was within an hour of the payment.
    CountriesAround1h = "countries_around_1h", "within an hour this user was in {} other countries";
    /// Networks of other operators in which the user was within an hour of the payment.
    NetworksAround1h = "networks_around_1h", "within an hour this user was in the networks of {} other operators";
}

impl Feature {
    /// The feature of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.name() == name)
    }

    /// What a person is told of `value`.
    #[must_use]
    pub fn say(self, value: f64) -> String {
        // Two digits at most, and none that say nothing.
        let shown = format!("{value:.2}");
        let shown = shown.trim_end_matches('0').trim_end_matches('.');
        self.words().replacen("{}", shown, 1)
    }
}

/// The features of one payment, in the order of [`Feature::ALL`]. Every one is a finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Features([f64; COUNT]);

impl Features {
    /// What `payment`, asked for from there, looks like beside what was known before it.
    #[must_use]
    pub fn of(payment: &Payment, origin: Origin, user: &UserProfile, payee: &PayeeProfile) -> Self {
        let look = Look::at(payment, origin, user, payee);
        Self(Feature::ALL.map(|feature| look.value(feature)))
    }

    /// Features that were looked at before; `value` knows them.
    ///
    /// # Errors
    ///
    /// That of the first that it does not know.
    pub fn stored<E>(value: impl Fn(Feature) -> Result<f64, E>) -> Result<Self, E> {
        let mut values = [0.0; COUNT];
        for (place, feature) in values.iter_mut().zip(Feature::ALL) {
            *place = value(feature)?;
        }
        Ok(Self(values))
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, feature: Feature) -> f64 {
        self.0.get(feature as usize).copied().unwrap_or(0.0) // Default: cannot be, there is a place for each
    }

    /// All values with their features.
    pub fn iter(&self) -> impl Iterator<Item = (Feature, f64)> {
        Feature::ALL.into_iter().zip(self.0)
    }
}
