//! What happens at a person's door is told to the behavior analytics: logins, failed ones, devices, second factors.
//!
//! What holds:
//! - the outbox is written in the transaction that does the thing, so nothing is told that did not happen, and nothing that happened is left out;
//! - nobody waits for behavior: it is told from the outbox, by a courier, until it has acknowledged, and knows what it is told twice by its id;
//! - whatever is wrong of what is shown, password, code or passkey, is a failed login; a field that was left empty and a block are none;
//! - of a device word is left once for each refresh token: when the code is redeemed, or else at the next refresh;
//! - a failed login is written for an address that nobody has as for one that somebody has, so that time does not tell; the courier drops it, also while behavior is away;
//! - where nobody is to be told, nothing is written, whoever it would be about;
//! - where a request came from is the country and the operator of its network, as far as a table says it; of a session that goes on word is left when that changes, and once an hour;
//! - a person is a pseudonym and a device a thumbprint; no address and no browser goes out.

pub(crate) mod courier;
mod signal;
mod store;
mod watching;

pub(crate) use signal::What;
pub(crate) use store::Signals;
pub use watching::Watching;
