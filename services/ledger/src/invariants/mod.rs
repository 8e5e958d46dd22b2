//! What must always hold, counted by the database from the rows themselves. For the operator.
//!
//! Entries are never changed, so what was once found right is not read again: a question costs what is new since the last one, and one look at
//! each account. What somebody with more rights than ours did to old rows shows in the accounts or in `ledger verify`, which reads everything.

pub mod command;
pub mod http;
pub(crate) mod store;
