//! Signed requests, and signed answers, so that the phone notices a forged balance.

use std::borrow::Cow;

use crypto::b64;

use super::base::{self, Covered, Lines};
use super::fields::{Component, Value};
use super::{ALG, COVERED_HEADERS, MAX_AGE, REQUEST_TAG, RESPONSE_TAG, SignatureError, SignedHeaders};

const REQUEST_PARAMETERS: [&str; 5] = ["created", "nonce", "alg", "keyid", "tag"];
const RESPONSE_PARAMETERS: [&str; 3] = ["created", "alg", "tag"];
/// 128 bits as base64url.
const MIN_NONCE_CHARS: usize = 22;
const MAX_NONCE_CHARS: usize = 64;
const MAX_KEYID_CHARS: usize = 128;

/// The request as it is sent or was received.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// Host and port as in `Host` or `:authority`.
    pub authority: &'a str,
    /// The path, still encoded.
    pub path: &'a str,
    /// The query without `?`, still encoded; `None` when there is no `?`.
    pub query: Option<&'a str>,
    /// All headers (or all of [`COVERED_HEADERS`]), every occurrence of each. Names in any case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Signs a request. `nonce` is at least 128 random bits as base64url; `headers` do not hold a `Content-Digest` yet.
pub fn sign(
    key: &[u8],
    parts: &RequestParts<'_>,
    created: i64,
    nonce: &str,
    keyid: &str,
) -> Result<SignedHeaders, SignatureError> {
    let content_digest = (!parts.body.is_empty()).then(|| base::content_digest(parts.body));
    // The order is free for a verifier that keeps the signer's, as RFC 9421 §2.3 asks. In this one `httpsig` verifies, too, which has its own.
    let parameters = vec![
        ("created", Value::Integer(created)),
        ("nonce", Value::Text(nonce)),
        ("alg", Value::Text(ALG)),
        ("keyid", Value::Text(keyid)),
        ("tag", Value::Text(REQUEST_TAG)),
    ];
    let lines = request_lines(parts, content_digest.as_deref())?;
    let (signature_input, signature) = base::sign(key, &lines, parameters)?;
    Ok(SignedHeaders { content_digest, signature_input, signature })
}

/// A well-formed signature of our profile whose MAC nobody has looked at yet.
pub struct Parsed<'a> {
    covered: Covered<'a>,
    created: i64,
    nonce: &'a str,
    keyid: &'a str,
}

/// Reads the signature headers of a request. The next step is to find the key of [`Parsed::keyid`].
pub fn parse<'a>(signature_input: &'a str, signature: &str) -> Result<Parsed<'a>, SignatureError> {
    let covered = base::parse(signature_input, signature)?;
    covered.expect(&REQUEST_PARAMETERS, REQUEST_TAG)?;
    let created = covered.params.integer("created")?;
    let nonce = covered.params.text("nonce")?;
    let keyid = covered.params.text("keyid")?;
    if !(MIN_NONCE_CHARS..=MAX_NONCE_CHARS).contains(&nonce.len()) || b64::decode(nonce).is_err() {
        return Err(SignatureError::Nonce);
    }
    if keyid.is_empty() || keyid.len() > MAX_KEYID_CHARS {
        return Err(SignatureError::Parameter);
    }
    Ok(Parsed { covered, created, nonce, keyid })
}

impl Parsed<'_> {
    /// The name of the key: must be the `jti` of the attestation token in the same request.
    pub fn keyid(&self) -> &str {
        self.keyid
    }

    /// When the signature says it was made.
    pub fn created(&self) -> i64 {
        self.created
    }

    /// The nonce of the signature, for the replay memory.
    pub fn nonce(&self) -> &str {
        self.nonce
    }

    /// What must be fresh in the replay memory: the nonce, in the name space of its key.
    pub fn replay_key(&self) -> String {
        // A nonce is base64url and has no `|`, so the split is unambiguous from the right.
        format!("{}|{}", self.keyid, self.nonce)
    }

    /// Until when the replay memory must remember it.
    pub fn replay_until(&self) -> i64 {
        self.created.saturating_add(MAX_AGE)
    }

    /// Verifies the signature over the request as received.
    pub fn verify(&self, key: &[u8], parts: &RequestParts<'_>, now: i64) -> Result<(), SignatureError> {
        let digest = header(parts, "content-digest")?;
        let lines = request_lines(parts, digest)?;
        let values = self.covered.values(&lines)?;
        match digest {
            Some(digest) => base::verify_digest(digest, parts.body)?,
            None if parts.body.is_empty() => {}
            None => return Err(SignatureError::DigestMissing),
        }
        base::check_created(self.created, now)?;
        self.covered.verify_mac(key, &values)
    }
}

impl std::fmt::Debug for Parsed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parsed").field("keyid", &self.keyid).field("created", &self.created).finish_non_exhaustive()
    }
}

/// Every component that the profile covers for this request, with its value (RFC 9421 §2.1, §2.2).
fn request_lines<'a>(parts: &RequestParts<'a>, content_digest: Option<&'a str>) -> Result<Lines<'a>, SignatureError> {
    let mut lines = Vec::with_capacity(4 + COVERED_HEADERS.len());
    let path = if parts.path.is_empty() { "/" } else { parts.path };
    for (name, value) in [
        ("@method", Cow::Borrowed(parts.method)),
        ("@authority", authority(parts.authority)),
        ("@path", Cow::Borrowed(path)),
        // Default: no query is an empty one (RFC 9421 §2.2.7).
        ("@query", parts.query.map_or(Cow::Borrowed("?"), |query| Cow::Owned(format!("?{query}")))),
    ] {
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SignatureError::Message);
        }
        lines.push((Component::of(name), value));
    }
    for name in COVERED_HEADERS {
        let value = match name {
            "content-digest" => content_digest.map(base::field_value).transpose()?,
            _ => header(parts, name)?,
        };
        if let Some(value) = value {
            lines.push((Component::of(name), Cow::Borrowed(value)));
        }
    }
    Ok(lines)
}

/// The one value of a header. Two are ambiguous, whatever RFC 9421 §2.1 would join them to.
fn header<'a>(parts: &RequestParts<'a>, name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = parts.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => base::field_value(value).map(Some),
        (Some(_), Some(_)) => Err(SignatureError::Message),
    }
}

/// RFC 9421 §2.2.3: lower case, without the default port (of https, the only scheme we have).
fn authority(authority: &str) -> Cow<'_, str> {
    // Default: with any other port, or none, it stays as it is.
    let authority = authority.strip_suffix(":443").unwrap_or(authority);
    if authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(authority.to_ascii_lowercase())
    } else {
        Cow::Borrowed(authority)
    }
}

/// The answer as it is sent or was received.
#[derive(Debug, Clone, Copy)]
pub struct ResponseParts<'a> {
    /// Status code of the answer, which is covered.
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
    let parameters =
        vec![("created", Value::Integer(created)), ("alg", Value::Text(ALG)), ("tag", Value::Text(RESPONSE_TAG))];
    let lines = response_lines(parts, &content_digest, request_signature)?;
    let (signature_input, signature) = base::sign(key, &lines, parameters)?;
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
    covered.expect(&RESPONSE_PARAMETERS, RESPONSE_TAG)?;
    let created = covered.params.integer("created")?;
    let digest = headers.content_digest.as_deref().ok_or(SignatureError::DigestMissing)?;
    let lines = response_lines(parts, digest, request_signature)?;
    let values = covered.values(&lines)?;
    base::verify_digest(digest, parts.body)?;
    base::check_created(created, now)?;
    covered.verify_mac(key, &values)
}

fn response_lines<'a>(
    parts: &ResponseParts<'a>,
    content_digest: &'a str,
    request_signature: &'a str,
) -> Result<Lines<'a>, SignatureError> {
    let field = |value| base::field_value(value).map(Cow::Borrowed);
    let mut lines = vec![(Component::of("@status"), Cow::Owned(parts.status.to_string()))];
    if let Some(content_type) = parts.content_type {
        lines.push((Component::of("content-type"), field(content_type)?));
    }
    lines.push((Component::of("content-digest"), field(content_digest)?));
    lines.push((Component::of_request("signature"), field(request_signature)?));
    Ok(lines)
}
