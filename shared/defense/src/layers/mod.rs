//! The layers, a module each.

mod access_token;
mod attestation;
mod authorization;
mod message_signature;

pub use access_token::AccessTokenLayer;
pub use attestation::AttestationLayer;
pub use authorization::AuthorizationLayer;
pub use message_signature::MessageSignatureLayer;
