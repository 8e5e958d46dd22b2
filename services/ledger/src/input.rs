//! From the wire's texts to the domain's types. What passes here is what the rules are about; nothing of it is repaired.

use api::Amount;
use api::text::Flaw;
use chrono::{DateTime, SecondsFormat, Utc};
use money::Money;

use crate::error::{AmountError, Error};

/// A positive amount.
pub fn positive(amount: &Amount) -> Result<Money, Error> {
    positive_parts(&amount.amount, &amount.currency, "amount.amount", "amount.currency")
}

/// A positive amount whose two texts stand in fields of their own.
pub fn positive_parts(
    amount: &str,
    currency: &str,
    amount_field: &'static str,
    currency_field: &'static str,
) -> Result<Money, Error> {
    let problem = "is not a supported ISO 4217 code";
    let currency = currency.parse().map_err(|_| Error::Field { field: currency_field, problem })?;
    let wrong = |cause| Error::Amount { field: amount_field, cause };
    let money = Money::parse(amount, currency).map_err(|cause| wrong(cause.into()))?;
    if money.is_positive() { Ok(money) } else { Err(wrong(AmountError::NotPositive)) }
}

/// Text for people: `min` to `max` characters, each of them seen ([`api::text`]).
pub fn text<'a>(field: &'static str, text: &'a str, min: usize, max: usize) -> Result<&'a str, Error> {
    let wrong = |problem| Err(Error::Field { field, problem });
    if let Some(flaw) = Flaw::of(text) {
        return wrong(flaw.into());
    }
    match text.chars().take(max + 1).count() {
        length if length > max => wrong("is too long"),
        length if length < min || min > 0 && text.trim().is_empty() => wrong("is empty"),
        _ => Ok(text),
    }
}

/// The text of a partner, made fit: money that has arrived is not refused for what is written on it.
pub fn fitted(text: &str, max: usize) -> String {
    api::text::seen(text).take(max).collect()
}

/// An amount as it travels.
pub fn wire(money: Money) -> Amount {
    Amount::new(money.to_string(), money.currency().code())
}

/// A point in time as it travels (RFC 3339).
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_amounts_pass() {
        assert!(positive(&Amount::new("0.01", "EUR")).is_ok());
        for (amount, currency) in
            [("0", "EUR"), ("0.00", "EUR"), ("-1", "EUR"), ("1.001", "EUR"), ("1", "eur"), ("", "EUR")]
        {
            assert!(positive(&Amount::new(amount, currency)).is_err(), "{amount} {currency}");
        }
    }

    #[test]
    fn text_is_counted_in_characters_and_all_of_it_is_seen() {
        assert!(text("f", &"é".repeat(140), 0, 140).is_ok());
        assert!(text("f", &"é".repeat(141), 0, 140).is_err());
        assert!(text("f", "a\u{0}b", 0, 140).is_err() && text("f", "a\r\nSet-Cookie: x", 0, 140).is_err());
        assert!(text("f", "a\u{202e}b", 0, 140).is_err() && text("f", "\u{200b}", 1, 5).is_err());
        assert!(text("f", "", 0, 5).is_ok() && text("f", "", 1, 5).is_err() && text("f", "  ", 1, 5).is_err());
        assert_eq!(fitted("a\nb\u{7}\u{202e}cd", 3), "abc");
    }
}
