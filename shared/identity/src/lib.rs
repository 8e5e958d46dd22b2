//! Who and what calls: the tokens, proofs and signatures of the house, pure of I/O.
//!
//! Why a crate: phone and services must agree on every byte, so both halves of each format stand side by side here and
//! are tested against each other and against the RFCs' own vectors. No web framework, no runtime, no HTTP client: the
//! mobile SDK links it.
//!
//! Invariants:
//! - time is a parameter, randomness comes from the caller; the memories ([`replay`], [`dpop::Nonces`]) are explicit objects;
//! - a format has one algorithm and one `typ`, so no token can be taken for another;
//! - every refusal is an enum variant with a stable [`reason`](jose::JoseError::reason) for the audit log; what the
//!   caller of the API learns is decided elsewhere;
//! - size is checked before decoding, a signature before its claims are believed, single use last.
#![warn(missing_docs)]

pub mod access_token;
pub mod attestation_token;
pub mod attested_answer;
pub mod client_attestation;
pub mod dpop;
pub mod evidence;
pub mod instance_proof;
pub mod jose;
pub mod json;
pub mod jwe;
pub mod jwk;
pub mod message_signature;
pub mod numeric_date;
mod principal;
pub mod replay;
pub mod sealed_field;
pub mod sealed_session;
mod signer;
mod token;
mod verified;

pub use api::attestation::{App, Platform};
pub use jwk::{Jwk, Thumbprint};
pub use principal::{Cnf, Instance, Level, Principal};
pub use signer::{DeviceSigner, SignError};
pub use token::{TokenError, claimed_support_id};
