//! The parts of RFC 9421 that are the same for every profile: signature base, MAC, digest.

use std::borrow::Cow;

use crypto::{b64, hash};

use super::fields::{self, Component, Params, Value};
use super::{ALG, LABEL, MAX_AGE, MAX_AHEAD, SignatureError};

/// No `Signature-Input` of ours is longer.
const MAX_INPUT_BYTES: usize = 1024;
/// No `Signature` or `Content-Digest` of ours is longer.
const MAX_VALUE_BYTES: usize = 256;
/// Bytes of a line of the base beside its value, about.
const LINE: usize = 64;
const SHA_256: &str = "sha-256";

/// A signature as received: the covered components with the parameters, and the MAC.
pub(super) struct Covered<'a> {
    pub(super) params: Params<'a>,
    pub(super) mac: Vec<u8>,
}

/// Reads `Signature-Input` and `Signature`: one signature with our label, and nothing else.
pub(super) fn parse<'a>(signature_input: &'a str, signature: &str) -> Result<Covered<'a>, SignatureError> {
    if signature_input.len() > MAX_INPUT_BYTES || signature.len() > MAX_VALUE_BYTES {
        return Err(SignatureError::TooLong);
    }
    let params = fields::only_list(signature_input, LABEL)?;
    let mac = fields::only_bytes(signature, LABEL)?;
    Ok(Covered { params, mac })
}

/// The signature base (RFC 9421 §2.5): one line for each component, then the parameters, as they are written.
pub(super) fn signature_base(
    components: &[Component<'_>],
    values: &[&str],
    params: &str,
) -> Result<String, SignatureError> {
    if components.len() != values.len() {
        return Err(SignatureError::ComponentMissing);
    }
    let length = values.iter().map(|value| value.len() + LINE).sum::<usize>() + params.len();
    let mut base = String::with_capacity(length);
    for (component, value) in components.iter().zip(values) {
        component.write(&mut base);
        for part in [": ", value, "\n"] {
            base.push_str(part);
        }
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(params);
    Ok(base)
}

/// What must be covered, with the values that this side sees.
pub(super) type Lines<'a> = Vec<(Component<'static>, Cow<'a, str>)>;

/// Signs the lines in their order; gives `Signature-Input` and `Signature`.
pub(super) fn sign(
    key: &[u8],
    lines: &Lines<'_>,
    parameters: Vec<(&str, Value<'_>)>,
) -> Result<(String, String), SignatureError> {
    let values: Vec<&str> = lines.iter().map(|(_, value)| &**value).collect();
    let params = Params { components: lines.iter().map(|(component, _)| *component).collect(), parameters };
    let written = params.write()?;
    let mac = hash::hmac_sha256(key, signature_base(&params.components, &values, &written)?.as_bytes());
    Ok((format!("{LABEL}={written}"), format!("{LABEL}=:{}:", b64::encode_standard(&mac))))
}

impl Covered<'_> {
    /// Finds the value of each covered component: exactly the given lines must be covered, in any order.
    pub(super) fn values<'l>(&self, lines: &'l Lines<'_>) -> Result<Vec<&'l str>, SignatureError> {
        let components = &self.params.components;
        let mut values = Vec::with_capacity(components.len());
        for (index, component) in components.iter().enumerate() {
            let twice = components.iter().take(index).any(|earlier| earlier == component);
            match lines.iter().find(|(known, _)| known == component) {
                Some((_, value)) if !twice => values.push(&**value),
                _ => return Err(SignatureError::ComponentUnexpected),
            }
        }
        // All are known and none is there twice, so equal numbers mean equal sets.
        if values.len() == lines.len() { Ok(values) } else { Err(SignatureError::ComponentMissing) }
    }

    /// The base of these values under what was received, written canonically (RFC 9421 §2.5: a verifier writes the parameters anew).
    pub(super) fn base(&self, values: &[&str]) -> Result<String, SignatureError> {
        signature_base(&self.params.components, values, &self.params.write()?)
    }

    /// Compares the MAC with that of the base, in constant time.
    pub(super) fn verify_mac(&self, key: &[u8], values: &[&str]) -> Result<(), SignatureError> {
        if hash::hmac_verify(key, self.base(values)?.as_bytes(), &self.mac) { Ok(()) } else { Err(SignatureError::Mac) }
    }

    /// There must be exactly the named parameters, and these two must be ours.
    pub(super) fn expect(&self, names: &[&str], tag: &str) -> Result<(), SignatureError> {
        self.params.expect_exactly(names)?;
        if self.params.text("alg")? != ALG {
            return Err(SignatureError::Algorithm);
        }
        if self.params.text("tag")? != tag {
            return Err(SignatureError::Tag);
        }
        Ok(())
    }
}

/// Checks `created` against the window.
pub(super) fn check_created(created: i64, now: i64) -> Result<(), SignatureError> {
    let age = now.saturating_sub(created);
    if (-MAX_AHEAD..=MAX_AGE).contains(&age) { Ok(()) } else { Err(SignatureError::Created) }
}

/// `Content-Digest` of a body (RFC 9530 §2).
pub(super) fn content_digest(body: &[u8]) -> String {
    format!("{SHA_256}=:{}:", b64::encode_standard(&hash::sha256(body)))
}

/// Compares `Content-Digest` with the body as received.
pub(super) fn verify_digest(field: &str, body: &[u8]) -> Result<(), SignatureError> {
    if field.len() > MAX_VALUE_BYTES {
        return Err(SignatureError::TooLong);
    }
    let digest = fields::only_bytes(field, SHA_256).map_err(|_| SignatureError::DigestMalformed)?;
    if digest.len() != 32 {
        return Err(SignatureError::DigestMalformed);
    }
    if hash::constant_time_eq(&digest, &hash::sha256(body)) { Ok(()) } else { Err(SignatureError::DigestMismatch) }
}

/// A field value as RFC 9421 §2.1 takes it: trimmed. Anything that could start a new line of the base is refused.
pub(super) fn field_value(value: &str) -> Result<&str, SignatureError> {
    let value = value.trim_matches([' ', '\t']);
    // Without a way out in the middle, many bytes are looked at at once: a token has a thousand.
    let clean = |clean: bool, byte: u8| clean & ((byte == b'\t') | (b' '..=b'~').contains(&byte));
    if value.bytes().fold(true, clean) { Ok(value) } else { Err(SignatureError::Message) }
}
