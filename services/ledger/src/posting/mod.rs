//! Posting: how money moves. Everything that moves money is a [`Command`] that goes through here.
//!
//! - [`model`]: accounts, kinds, commands, outcomes. No I/O.
//! - [`beside`]: the rows of whoever ordered it, written with the posting. Who they are, posting does not know.
//! - [`fold`]: `apply(state, command) -> outcome`, the rules of the ledger. Pure: the same function is the production
//!   logic, the model in the property tests and the oracle that replays a database after a test.
//! - [`batch`]: orders, which are commands with their keys; what a set of them does to the locked accounts: duplicates of a key, outcomes,
//!   what is to be written. Pure.
//! - [`committer`]: the queue in front of the database. It takes what is waiting, and one transaction decides it all. What needs an account
//!   that somebody else holds is set [`aside`].
//! - [`store`]: that transaction.
//!
//! Why batches: a durable commit costs milliseconds, a row lock a microsecond. One transaction per transfer would make
//! a hot account wait a commit for each; one transaction for all that wait makes heat free. There is no timer: at low
//! load a batch is one command, and its latency is one commit.

mod aside;
pub mod batch;
pub mod beside;
pub mod committer;
pub mod fold;
pub mod model;
pub(crate) mod store;

#[cfg(test)]
mod fold_tests;

pub use batch::{Answer, Beside, Extra, Fingerprint, Intent, ON_THE_BOOKS, Order, Posting};
pub use beside::Rows;
pub use committer::{Committer, Receipt, post};
pub use model::{
    Account, Actor, Blame, Broken, Command, Entry, Kind, Leg, Outcome, Posted, Purpose, Reason, Rejection, Unanswered,
    system_account,
};
