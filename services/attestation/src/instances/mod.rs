//! Instances: installations of the app that have attested, named by the thumbprint of their device key.
//!
//! Invariants, also held by the database: once decoyed, always decoyed (or the change would tell); an App Attest key belongs to one
//! instance for ever; its counter only rises, and raising it is one statement that compares and sets.

pub(crate) mod store;
