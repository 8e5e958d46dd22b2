//! Apple App Attest: the attestation of a new key, and the assertions that it signs afterwards.
//!
//! Both are CBOR of fixed form, compared to the byte. The only bytes that may follow are the map that iOS 27 appends
//! ([`auth_data`]); anything else is refused, so nothing can be smuggled past two different parsers.

mod assertion;
mod attestation;
mod auth_data;

pub use assertion::{Asserted, verify_assertion};
pub use attestation::{Expected, Trust, examine};
