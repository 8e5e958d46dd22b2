//! Wire types: what travels between the phone, the services and the tests, and nothing else.
//!
//! Invariants:
//! - serde, and schemas beside it: no I/O, no framework, no database;
//! - every request type refuses unknown fields (mass assignment, OWASP API3:2023);
//! - amounts travel as decimal strings beside their currency, never as floating point;
//! - an id has one spelling ([`Id`]), a name its type ([`ClientId`]), a build its platform's ([`Build`]); no answer holds a whole list ([`page`]); what people read is seen ([`text`]);
//! - what a stranger on the way must not read is sealed ([`sealed`]), and comes back masked.
#![warn(missing_docs)]

pub mod accounts;
pub mod approvals;
pub mod attestation;
pub mod behavior;
pub mod broker;
pub mod exchanges;
pub mod header;
pub mod internal;
pub mod page;
pub mod payees;
pub mod payouts;
pub mod problem;
pub mod scope;
pub mod sealed;
pub mod service;
pub mod text;
pub mod transfers;
pub mod user_agent;

mod amount;
mod build;
mod id;
mod name;
mod schema;

pub use amount::Amount;
pub use build::{Build, NotABuild};
pub use id::{Id, NotAnId};
pub use name::{AppId, ClientId, Pseudonym, SupportId};
pub use problem::Problem;
pub use sealed::Sealed;
