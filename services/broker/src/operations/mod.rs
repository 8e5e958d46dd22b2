//! Operations: what a service of the house may ask of a third party, by name.
//!
//! A call passes, in this order: the caller's right to it, its parameters, the cache, the provider's [`gate`] (breaker, bulkhead,
//! quota), the secret, the way out (`crate::egress`), the [`scrub`] of the answer, and the allow-list of its fields.
//! Whatever an upstream sends, the caller gets a few checked scalars or a problem of ours.
//!
//! - [`call`]: one call from beginning to end, with its retries;
//! - [`round_trip`]: one HTTP request and what its answer means;
//! - [`connections`], [`cache`], [`gate`], [`scrub`], [`sheet`]: the parts.

pub mod cache;
pub mod call;
mod connections;
pub mod gate;
pub mod http;
mod round_trip;
pub mod scrub;
pub mod sheet;

pub use call::Operations;
