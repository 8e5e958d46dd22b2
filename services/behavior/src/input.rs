//! From the wire to what can be looked at. What passes here is a time that was, names, and of a payment an exact amount; nothing of it is repaired.

use api::Pseudonym;
use api::behavior::PSEUDONYM;
use api::problem::code;
use chrono::{DateTime, Utc};
use crypto::hash::sha256;
use money::{Currency, Money};

use crate::events::{Key, MINUTE, Payment, Place};

/// Clocks of honest services differ by less than this. What lies further ahead would be "now" for a profile, and all that comes until then too late.
const AHEAD: i64 = 5 * MINUTE * 1000;

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Where.
    pub(crate) field: &'static str,
    /// The stable code.
    pub(crate) code: &'static str,
    /// What it should be.
    pub(crate) says: &'static str,
}

/// What is told of a payment, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) at_unix_millis: i64,
    pub(crate) user: &'a Pseudonym,
    pub(crate) payee: &'a Pseudonym,
    pub(crate) amount: &'a str,
    pub(crate) currency: &'a str,
}

/// A payment, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paid {
    pub(crate) at: DateTime<Utc>,
    pub(crate) user: Key,
    pub(crate) payee: Key,
    pub(crate) money: Money,
}

impl Paid {
    /// Looks at what was told. `now` is this service's own clock, in milliseconds.
    pub(crate) fn checked(told: Told<'_>, now: i64) -> Result<Self, Flaw> {
        let at = time(told.at_unix_millis, now)?;
        let (user, payee) = (named("user", told.user)?, named("payee", told.payee)?);
        let currency: Currency =
            told.currency.parse().map_err(|_| invalid("currency", "is not a supported ISO 4217 code"))?;
        let wrong = invalid("amount", "is not a positive amount of its currency");
        let money = Money::parse(told.amount, currency).ok().filter(|money| money.is_positive()).ok_or(wrong)?;
        let paid = Self { at, user, payee, money };
        if paid.figures().amount > Payment::AMOUNT_LIMIT {
            return Err(invalid("amount", "is more than anybody pays"));
        }
        Ok(paid)
    }

    /// As statistics count it.
    pub(crate) fn figures(&self) -> Payment {
        #[expect(clippy::cast_precision_loss, reason = "a figure for statistics; the exact amount is stored")]
        let amount = self.money.minor() as f64 / f64::from(10_u32.pow(self.money.currency().exponent()));
        Payment { at: self.at.timestamp(), user: self.user, payee: self.payee, amount }
    }
}

/// When something happened, as it was told at `now`.
pub(crate) fn time(told: i64, now: i64) -> Result<DateTime<Utc>, Flaw> {
    if told > now.saturating_add(AHEAD) {
        return Err(Flaw { field: "at_unix_millis", code: code::FROM_FUTURE, says: "lies in the future" });
    }
    let at = DateTime::from_timestamp_millis(told).filter(|at| at.timestamp() >= 0);
    at.ok_or_else(|| invalid("at_unix_millis", "lies before 1970"))
}

/// Under what somebody or something of this name is counted.
pub(crate) fn named(field: &'static str, name: &Pseudonym) -> Result<Key, Flaw> {
    let fits = (1..=PSEUDONYM).contains(&name.as_str().len());
    let seen = name.as_str().bytes().all(|byte| byte.is_ascii_graphic());
    if fits && seen { Ok(key(name)) } else { Err(invalid(field, "is not 1 to 128 visible ASCII characters")) }
}

/// Where somebody was.
pub(crate) fn place(told: &api::behavior::Place) -> Result<Place, Flaw> {
    let network = told.network.as_ref().map(|network| named("place", network)).transpose()?;
    Ok(Place { country: told.country, network })
}

fn invalid(field: &'static str, says: &'static str) -> Flaw {
    Flaw { field, code: code::REQUEST_INVALID, says }
}

/// Under what a name is counted.
fn key(name: &Pseudonym) -> Key {
    let digest = sha256(name.as_str().as_bytes());
    digest.iter().take(8).fold(0, |key, byte| key << 8 | Key::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    struct Case<'a> {
        at: i64,
        user: &'a str,
        payee: &'a str,
        amount: &'a str,
        currency: &'a str,
    }

    const GOOD: Case<'static> = Case { at: NOW, user: "alice", payee: "shop", amount: "12.34", currency: "EUR" };

    fn check(case: &Case<'_>) -> Result<Paid, Flaw> {
        let (user, payee) = (case.user.into(), case.payee.into());
        let Case { at, amount, currency, .. } = *case;
        Paid::checked(Told { at_unix_millis: at, user: &user, payee: &payee, amount, currency }, NOW)
    }

    fn flaw(case: &Case<'_>) -> (&'static str, &'static str) {
        let flaw = check(case).unwrap_err();
        (flaw.field, flaw.code)
    }

    #[test]
    fn an_amount_is_exact_and_a_figure_is_made_of_it() {
        let paid = check(&GOOD).unwrap();
        assert_eq!((paid.money.minor(), paid.figures().amount.to_bits()), (1_234, 12.34_f64.to_bits()));
        assert_eq!(paid.figures().at, NOW / 1000);
        let yen = check(&Case { amount: "500", currency: "JPY", ..GOOD }).unwrap();
        assert_eq!((yen.money.minor(), yen.figures().amount.to_bits()), (500, 500.0_f64.to_bits()));
    }

    #[test]
    fn what_is_no_payment_is_refused_where_it_is_wrong() {
        assert!(check(&Case { at: NOW + AHEAD, ..GOOD }).is_ok(), "clocks differ");
        for at in [NOW + AHEAD + 1, i64::MAX] {
            assert_eq!(flaw(&Case { at, ..GOOD }), ("at_unix_millis", code::FROM_FUTURE));
        }
        for at in [-1, i64::MIN] {
            assert_eq!(flaw(&Case { at, ..GOOD }), ("at_unix_millis", code::REQUEST_INVALID));
        }
        for amount in ["NaN", "inf", "-1", "0", "0.00", "1e3", "1.234", "", " 1", "1000000000000.01"] {
            assert_eq!(flaw(&Case { amount, ..GOOD }), ("amount", code::REQUEST_INVALID), "{amount}");
        }
        for currency in ["eur", "XXX", ""] {
            assert_eq!(flaw(&Case { currency, ..GOOD }), ("currency", code::REQUEST_INVALID), "{currency}");
        }
        let long = "x".repeat(129);
        for name in ["", "a b", "a\n", "é", &long] {
            assert_eq!(flaw(&Case { user: name, ..GOOD }), ("user", code::REQUEST_INVALID), "{name}");
            assert_eq!(flaw(&Case { payee: name, ..GOOD }), ("payee", code::REQUEST_INVALID), "{name}");
        }
    }
}
