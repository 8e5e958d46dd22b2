//! HTTP message signatures (RFC 9421) with the session key: requests and answers are unaltered, and from each other.
//!
//! The profile, fixed on both sides:
//! - label `redoubt`, algorithm `hmac-sha256`, tags `redoubt-request-v1` and `redoubt-response-v1`;
//! - a request covers `@method` `@authority` `@path` `@query` and, of [`COVERED_HEADERS`], every one it carries;
//!   `content-digest` (RFC 9530, sha-256) is compulsory with a body. Nothing else may be covered, nothing may be left out;
//! - its parameters are `created`, `nonce` (once per key), `keyid` (`jti` of the attestation token), `alg`, `tag`; no other;
//! - an answer covers `@status` `content-type` `content-digest` and the request's `signature`, so it cannot be exchanged
//!   for the answer to another request.
//!
//! What is RFC 9421 (`base`, over structured fields in `fields`) and what is this profile (`messages`) are apart: the former passes the RFC's vectors, and both are tested
//! against the crate `httpsig` and Python's `http-message-signatures` in both directions.
//!
//! Verification goes from cheap to dear and from bytes to meaning: limits and syntax, covered components, digest over
//! the bytes received, time, MAC in constant time. Single use of [`Parsed::replay_key`] is the caller's last step.

mod base;
mod fields;
mod messages;

use api::header;
use thiserror::Error;

pub use messages::{Parsed, RequestParts, ResponseParts, parse, sign, sign_response, verify_response};

/// Label of our signature in its two headers; others are ignored.
pub const LABEL: &str = "redoubt";
/// The one algorithm (RFC 9421 §3.3.3).
pub const ALG: &str = "hmac-sha256";
/// Tag of a request, so that no answer is taken for one (RFC 9421 §2.3).
pub const REQUEST_TAG: &str = "redoubt-request-v1";
/// Tag of an answer.
pub const RESPONSE_TAG: &str = "redoubt-response-v1";
/// How old a signature may be, in seconds.
pub const MAX_AGE: i64 = 60;
/// How far ahead the signer's clock may be, in seconds.
pub const MAX_AHEAD: i64 = 10;
/// The headers that are covered when present, in the order in which we sign them.
pub const COVERED_HEADERS: [&str; 6] =
    ["content-type", "content-digest", "authorization", "dpop", "attestation-token", "idempotency-key"];

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// A header is longer than any of ours.
    #[error("the signature headers are too long")]
    TooLong,
    /// Not the structured fields that RFC 9421 §4 asks for, or not exactly one signature with our label.
    #[error("the signature headers are malformed")]
    Malformed,
    /// A parameter is missing, unknown or of the wrong type.
    #[error("a signature parameter is missing or unexpected")]
    Parameter,
    /// Not by [`ALG`].
    #[error("unexpected alg")]
    Algorithm,
    /// Made for another purpose.
    #[error("unexpected tag")]
    Tag,
    /// The nonce is too short, too long or not base64url.
    #[error("the nonce is not one of ours")]
    Nonce,
    /// Something that must be covered is not.
    #[error("a required component is not covered")]
    ComponentMissing,
    /// Something is covered that the profile does not know, the message does not have, or twice.
    #[error("an unexpected component is covered")]
    ComponentUnexpected,
    /// A covered part of the message is doubled or has characters that do not belong there.
    #[error("a covered part of the message is ambiguous")]
    Message,
    /// There is a body and no `Content-Digest`.
    #[error("the body has no digest")]
    DigestMissing,
    /// `Content-Digest` is not exactly one sha-256.
    #[error("the digest is malformed")]
    DigestMalformed,
    /// The body is not the one that was digested.
    #[error("the digest does not match the body")]
    DigestMismatch,
    /// `created` is outside the window.
    #[error("created is outside the window")]
    Created,
    /// The MAC does not verify.
    #[error("the signature does not verify")]
    Mac,
}

impl SignatureError {
    /// A stable word for the audit log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "signature_too_long",
            Self::Malformed => "signature_malformed",
            Self::Parameter => "parameter_invalid",
            Self::Algorithm => "alg_unexpected",
            Self::Tag => "tag_unexpected",
            Self::Nonce => "nonce_invalid",
            Self::ComponentMissing => "component_missing",
            Self::ComponentUnexpected => "component_unexpected",
            Self::Message => "message_ambiguous",
            Self::DigestMissing => "digest_missing",
            Self::DigestMalformed => "digest_malformed",
            Self::DigestMismatch => "digest_mismatch",
            Self::Created => "created_outside_window",
            Self::Mac => "signature_invalid",
        }
    }
}

/// The headers that a signature adds to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `Content-Digest`, when there is a body.
    pub content_digest: Option<String>,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

impl SignedHeaders {
    /// Reads them from a message by a function that gives the only value of a field. `None` without a signature.
    pub fn read<T: Into<String>>(single: impl Fn(&'static str) -> Option<T>) -> Option<Self> {
        let text = |name| single(name).map(Into::into);
        Some(Self {
            content_digest: text(header::CONTENT_DIGEST),
            signature_input: text(header::SIGNATURE_INPUT)?,
            signature: text(header::SIGNATURE)?,
        })
    }
}

/// Name and value of each.
impl IntoIterator for SignedHeaders {
    type Item = (&'static str, String);
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Self::Item>, 3>>;

    fn into_iter(self) -> Self::IntoIter {
        let fields = [
            self.content_digest.map(|digest| (header::CONTENT_DIGEST, digest)),
            Some((header::SIGNATURE_INPUT, self.signature_input)),
            Some((header::SIGNATURE, self.signature)),
        ];
        fields.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
