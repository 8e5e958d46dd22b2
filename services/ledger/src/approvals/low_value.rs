//! Up to what amounts a payment needs no approval of its own (Regulation (EU) 2018/389, Article 16).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use money::{Currency, Money};

/// An amount for some currencies; of any other currency, every payment needs approval.
#[derive(Debug, Clone, Default)]
pub struct LowValue(BTreeMap<&'static str, Money>);

impl LowValue {
    /// Reads `{ EUR = "30.00" }`.
    ///
    /// # Errors
    ///
    /// A currency that is not supported, or what is no amount of its currency.
    pub fn read(amounts: &BTreeMap<String, String>) -> Result<Self> {
        let read = |(code, text): (&String, &String)| {
            let named = || format!("approval.low_value: {code} = {text:?}");
            let currency: Currency = code.parse().with_context(named)?;
            let amount = Money::parse(text, currency).with_context(named)?;
            ensure!(amount.minor() >= 0, "{}: less than nothing", named());
            Ok((currency.code(), amount))
        };
        Ok(Self(amounts.iter().map(read).collect::<Result<_>>()?))
    }

    /// Whether so much can be paid without approval.
    pub fn covers(&self, amount: Money) -> bool {
        self.0.get(amount.currency().code()).is_some_and(|low| amount.minor() <= low.minor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str, text: &str) -> Result<LowValue> {
        LowValue::read(&BTreeMap::from([(code.to_owned(), text.to_owned())]))
    }

    #[test]
    fn it_covers_amounts_up_to_it_in_its_currency_and_no_other_currency() {
        let low = read("EUR", "30.00").unwrap();
        assert!(low.covers(Money::new(3_000, Currency::EUR)));
        assert!(!low.covers(Money::new(3_001, Currency::EUR)));
        assert!(!low.covers(Money::new(1, Currency::USD)));
        assert!(!LowValue::default().covers(Money::new(1, Currency::EUR)));
    }

    #[test]
    fn what_is_no_amount_of_its_currency_is_refused_with_its_name() {
        for (code, text) in [("EUR", "-0.01"), ("EUR", "30.001"), ("EUR", "thirty"), ("eur", "30.00"), ("XXX", "1")] {
            let error = read(code, text).unwrap_err();
            assert!(format!("{error:#}").contains(&format!("approval.low_value: {code}")), "{error:#}");
        }
    }
}
