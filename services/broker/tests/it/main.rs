//! The broker from outside: real TLS on both sides, a real PostgreSQL, the sandbox partner, a hostile upstream, and a stand-in
//! for the ledger.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bench;
mod check;
mod contract;
mod deliveries;
mod drip;
mod egress;
mod hostile;
mod names;
mod operations;
mod process;
mod raw;
mod roles;
mod second_partner;
mod secrets;
mod stores;
mod webhooks;
