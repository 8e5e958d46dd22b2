//! The ledger from outside: real TLS on both sides, a real PostgreSQL under the real roles, every layer in front, stand-ins for auth,
//! attestation and the broker.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod allocation;
mod approvals;
mod asked_once;
mod broker;
mod closed;
mod concurrency;
mod contract;
mod database;
mod deadlines;
#[path = "../../../auth/tests/relying_party/docs.rs"]
mod docs;
mod documentation;
mod drip;
// What drives a browser stands once, beside the login pages' tests.
#[path = "../../../auth/tests/relying_party/drivers.rs"]
mod drivers;
mod engine;
mod exchanges;
mod exemptions;
mod faults;
mod freeze;
mod guards;
mod held;
mod inputs;
mod internal;
mod invariants;
mod lanes;
mod layers;
mod names;
mod names_guarded;
mod new_instances;
mod new_payees;
#[path = "../../../auth/tests/relying_party/npm.rs"]
mod npm;
mod outbox;
mod payees;
mod payout_histories;
mod payouts;
mod places;
mod providers;
mod restored;
mod risk;
mod roles;
mod schemas;
mod sealed;
mod stops;
mod stores;
mod suspense;
mod times;
mod transfers;
mod watching;
mod world;
mod writing;
