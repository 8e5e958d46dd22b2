//! API keys: which build of which app a request is meant to come from. A key stands in every copy of the app, so it proves nothing and opens
//! nothing: it lets us tell one app's traffic from another's, and switch a leaked one off.
//!
//! The printed form is `rdk_<id>_<random><checksum>` in lower-case hexadecimal, 10, 32 and 8 digits. By the prefix and the checksum scanners
//! of source code find keys that somebody has published, and tell them from other hexadecimal text.

use std::fmt;

use crypto::{SecretString, hash, random};
use serde::{Deserialize, Serialize};

const PREFIX: &str = "rdk_";
const ID: usize = 10;
const RANDOM: usize = 32;
const CHECKSUM: usize = 8;

/// The part of a key that may be shown: its name in the register, in logs and to support.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiKeyId(String);

impl ApiKeyId {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ApiKeyId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == ID && is_hex(&text) {
            Ok(Self(text))
        } else {
            Err("an API key's id has 10 hexadecimal digits")
        }
    }
}

impl From<ApiKeyId> for String {
    fn from(id: ApiKeyId) -> Self {
        id.0
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key of the right form. Whether it is one of ours, [`crate::AppRegister`] knows.
pub struct ApiKey {
    id: ApiKeyId,
    text: SecretString,
}

impl ApiKey {
    /// A fresh one.
    pub fn generate() -> Self {
        let id = hex::encode(random::bytes::<{ ID / 2 }>());
        let stem = format!("{PREFIX}{id}_{}", hex::encode(random::bytes::<{ RANDOM / 2 }>()));
        let text = SecretString::new(format!("{stem}{}", checksum(&stem)));
        Self { id: ApiKeyId(id), text }
    }

    /// Reads the printed form. `None` for everything else, before anything is looked up.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = ApiKeyId::try_from(id.to_owned()).ok()?;
        if rest.len() != RANDOM + CHECKSUM || !is_hex(rest) {
            return None;
        }
        let (stem, sum) = text.split_at_checked(text.len() - CHECKSUM)?;
        // No secret: it is there so that a mistyped key costs no look-up.
        (checksum(stem) == sum).then(|| Self { id, text: SecretString::new(text.to_owned()) })
    }

    /// Its name.
    pub fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// The printed form, for the app.
    pub fn text(&self) -> &SecretString {
        &self.text
    }

    /// What is stored of it: HMAC-SHA-256 of the printed form under `pepper`, so that who reads the register has no key.
    pub fn mac(&self, pepper: &[u8]) -> [u8; 32] {
        hash::hmac_sha256(pepper, self.text.expose().as_bytes())
    }
}

fn checksum(stem: &str) -> String {
    let mut digits = hex::encode(hash::sha256(stem.as_bytes()));
    digits.truncate(CHECKSUM);
    digits
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_printed_and_no_two_are_alike() {
        let (one, other) = (ApiKey::generate(), ApiKey::generate());
        let again = ApiKey::parse(one.text().expose()).unwrap();
        assert_eq!((again.id(), again.mac(b"pepper")), (one.id(), one.mac(b"pepper")));
        assert_eq!(one.text().expose().len(), 4 + 10 + 1 + 40);
        assert!(one.id() != other.id() && one.mac(b"pepper") != other.mac(b"pepper"));
        assert_ne!(one.mac(b"pepper"), one.mac(b"other"));
    }

    #[test]
    fn each_digit_counts() {
        let text = ApiKey::generate().text().expose().clone();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert!(ApiKey::parse(std::str::from_utf8(&changed).unwrap()).is_none(), "{at}");
        }
        for form in
            [&text[1..], &text[..text.len() - 1], &format!("{text}0"), &text.to_uppercase(), "", "rdk__", "\u{e9}"]
        {
            assert!(ApiKey::parse(form).is_none(), "{form}");
        }
    }
}
