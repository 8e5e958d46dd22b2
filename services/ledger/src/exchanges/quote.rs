//! The rate between two currencies, from rates that all are against the euro. Pure.

use api::broker::ReferenceRates;
use money::{Currency, Decimal};
use rust_decimal::RoundingStrategy;

use crate::error::Error;

/// Fraction digits of a rate that had to be computed. A published one is taken as it is.
pub const PLACES: u32 = 12;

/// Units of `to` for one of `from`; `None` if none is published for the pair.
pub fn quote(rates: &ReferenceRates, from: Currency, to: Currency) -> Result<Option<Decimal>, Error> {
    if rates.base != Currency::EUR.code() {
        return Err(Error::Broker("the rates are not against the euro".to_owned()));
    }
    let (Some(sold), Some(bought)) = (per_euro(rates, from)?, per_euro(rates, to)?) else { return Ok(None) };
    if from == Currency::EUR {
        return Ok(Some(bought));
    }
    // Not "no rate": that would be kept for ever under the key of whoever asked.
    let absurd = || Error::Broker(format!("the rate of {from} to {to} cannot be computed"));
    let rate = bought.checked_div(sold).ok_or_else(absurd)?;
    let rate = rate.round_dp_with_strategy(PLACES, RoundingStrategy::ToZero).normalize();
    if rate > Decimal::ZERO { Ok(Some(rate)) } else { Err(absurd()) }
}

fn per_euro(rates: &ReferenceRates, currency: Currency) -> Result<Option<Decimal>, Error> {
    if currency == Currency::EUR {
        return Ok(Some(Decimal::ONE));
    }
    let Some(text) = rates.rates.get(currency.code()) else { return Ok(None) };
    let wrong = || Error::Broker(format!("the rate of {currency} is not a positive number"));
    let rate: Decimal = text.parse().map_err(|_| wrong())?;
    if rate > Decimal::ZERO { Ok(Some(rate)) } else { Err(wrong()) }
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
        quote(&rates(), from, to).unwrap().unwrap().to_string()
    }

    #[test]
    fn a_published_rate_is_taken_as_it_is_and_others_are_rounded_down() {
        assert_eq!(rate(EUR, USD), "1.1172");
        assert_eq!(rate(USD, EUR), "0.895094880057");
        assert_eq!(rate(JPY, CHF), "0.00525614754");
    }

    #[test]
    fn what_is_not_published_or_makes_no_sense_is_no_rate() {
        assert_eq!(quote(&rates(), EUR, KWD).unwrap(), None);
        assert_eq!(quote(&rates(), KWD, USD).unwrap(), None);
        assert!(matches!(quote(&rates(), EUR, Currency::SEK), Err(Error::Broker(_))));
        let dollar = ReferenceRates { base: "USD".to_owned(), ..rates() };
        assert!(matches!(quote(&dollar, EUR, USD), Err(Error::Broker(_))));
    }

    #[test]
    fn a_rate_that_cannot_be_computed_is_not_one_that_nobody_publishes() {
        let least = "0.0000000000000000000000000001".to_owned();
        let huge = "79228162514264337593543950335".to_owned();
        let absurd = |sold: &String, bought: &String| {
            let rates = [("USD".to_owned(), sold.clone()), ("JPY".to_owned(), bought.clone())].into();
            quote(&ReferenceRates { rates, ..self::rates() }, USD, JPY)
        };
        assert!(matches!(absurd(&least, &huge), Err(Error::Broker(_))), "too large for a decimal");
        assert!(matches!(absurd(&huge, &least), Err(Error::Broker(_))), "nothing at all");
    }
}
