//! The service from outside: real HTTPS, real PostgreSQL, a stand-in for attestation.
//!
//! Every negative test breaks one thing and names the check that must see it: the refusal's reason is read from the audit
//! log, because what the client is told is the same for many.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod behavior;
mod browser;
mod draft;
mod ledger;
mod passkey;
mod payer;
mod world;

mod approval_ends;
mod approvals;
mod captcha;
mod client_authentication;
mod conforming;
mod consent;
mod cookies;
mod database;
mod discovery;
mod drip;
mod flow;
mod instances;
mod invariants;
mod pages;
mod par;
mod parameters;
mod passkey_pages;
mod passkeys;
mod places;
mod races;
mod refresh;
mod refused;
mod roles;
mod roles_factors;
mod second_factor;
mod second_factor_pages;
mod sessions;
mod signals;
mod siteverify;
mod stores;
mod support;
mod throttling;
mod token;
mod userinfo;
