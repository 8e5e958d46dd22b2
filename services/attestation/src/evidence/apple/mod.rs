//! Apple App Attest: the attestation of a new key, and the assertions that it signs afterwards.
//!
//! Nonce or signature come first; only what they cover is read further. Then fields that are not known are tolerated and noted ([`map`]),
//! so that the next iOS is not refused for telling more; a name that stands twice is refused, so nothing can be smuggled past two
//! different parsers.

mod assertion;
mod attestation;
mod auth_data;
mod leaf;
mod map;

pub use assertion::{Asserted, ExpectedAssertion, verify_assertion};
pub use attestation::{Expected, Trust, examine, reexamine};
