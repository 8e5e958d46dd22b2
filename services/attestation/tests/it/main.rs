//! What the attestation service is held to: genuine evidence, forged evidence, and the service over HTTP.
#![expect(clippy::unwrap_used, reason = "tests")]

mod android_genuine;
mod apple_genuine;
mod corpus;
mod der;
mod description;
