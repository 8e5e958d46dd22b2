//! The attestation service: *what* calls.
pub mod evidence;
