//! Accounts: opening one, reading one's own, and their statements.
//!
//! Ownership is checked twice: every query names the owner, and row-level security would hide the rest if one did not.

pub mod http;
pub mod list;
pub mod open;
pub mod statement;
pub(crate) mod store;
