//! The layers, a module each.

mod access_token;
mod api_key;
mod attestation;
mod authorization;
mod captcha;
mod client_version;
mod host;
mod message_signature;
mod rate_limit;
mod waf;

pub use access_token::AccessTokenLayer;
pub use api_key::{ApiKeyLayer, Keyed};
pub use attestation::AttestationLayer;
pub use authorization::AuthorizationLayer;
pub use captcha::CaptchaLayer;
pub use client_version::ClientVersionLayer;
pub use host::HostLayer;
pub use message_signature::MessageSignatureLayer;
pub use rate_limit::RateLimitLayer;
pub use waf::{Suspicions, WafLayer};

#[cfg(test)]
pub(crate) mod registered;
#[cfg(test)]
mod tests;
