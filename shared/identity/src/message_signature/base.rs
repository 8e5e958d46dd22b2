//! The parts of RFC 9421 that are the same for every profile: structured fields, signature base, digest.

use std::borrow::Cow;

use crypto::{b64, hash};
use sfv::{
    BareItem, Dictionary, InnerList, Integer, Item, ItemSerializer, KeyRef, ListEntry, ListSerializer, Parameters,
    Parser, StringRef, key_ref,
};

use super::{ALG, LABEL, MAX_AGE, MAX_AHEAD, SignatureError};

/// No `Signature-Input` of ours is longer.
const MAX_INPUT_BYTES: usize = 1024;
/// No `Signature` or `Content-Digest` of ours is longer.
const MAX_VALUE_BYTES: usize = 256;
/// Bytes of a line of the base beside its value, about, and of the parameters at its end.
const LINE: usize = 64;
const SHA_256: &KeyRef = key_ref("sha-256");

/// A signature as received: the covered components with the parameters, and the MAC.
pub(super) struct Covered {
    pub(super) params: InnerList,
    pub(super) mac: Vec<u8>,
}

/// Reads `Signature-Input` and `Signature`: one signature with our label, and nothing else.
pub(super) fn parse(signature_input: &str, signature: &str) -> Result<Covered, SignatureError> {
    if signature_input.len() > MAX_INPUT_BYTES || signature.len() > MAX_VALUE_BYTES {
        return Err(SignatureError::TooLong);
    }
    let ListEntry::InnerList(params) = only_member(signature_input, LABEL)? else {
        return Err(SignatureError::Malformed);
    };
    // Of two parameters of one name the parser keeps the last (RFC 9651 §4.2.3.2); another reader may have taken the first.
    let read = params.params.len() + params.items.iter().map(|item| item.params.len()).sum::<usize>();
    if read != written_parameters(signature_input) {
        return Err(SignatureError::Parameter);
    }
    let mac = only_bytes(signature, LABEL)?;
    Ok(Covered { params, mac })
}

/// How many parameters a well-formed field has: each begins with the only semicolon that stands outside of a string.
fn written_parameters(field: &str) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in field.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b';' if !in_string => count += 1,
            _ => (),
        }
    }
    count
}

/// The member `name` of a dictionary that has no other.
fn only_member(field: &str, name: &str) -> Result<ListEntry, SignatureError> {
    // The parser keeps the last of two members of one name (RFC 9651 §4.2.2); two are refused here.
    if field.split(',').count() != 1 {
        return Err(SignatureError::Malformed);
    }
    let fields: Dictionary = Parser::new(field).parse().map_err(|_| SignatureError::Malformed)?;
    let mut members = fields.into_iter();
    match (members.next(), members.next()) {
        (Some((key, entry)), None) if key.as_str() == name => Ok(entry),
        _ => Err(SignatureError::Malformed),
    }
}

fn only_bytes(field: &str, name: &str) -> Result<Vec<u8>, SignatureError> {
    match only_member(field, name)? {
        ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), params }) if params.is_empty() => Ok(bytes),
        _ => Err(SignatureError::Malformed),
    }
}

/// The signature base (RFC 9421 §2.5): one line for each component, then the parameters.
pub(super) fn signature_base(params: &InnerList, values: &[&str]) -> Result<String, SignatureError> {
    if params.items.len() != values.len() {
        return Err(SignatureError::ComponentMissing);
    }
    let mut base = String::with_capacity(values.iter().map(|value| value.len() + LINE).sum());
    for (item, value) in params.items.iter().zip(values) {
        let identifier = ItemSerializer::new().bare_item(&item.bare_item).parameters(&item.params).finish();
        for part in [identifier.as_str(), ": ", value, "\n"] {
            base.push_str(part);
        }
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(&serialize(params)?);
    Ok(base)
}

/// An inner list as RFC 9651 §4.1.1.1 writes it.
fn serialize(params: &InnerList) -> Result<String, SignatureError> {
    let mut list = ListSerializer::new();
    {
        let mut inner = list.inner_list();
        inner.items(&params.items);
        inner.finish().parameters(&params.params);
    }
    list.finish().ok_or(SignatureError::Malformed)
}

/// What must be covered, with the values that this side sees.
pub(super) type Lines<'a> = Vec<(Item, Cow<'a, str>)>;

/// Signs the lines in their order; gives `Signature-Input` and `Signature`.
pub(super) fn sign(key: &[u8], lines: Lines<'_>, params: Parameters) -> Result<(String, String), SignatureError> {
    let (items, values): (Vec<Item>, Vec<Cow<'_, str>>) = lines.into_iter().unzip();
    let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    let params = InnerList::with_params(items, params);
    let mac = hash::hmac_sha256(key, signature_base(&params, &values)?.as_bytes());
    Ok((format!("{LABEL}={}", serialize(&params)?), format!("{LABEL}=:{}:", b64::encode_standard(&mac))))
}

impl Covered {
    /// Finds the value of each covered component: exactly the given lines must be covered, in any order.
    pub(super) fn values<'a>(&self, lines: &'a Lines<'_>) -> Result<Vec<&'a str>, SignatureError> {
        let items = &self.params.items;
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let twice = items.iter().take(index).any(|earlier| earlier == item);
            match lines.iter().find(|(known, _)| known == item) {
                Some((_, value)) if !twice => values.push(&**value),
                _ => return Err(SignatureError::ComponentUnexpected),
            }
        }
        // All are known and none is there twice, so equal numbers mean equal sets.
        if values.len() == lines.len() { Ok(values) } else { Err(SignatureError::ComponentMissing) }
    }

    /// Compares the MAC with that of the base, in constant time.
    pub(super) fn verify_mac(&self, key: &[u8], values: &[&str]) -> Result<(), SignatureError> {
        let base = signature_base(&self.params, values)?;
        if hash::hmac_verify(key, base.as_bytes(), &self.mac) { Ok(()) } else { Err(SignatureError::Mac) }
    }
}

/// A component identifier; `req` marks one of the request inside an answer (RFC 9421 §2.4).
pub(super) fn component(name: &str, req: bool) -> Result<Item, SignatureError> {
    let mut params = Parameters::new();
    if req {
        params.insert(key_ref("req").to_owned(), BareItem::Boolean(true));
    }
    Ok(Item::with_params(text(name)?, params))
}

/// A structured-field string.
fn text(value: &str) -> Result<BareItem, SignatureError> {
    StringRef::from_str(value).map(BareItem::from).map_err(|_| SignatureError::Parameter)
}

/// The parameters to sign under: `created`, then the texts.
pub(super) fn parameters(created: i64, texts: &[(&'static str, &str)]) -> Result<Parameters, SignatureError> {
    let created = Integer::try_from(created).map_err(|_| SignatureError::Parameter)?;
    let mut params = Parameters::new();
    params.insert(key_ref("created").to_owned(), created.into());
    for (name, value) in texts {
        params.insert(key_ref(name).to_owned(), text(value)?);
    }
    Ok(params)
}

/// The parameters of a signature as received.
pub(super) struct Params<'a>(&'a Parameters);

impl<'a> Params<'a> {
    /// There must be exactly the named parameters.
    pub(super) fn exactly(params: &'a Parameters, names: &[&str]) -> Result<Self, SignatureError> {
        if params.len() != names.len() || !names.iter().all(|name| params.contains_key(*name)) {
            return Err(SignatureError::Parameter);
        }
        Ok(Self(params))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, SignatureError> {
        let value = self.0.get(name).and_then(BareItem::as_string);
        value.map(StringRef::as_str).ok_or(SignatureError::Parameter)
    }

    pub(super) fn integer(&self, name: &str) -> Result<i64, SignatureError> {
        self.0.get(name).and_then(BareItem::as_integer).map(i64::from).ok_or(SignatureError::Parameter)
    }

    pub(super) fn expect_alg_and_tag(&self, tag: &str) -> Result<(), SignatureError> {
        if self.text("alg")? != ALG {
            return Err(SignatureError::Algorithm);
        }
        if self.text("tag")? != tag {
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
    let digest = only_bytes(field, SHA_256.as_str()).map_err(|_| SignatureError::DigestMalformed)?;
    if digest.len() != 32 {
        return Err(SignatureError::DigestMalformed);
    }
    if hash::constant_time_eq(&digest, &hash::sha256(body)) { Ok(()) } else { Err(SignatureError::DigestMismatch) }
}

/// A field value as RFC 9421 §2.1 takes it: trimmed. Anything that could start a new line of the base is refused.
pub(super) fn field_value(value: &str) -> Result<&str, SignatureError> {
    let value = value.trim_matches([' ', '\t']);
    if value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        Ok(value)
    } else {
        Err(SignatureError::Message)
    }
}
