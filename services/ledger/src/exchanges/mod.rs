//! Exchanges between two accounts of one owner, at the reference rates of the source that the configuration names.
//!
//! Four legs, zero in each currency: the customer's account and the house's position in the one currency, and both in the other. The rate
//! is quoted by the broker, rounded down to [`quote::PLACES`] places, stored, and used exactly as stored, so that anyone can redo the
//! sum. What is left over below the minor unit stays with the house.

pub mod deal;
pub mod exchange;
pub mod http;
pub mod quote;
pub mod rates;
pub(crate) mod store;

pub use rates::Rates;
