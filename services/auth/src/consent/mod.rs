//! The person's answer: what this client may do in their name, or nothing.
//!
//! A *grant* is the consent and the root of everything issued under it: one code, one refresh token, access tokens. Revoking
//! it ends them all. Invariant: the answer, the grant and the code are written in one transaction that also uses the
//! request up, so one request has one answer.

mod decide;
pub mod http;
pub mod scopes;
pub(crate) mod store;

pub use decide::{Decision, decide};
