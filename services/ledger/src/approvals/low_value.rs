//! Up to what amounts a payment needs no approval of its own, and how many such payments one may make before one is approved (Regulation (EU) 2018/389, Article 16).

use anyhow::{Result, ensure};
use money::{Currency, Money};

use super::met::Met;
use crate::amounts::Amounts;
use crate::config::Approval;

/// What needs no approval. Of a currency without an amount, every payment needs it.
#[derive(Debug, Default)]
pub struct LowValue {
    single: Amounts,
    /// How much all small ones together may be, since the last payment that was approved; as much as one likes, in a currency that is not here.
    total: Amounts,
    /// How many they may be.
    payments: Option<u32>,
    pub(super) met: Met,
}

/// What small payments may be together in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Together {
    /// In minor units.
    pub(super) amount: i64,
    pub(super) payments: i64,
}

impl LowValue {
    /// Reads `{ EUR = "30.00" }` for one payment, and what holds for all of them together.
    ///
    /// # Errors
    ///
    /// A currency that is not supported, what is no amount of its currency, or a limit that not one payment keeps.
    pub fn read(config: &Approval) -> Result<Self> {
        let (single, total) = (
            Amounts::read("approval.low_value", &config.low_value)?,
            Amounts::read("approval.low_value_total", &config.low_value_total)?,
        );
        // One that counts and can never be paid would be small in vain.
        for most in total.all() {
            let currency = most.currency();
            let fits = single.of(currency).is_none_or(|one| one.minor() <= most.minor());
            ensure!(fits, "approval.low_value_total: {} is less than approval.low_value", currency.code());
        }
        ensure!(
            config.low_value_payments != Some(0),
            "approval.low_value_payments = 0: say `low_value = {{}}` instead"
        );
        Ok(Self { single, total, payments: config.low_value_payments, met: Met::default() })
    }

    /// Whether so much can be paid at once without approval.
    pub fn covers(&self, amount: Money) -> bool {
        self.single.of(amount.currency()).is_some_and(|low| amount.minor() <= low.minor())
    }

    /// What those of a currency may be together; none where nobody counts them.
    pub(super) fn together(&self, currency: Currency) -> Option<Together> {
        let (amount, payments) = (self.total.of(currency), self.payments);
        if amount.is_none() && payments.is_none() {
            return None;
        }
        // Default: what has no limit here.
        Some(Together { amount: amount.map_or(i64::MAX, Money::minor), payments: payments.map_or(i64::MAX, i64::from) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config(low_value: &[(&str, &str)], low_value_total: &[(&str, &str)], payments: Option<u32>) -> Approval {
        let amounts = |amounts: &[(&str, &str)]| {
            amounts.iter().map(|(code, text)| ((*code).to_owned(), (*text).to_owned())).collect::<BTreeMap<_, _>>()
        };
        Approval {
            low_value_total: amounts(low_value_total),
            low_value_payments: payments,
            ..Approval::uncounted(amounts(low_value))
        }
    }

    #[test]
    fn it_covers_amounts_up_to_it_in_its_currency_and_no_other_currency() {
        let low = LowValue::read(&config(&[("EUR", "30.00")], &[], None)).unwrap();
        assert!(low.covers(Money::new(3_000, Currency::EUR)));
        assert!(!low.covers(Money::new(3_001, Currency::EUR)));
        assert!(!low.covers(Money::new(1, Currency::USD)));
        assert!(!LowValue::default().covers(Money::new(1, Currency::EUR)));
        assert_eq!(low.together(Currency::EUR), None);
    }

    #[test]
    fn together_they_have_an_amount_in_its_currency_and_a_number_in_each() {
        let of = |total, payments, currency| LowValue::read(&config(&[], total, payments)).unwrap().together(currency);
        let hundred: &[(&str, &str)] = &[("EUR", "100.00")];
        assert_eq!(of(hundred, Some(5), Currency::EUR), Some(Together { amount: 10_000, payments: 5 }));
        assert_eq!(of(hundred, Some(5), Currency::USD), Some(Together { amount: i64::MAX, payments: 5 }));
        assert_eq!(of(hundred, None, Currency::EUR), Some(Together { amount: 10_000, payments: i64::MAX }));
        assert_eq!(of(hundred, None, Currency::USD), None);
    }

    #[test]
    fn a_limit_that_not_one_payment_keeps_is_refused() {
        let error = |config| LowValue::read(&config).unwrap_err().to_string();
        let said = error(config(&[("EUR", "30.00")], &[("EUR", "29.99")], None));
        assert!(said.contains("approval.low_value_total: EUR"), "{said}");
        let said = error(config(&[("EUR", "30.00")], &[], Some(0)));
        assert!(said.contains("approval.low_value_payments"), "{said}");
        assert!(LowValue::read(&config(&[("EUR", "30.00")], &[("EUR", "30.00"), ("USD", "1.00")], Some(1))).is_ok());
    }

    #[test]
    fn what_is_no_amount_of_its_currency_is_refused_with_its_name() {
        for (code, text) in [("EUR", "-0.01"), ("EUR", "30.001"), ("EUR", "thirty"), ("eur", "30.00"), ("XXX", "1")] {
            let wrong: &[(&str, &str)] = &[(code, text)];
            for (name, config) in
                [("low_value", config(wrong, &[], None)), ("low_value_total", config(&[], wrong, None))]
            {
                let error = LowValue::read(&config).unwrap_err();
                assert!(format!("{error:#}").contains(&format!("approval.{name}: {code}")), "{error:#}");
            }
        }
    }
}
