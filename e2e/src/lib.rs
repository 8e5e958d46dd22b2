//! End to end: the story of the demo and the attacks, over HTTP and the SDK only.
//!
//! Nothing here knows a service's internals. What an attack's layer was is read where an operator would read it: in the
//! audit log, under the request's id.

pub mod attacks;
pub mod browser;
pub mod classifier;
pub mod decoys;
pub mod edge;
pub mod handset;
pub mod hooked;
pub mod journey;
pub mod load;
pub mod narrator;
pub mod operator;
pub mod phone;
pub mod receipt;
pub mod report;
pub mod seed;
pub mod stack;
pub mod stuffing;

#[expect(clippy::disallowed_methods, reason = "a story and a load measure real time")]
fn instant() -> std::time::Instant {
    std::time::Instant::now()
}
