//! What tests, `xtask` and the demonstration stand on: a PostgreSQL from nothing, a development PKI, emulated phones and
//! stand-ins for the world outside. Never a dependency of a service's own code.
//!
//! Without the feature `full` only the PostgreSQL ladder is built, so that `xtask` starts in seconds.

#[cfg(feature = "full")]
pub mod audit;
#[cfg(feature = "full")]
pub mod authority;
#[cfg(feature = "full")]
pub mod clock;
#[cfg(feature = "full")]
pub mod collector;
#[cfg(feature = "full")]
pub mod database;
#[cfg(feature = "full")]
pub mod drip;
#[cfg(feature = "full")]
pub mod partner;
#[cfg(feature = "full")]
pub mod phone;
#[cfg(feature = "full")]
pub mod pki;
pub mod postgres;
#[cfg(feature = "full")]
pub mod proxy;
#[cfg(feature = "full")]
pub mod server;
