//! Scoring: what a payment looks like before it is made, what is thought of it, and why. The decision is stored before it is answered.

pub mod bench;
pub(crate) mod http;
mod score;
