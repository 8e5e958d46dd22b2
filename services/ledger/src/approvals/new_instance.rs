//! How much an instance of the app moves out while it is new to its user: whoever has found a password out comes on a phone of their own, and it pays little.
//!
//! An instance is new until it has acted for its user for as long as it cools off, by the word of `auth` in the access token. Two are not: the one that came with
//! the account, which was taken from nobody, and one whose user has shown a second factor that they have had for as long. A factor of today vouches for nobody: a
//! thief enrolls their own.

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use identity::Principal;
use money::{Currency, Money};

use crate::amounts::Amounts;
use crate::config;

/// The longest that one cools off: 30 days.
const LONGEST: i32 = 2_592_000;

/// What new instances may do.
#[derive(Debug, Default)]
pub struct NewInstances {
    cool_off_seconds: i32,
    cap: Amounts,
}

/// What holds of a payment by a new instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How much all new instances of the owner together move out within the time in which one cools off.
    pub cap: Money,
    /// That time.
    pub cool_off_seconds: i32,
    /// Until when this one is new; none, where nobody says since when it is there.
    pub until: Option<DateTime<Utc>>,
}

impl NewInstances {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// A time or an amount that is out of bounds, or a currency that is not supported.
    pub fn read(config: &config::NewInstance) -> Result<Self> {
        let seconds = config.cool_off_seconds;
        let named = || format!("limits.new_instance.cool_off_seconds = {seconds}: must be 0 to {LONGEST}");
        let cool_off_seconds = i32::try_from(seconds).with_context(named)?;
        ensure!(cool_off_seconds <= LONGEST, named());
        Ok(Self { cool_off_seconds, cap: Amounts::read("limits.new_instance.cap", &config.cap)? })
    }

    /// What holds of this caller's payments in a currency at that time; nothing, if the instance is not new. Of a currency without a cap a new one moves nothing.
    pub fn limit(&self, caller: &Principal, currency: Currency, now: i64) -> Option<Limit> {
        let cool_off = i64::from(self.cool_off_seconds);
        let lasts = |since: i64| since.checked_add(cool_off).is_some_and(|over| over <= now);
        if cool_off == 0 || caller.factor_since.is_some_and(lasts) {
            return None;
        }
        // One of which nothing is said is new, and no waiting makes it older.
        if caller.instance.is_some_and(|instance| instance.first || lasts(instance.since)) {
            return None;
        }
        let cap = self.cap.of(currency).unwrap_or_else(|| Money::new(0, currency)); // Default: of other currencies nothing.
        let until = caller.instance.map(|instance| {
            // Default: at the end of time. A clock that is ahead of ours makes nobody new for longer.
            let until = instance.since.min(now).saturating_add(cool_off);
            // Default: for ever, beyond all times that there are.
            DateTime::from_timestamp(until, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
        });
        Some(Limit { cap, cool_off_seconds: self.cool_off_seconds, until })
    }
}

#[cfg(test)]
mod tests {
    use identity::{App, Instance, Level, Platform};

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    fn limits(seconds: u32, code: &str, text: &str) -> Result<NewInstances> {
        let cap = [(code.to_owned(), text.to_owned())].into();
        NewInstances::read(&config::NewInstance { cool_off_seconds: seconds, cap })
    }

    fn caller(instance: Option<(i64, bool)>, factor_since: Option<i64>) -> Principal {
        Principal {
            subject: "sub-alice".into(),
            client_id: "redoubt-mobile".into(),
            jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap(),
            scopes: Vec::new(),
            support_id: "s".into(),
            app: App { id: "a".into(), version: "1".into(), build: 1_u64.into(), platform: Platform::Android },
            level: Level::StrongBox,
            token_id: "t".into(),
            approved: None,
            instance: instance.map(|(since, first)| Instance { since, first }),
            factor_since,
        }
    }

    #[test]
    fn an_instance_is_new_until_it_has_cooled_off() {
        let limits = limits(86_400, "EUR", "500.00").unwrap();
        let until = |instance, factor| {
            let limit = limits.limit(&caller(instance, factor), Currency::EUR, NOW);
            limit.map(|limit| limit.until.map(|until| until.timestamp() - NOW))
        };
        assert_eq!(until(Some((NOW, false)), None), Some(Some(DAY)));
        assert_eq!(until(Some((NOW - DAY + 1, false)), None), Some(Some(1)));
        assert_eq!(until(Some((NOW - DAY, false)), None), None);
        assert_eq!(until(None, None), Some(None), "of which nothing is said, and which becomes no older");
        assert_eq!(until(Some((NOW + 600, false)), None), Some(Some(DAY)), "whose clock is ahead");
        assert_eq!(until(Some((i64::MAX, false)), None), Some(Some(DAY)));
        assert_eq!(until(Some((i64::MIN, false)), None), None);
        assert_eq!(until(Some((NOW, true)), None), None, "that came with the account");
    }

    #[test]
    fn only_a_second_factor_that_has_cooled_off_vouches_for_it() {
        let limits = limits(86_400, "EUR", "500.00").unwrap();
        let is_new = |factor| limits.limit(&caller(Some((NOW, false)), factor), Currency::EUR, NOW).is_some();
        assert!(is_new(None) && is_new(Some(NOW)) && is_new(Some(NOW - DAY + 1)) && is_new(Some(i64::MAX)));
        assert!(!is_new(Some(NOW - DAY)));
    }

    #[test]
    fn a_currency_has_its_cap_or_nothing_and_no_time_is_no_limit() {
        let some = limits(86_400, "EUR", "500.00").unwrap();
        let cap = |limits: &NewInstances, currency| {
            limits.limit(&caller(None, None), currency, NOW).map(|limit| (limit.cap.minor(), limit.cool_off_seconds))
        };
        assert_eq!(cap(&some, Currency::EUR), Some((50_000, 86_400)));
        assert_eq!(cap(&some, Currency::USD), Some((0, 86_400)));
        assert_eq!(cap(&limits(0, "EUR", "500.00").unwrap(), Currency::USD), None);
        let usual = NewInstances::read(&config::NewInstance::default()).unwrap();
        assert_eq!(cap(&usual, Currency::EUR), Some((50_000, 86_400)));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_its_name() {
        assert!(limits(2_592_000, "EUR", "0").is_ok());
        for seconds in [2_592_001, u32::MAX] {
            let error = limits(seconds, "EUR", "0").unwrap_err();
            assert!(format!("{error:#}").contains("limits.new_instance.cool_off_seconds"), "{error:#}");
        }
        for (code, text) in [("EUR", "-0.01"), ("EUR", "5.001"), ("EUR", "five"), ("eur", "5.00")] {
            let error = limits(0, code, text).unwrap_err();
            assert!(format!("{error:#}").contains(&format!("limits.new_instance.cap: {code}")), "{error:#}");
        }
    }
}
