//! What an exchange comes to.

use chrono::NaiveDate;
use money::{Decimal, Money};

/// What was agreed: stored with the transfer and never computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// What the customer gives.
    pub sold: Money,
    /// What the customer gets.
    pub bought: Money,
    /// Units of the bought currency for one of the sold.
    pub rate: Decimal,
    /// The day of the rate.
    pub rate_date: NaiveDate,
    /// Who published it.
    pub rate_source: String,
}
