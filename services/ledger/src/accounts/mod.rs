//! Accounts: opening one, reading one's own, and their statements.
//!
//! Ownership is checked twice: every query names the owner, and row-level security would hide the rest if one did not.
//! How many an owner has open is limited twice as well: by the service's configuration ([`open`]) and by the database's own ceiling, both
//! under the lock of one row per owner, so exactly.

pub mod http;
pub mod list;
pub mod open;
pub mod statement;
pub(crate) mod store;
