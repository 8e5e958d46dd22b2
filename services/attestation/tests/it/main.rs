//! What the attestation service is held to: genuine evidence, forged evidence, and the service over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod android_forged;
mod android_genuine;
mod android_odd;
mod android_version;
mod anew;
mod apple_forged;
mod apple_genuine;
mod apple_leaf;
mod apple_map;
mod apple_unknown;
mod contract;
mod corpus;
mod der;
mod description;
mod drip;
mod forge;
mod kept;
mod leaked_keybox;
mod lists;
mod migrations;
mod no_panic;
mod races;
mod reexamine;
mod refusals;
mod renewal;
mod roles;
mod rotation;
mod service;
mod stores;
mod world;
