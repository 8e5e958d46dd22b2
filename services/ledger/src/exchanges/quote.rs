//! The rate between two currencies, from rates that all are against the euro. Pure.

use api::broker::ReferenceRates;
use chrono::NaiveDate;
use money::{Currency, Decimal};
use rust_decimal::RoundingStrategy;

use crate::error::Error;

/// Fraction digits of a rate that had to be computed. A published one is taken as it is.
pub const PLACES: u32 = 12;

/// A rate with its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Units of the bought currency for one of the sold.
    pub rate: Decimal,
    /// The day it was published.
    pub date: NaiveDate,
}

/// The rate for selling `from` and buying `to`.
pub fn quote(rates: &ReferenceRates, from: Currency, to: Currency) -> Result<Quote, Error> {
    if rates.base != Currency::EUR.code() {
        return Err(Error::Broker("the rates are not against the euro".to_owned()));
    }
    let date = rates.date.parse().map_err(|_| Error::Broker("the rates have no date".to_owned()))?;
    let rate = match (from, to) {
        (Currency::EUR, to) => per_euro(rates, to)?,
        (from, to) => per_euro(rates, to)?
            .checked_div(per_euro(rates, from)?)
            .map(|rate| rate.round_dp_with_strategy(PLACES, RoundingStrategy::ToZero).normalize())
            .filter(|rate| *rate > Decimal::ZERO)
            .ok_or(Error::NoRate("the rate is out of range"))?,
    };
    Ok(Quote { rate, date })
}

fn per_euro(rates: &ReferenceRates, currency: Currency) -> Result<Decimal, Error> {
    if currency == Currency::EUR {
        return Ok(Decimal::ONE);
    }
    let text =
        rates.rates.get(currency.code()).ok_or(Error::NoRate("no reference rate is published for a currency"))?;
    let rate: Option<Decimal> = text.parse().ok().filter(|rate| *rate > Decimal::ZERO);
    rate.ok_or_else(|| Error::Broker("a rate is not a positive number".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Currency::{CHF, EUR, JPY, KWD, USD};

    fn rates() -> ReferenceRates {
        let rates = [("USD", "1.1172"), ("JPY", "175.68"), ("CHF", "0.9234"), ("SEK", "0")];
        let rates = rates.map(|(code, rate)| (code.to_owned(), rate.to_owned())).into();
        ReferenceRates { date: "2026-10-30".to_owned(), base: "EUR".to_owned(), rates }
    }

    fn rate(from: Currency, to: Currency) -> String {
        quote(&rates(), from, to).unwrap().rate.to_string()
    }

    #[test]
    fn a_published_rate_is_taken_as_it_is_and_others_are_rounded_down() {
        assert_eq!(rate(EUR, USD), "1.1172");
        assert_eq!(rate(USD, EUR), "0.895094880057");
        assert_eq!(rate(JPY, CHF), "0.00525614754");
        assert_eq!(quote(&rates(), EUR, USD).unwrap().date.to_string(), "2026-10-30");
    }

    #[test]
    fn what_is_not_published_or_makes_no_sense_is_no_rate() {
        assert!(matches!(quote(&rates(), EUR, KWD), Err(Error::NoRate(_))));
        assert!(matches!(quote(&rates(), EUR, Currency::SEK), Err(Error::Broker(_))));
        let dollar = ReferenceRates { base: "USD".to_owned(), ..rates() };
        assert!(matches!(quote(&dollar, EUR, USD), Err(Error::Broker(_))));
    }
}
