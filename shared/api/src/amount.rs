//! An amount on the wire.

use serde::{Deserialize, Serialize};

/// An amount of money as it travels: `{"amount":"12.34","currency":"EUR"}`.
///
/// The text is not checked here; `money::Money` is what a service works with, and only it can be added.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Decimal digits of the major unit, with at most the currency's number of fraction digits.
    pub amount: String,
    /// ISO 4217 alphabetic code.
    pub currency: String,
}

impl Amount {
    /// An amount from its two texts.
    pub fn new(amount: impl Into<String>, currency: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into() }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}
