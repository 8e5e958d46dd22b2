//! The ledger from outside: real TLS on both sides, a real PostgreSQL under the real roles, every layer in front, stand-ins for auth,
//! attestation and the broker.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod concurrency;
mod database;
mod engine;
mod exchanges;
mod faults;
mod guards;
mod internal;
mod invariants;
mod layers;
mod payouts;
mod transfers;
mod world;
