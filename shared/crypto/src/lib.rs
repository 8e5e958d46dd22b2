//! Cryptography in one place, so that nothing else in the house picks an algorithm.
//!
//! Why a crate: the services, the tokens (`identity`) and the storage of third-party secrets need the same few
//! primitives; here each exists once, with its sizes and its misuse closed off. Signatures, MACs, hashes, key
//! derivation, key agreement, the encryption of single fields and randomness come from aws-lc-rs (the implementation under our
//! TLS); encryption at rest from `aes-gcm`; passwords from `argon2`; HPKE and the algorithms of TLS from rustls.
//!
//! Invariants:
//! - a secret does not print: it lives in a [`Secret`], which is cleared when dropped;
//! - secrets and tags are compared in constant time;
//! - there is one source of randomness, [`random`];
//! - nothing here reads a clock; only [`files`] and [`envelope::FileKek`] read a file.
#![warn(missing_docs)]

pub mod agreement;
pub mod b64;
pub mod envelope;
pub mod files;
pub mod hash;
pub mod hpke;
pub mod p256;
pub mod password;
pub mod random;
mod secret;
pub mod tls;

pub use secret::{Secret, SecretBytes, SecretString};
