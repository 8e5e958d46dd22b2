//! Signed answers, so that the phone notices a forged balance.

use super::base::{self, Lines, Params};
use super::{ALG, RESPONSE_TAG, SignatureError, SignedHeaders};

const PARAMETERS: [&str; 3] = ["created", "alg", "tag"];

/// The answer as it is sent or was received.
#[derive(Debug, Clone, Copy)]
pub struct ResponseParts<'a> {
    /// The status code.
    pub status: u16,
    /// `Content-Type`, when there is one.
    pub content_type: Option<&'a str>,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Signs an answer. `request_signature` is the request's `Signature` header, which the answer is bound to.
pub fn sign_response(
    key: &[u8],
    parts: &ResponseParts<'_>,
    request_signature: &str,
    created: i64,
) -> Result<SignedHeaders, SignatureError> {
    let content_digest = base::content_digest(parts.body);
    let params = base::parameters(created, &[("alg", ALG), ("tag", RESPONSE_TAG)])?;
    let (signature_input, signature) = base::sign(key, lines(parts, &content_digest, request_signature)?, params)?;
    Ok(SignedHeaders { content_digest: Some(content_digest), signature_input, signature })
}

/// Verifies that an answer is unaltered and belongs to the request with that `Signature`.
pub fn verify_response(
    key: &[u8],
    parts: &ResponseParts<'_>,
    headers: &SignedHeaders,
    request_signature: &str,
    now: i64,
) -> Result<(), SignatureError> {
    let covered = base::parse(&headers.signature_input, &headers.signature)?;
    let params = Params::exactly(&covered.params.params, &PARAMETERS)?;
    params.expect_alg_and_tag(RESPONSE_TAG)?;
    let created = params.integer("created")?;
    let digest = headers.content_digest.as_deref().ok_or(SignatureError::DigestMissing)?;
    let values = covered.values(&lines(parts, digest, request_signature)?)?;
    base::verify_digest(digest, parts.body)?;
    base::check_created(created, now)?;
    covered.verify_mac(key, &values)
}

fn lines(parts: &ResponseParts<'_>, content_digest: &str, request_signature: &str) -> Result<Lines, SignatureError> {
    let mut lines = vec![(base::component("@status", false)?, parts.status.to_string())];
    if let Some(content_type) = parts.content_type {
        lines.push((base::component("content-type", false)?, base::field_value(content_type)?));
    }
    lines.push((base::component("content-digest", false)?, base::field_value(content_digest)?));
    lines.push((base::component("signature", true)?, base::field_value(request_signature)?));
    Ok(lines)
}
