//! What happens at a person's door is told to the behavior analytics: logins, failed ones, devices, second factors.
//!
//! What holds:
//! - the outbox is written in the transaction that does the thing, so nothing is told that did not happen, and nothing that happened is left out;
//! - nobody waits for behavior: it is told from the outbox, by a courier, until it has acknowledged, and knows what it is told twice by its id;
//! - a failed login is written for an address that nobody has as for one that somebody has, so that time does not tell; the courier drops it;
//! - a person is a pseudonym and a device a thumbprint; no address, no browser and no network goes out.

pub(crate) mod courier;
mod signal;
mod store;
mod watching;

pub(crate) use signal::What;
pub(crate) use store::{leave, try_failed};
pub use watching::Watching;
