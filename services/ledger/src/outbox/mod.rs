//! What has happened leaves the books: the behavior analytics are told of every payment, in the order of the books.
//!
//! What holds:
//! - the outbox is part of the transaction that posts (`posting::store`), so nothing is told that did not happen, and nothing that happened is left out;
//! - a payment is told until it is acknowledged, and may be told again: its reader knows it by its id, which is the transfer's;
//! - money does not wait for it: while the reader is away the position stays, and is told of in `ledger.alarms`;
//! - nobody is named: who pays and is paid are pseudonyms ([`payment`]).

pub mod courier;
pub(crate) mod payment;
mod store;
