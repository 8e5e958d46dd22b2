//! Operations: what a service of the house may ask of a third party, by name.
//!
//! A call passes, in this order: the caller's right to it, its parameters, the cache, the provider's [`gate`] (breaker, bulkhead,
//! quota), the secret, the way out (`crate::egress`), the [`scrub`] of the answer, and the allow-list of its fields.
//! Whatever an upstream sends, the caller gets a few checked scalars or a problem of ours.
//!
//! - [`desk`]: one call from beginning to end, with its retries;
//! - [`exchange`]: one request and its answer;
//! - [`connections`], [`cache`], [`gate`], [`scrub`], [`sheet`]: the parts.

pub mod cache;
mod connections;
pub mod desk;
mod exchange;
pub mod gate;
pub mod http;
pub mod scrub;
pub mod sheet;

pub use desk::Desk;
