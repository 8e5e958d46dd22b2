//! Wire types: what travels between the phone, the services and the tests, and nothing else.
//!
//! Invariants:
//! - serde only: no I/O, no framework, no database;
//! - every request type refuses unknown fields (mass assignment, OWASP API3:2023);
//! - amounts travel as decimal strings beside their currency, never as floating point.

pub mod accounts;
pub mod attestation;
pub mod broker;
pub mod exchanges;
pub mod header;
pub mod internal;
pub mod payouts;
pub mod problem;
pub mod scope;
pub mod service;
pub mod text;
pub mod transfers;

mod amount;

pub use amount::Amount;
pub use problem::Problem;
