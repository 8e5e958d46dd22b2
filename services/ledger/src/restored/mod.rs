//! The books after their database was restored to a point in time ([ADR 0045](../../../../docs/adr/0045-a-restored-ledger-is-compared-before-it-opens.md)).
//!
//! What was committed after that point is forgotten here and not by the world. The database knows that it was restored (`lifelines`) and refuses customers'
//! orders, and pending payouts are not sent, until a person has opened the books. Until then:
//! - [`compare`] asks the partners for their orders, and finds those that the books do not know;
//! - [`mod@book`] takes each off the account that it was for, or off suspense until that is known, under the id that the partner knows it by. The same order
//!   of the same payer has this id again (`Order::id`), so it cannot be posted a second time;
//! - [`command`]: an operator does both, and opens the books, as the role that migrates. Nothing that serves can.

pub mod book;
pub mod command;
pub mod compare;
mod store;
