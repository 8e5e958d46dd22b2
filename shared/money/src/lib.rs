//! Money: exact whole numbers of a currency's minor unit.
//!
//! What must hold:
//! - an amount never passes through floating point, and every operation is exact or an error;
//! - two currencies are never added; converting names its rate and its [`Rounding`];
//! - text becomes an amount in exactly one way: what [`Money::parse`] accepts, it prints back with the same value;
//! - [`rust_decimal`] appears at the edge only (rates, reports), never in a balance.
#![warn(missing_docs)]

mod amount;
mod convert;
mod currency;

pub use amount::{Money, MoneyError};
pub use convert::Rounding;
pub use currency::{Currency, UnknownCurrency};
pub use rust_decimal::Decimal;
