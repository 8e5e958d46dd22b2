//! Suspense: money that arrived and could not be credited where it was meant to go. It is booked all the same, because it is there: a partner bank
//! has it for us, and a refusal would only hide it.
//!
//! - [`crate::posting::fold::book`] decides, in the posting itself: the wanted account, else the suspense account of the currency;
//! - a row of `suspense_items`, written with the posting ([`Arrival`]), says why and where to ([`store`]); the database lets neither be without the other;
//! - [`alarm`] tells people, [`http`] shows them what waits, [`mod@allocate`] takes it to its owner, once;
//! - [`command`]: the same from the command line.

pub mod alarm;
pub mod allocate;
pub mod command;
pub mod http;
pub mod list;
mod store;

pub use store::Arrival;
