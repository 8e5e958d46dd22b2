//! What can be paid to a payee who is new.

use anyhow::{Result, ensure};
use money::{Currency, Money};

use crate::amounts::Amounts;
use crate::config::Payees;

/// How long a payee is new at most: the table says the same.
const LONGEST: u32 = 30 * 86_400;

/// How long a payee is new, and how much all payouts to it may be together as long as it is.
#[derive(Debug, Clone)]
pub struct Terms {
    /// In seconds, from its addition.
    pub cooling_off_seconds: u32,
    caps: Amounts,
}

impl Terms {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// A time out of bounds, a currency that is not supported, or what is no amount of its currency.
    pub fn read(config: &Payees) -> Result<Self> {
        let cooling_off_seconds = config.cooling_off_seconds;
        let named = format!("payees.cooling_off_seconds = {cooling_off_seconds}");
        ensure!(cooling_off_seconds <= LONGEST, "{named}: must be 0 to {LONGEST}");
        Ok(Self { cooling_off_seconds, caps: Amounts::read("payees.new_payee_cap", &config.new_payee_cap)? })
    }

    /// How much all payouts in this currency to a payee who is new may be together; of a currency that is not configured, nothing.
    pub fn cap(&self, currency: Currency) -> Money {
        self.caps.of(currency).unwrap_or_else(|| Money::new(0, currency)) // Default: what nobody allows is not paid.
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(seconds: u32, code: &str, text: &str) -> Result<Terms> {
        let new_payee_cap = BTreeMap::from([(code.to_owned(), text.to_owned())]);
        Terms::read(&Payees { cooling_off_seconds: seconds, new_payee_cap, check: None })
    }

    #[test]
    fn a_currency_has_its_cap_or_nothing() {
        let terms = read(86_400, "EUR", "500.00").unwrap();
        assert_eq!(terms.cap(Currency::EUR), Money::new(50_000, Currency::EUR));
        assert_eq!(terms.cap(Currency::USD), Money::new(0, Currency::USD));
        let usual = Terms::read(&Payees::default()).unwrap();
        assert_eq!((usual.cooling_off_seconds, usual.cap(Currency::EUR).minor()), (86_400, 50_000));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_its_name() {
        assert!(read(2_592_000, "EUR", "0").is_ok());
        let error = read(2_592_001, "EUR", "0").unwrap_err().to_string();
        assert!(error.contains("payees.cooling_off_seconds"), "{error}");
        for (code, text) in [("EUR", "-0.01"), ("EUR", "5.001"), ("EUR", "five"), ("eur", "5.00"), ("XXX", "1")] {
            let error = read(0, code, text).unwrap_err();
            assert!(format!("{error:#}").contains(&format!("payees.new_payee_cap: {code}")), "{error:#}");
        }
    }
}
