//! What tests, `xtask` and the demonstration stand on: a PostgreSQL from nothing, a development PKI, emulated phones and
//! stand-ins for the world outside. Never a dependency of a service's own code.
//!
//! Without the feature `full` only the PostgreSQL ladder is built, so that `xtask` starts in seconds.

#[cfg(feature = "full")]
pub mod pki;
