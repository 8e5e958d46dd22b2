//! Stops: an operator stops a customer. Nothing that this customer orders is posted, and no payout of theirs is sent that has certainly not been sent, until
//! the stop is ended. What comes in is booked, and reads go on.
//!
//! - a stop is a row of `stops` ([`store`]); triggers say it on the customer's accounts, which a posting reads under their locks, so whoever was told that a
//!   customer is stopped knows that nothing goes out any more;
//! - [`crate::posting::fold`] refuses, and the database again where a transfer is written or a payout is begun to be sent;
//! - [`http`] and [`command`]: how an operator begins, ends and lists them.

pub mod command;
pub mod http;
mod store;
