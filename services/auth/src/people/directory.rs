//! Personal data: how an address is spelled, found and sealed.

use api::text::Flaw;
use crypto::envelope::{self, Context, EnvelopeError, KekProvider};
use crypto::{Secret, SecretBytes, hash};
use identity::Thumbprint;

use crate::ids::UserId;
use crate::opaque::Digest;

const MAX_ADDRESS: usize = 254;
const MAX_NAME: usize = 100;

/// The one spelling of an identifier that somebody typed; not necessarily an address.
pub(super) fn normalize(typed: &str) -> String {
    typed.trim().to_lowercase()
}

/// Whether a normalised identifier can be an e-mail address. ASCII only: no two that look alike, no two spellings.
pub(super) fn is_address(identifier: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&byte);
    let Some((local, domain)) = identifier.split_once('@') else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    identifier.len() <= MAX_ADDRESS
        && !local.is_empty()
        && local.bytes().all(plain)
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// A name as people write theirs; `None` for what is none.
pub(super) fn name(typed: &str) -> Option<&str> {
    let name = typed.trim();
    let fits = !name.is_empty() && name.chars().count() <= MAX_NAME && Flaw::of(name).is_none();
    fits.then_some(name)
}

/// What a person has told us about themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    /// Their normalised address.
    pub email: String,
}

/// A profile as the database has it.
pub(crate) struct SealedProfile {
    pub(crate) name: Vec<u8>,
    pub(crate) email: Vec<u8>,
}

pub struct Directory<K> {
    kek: K,
    lookup_key: Secret<[u8; 32]>,
}

impl<K: KekProvider> Directory<K> {
    /// `lookup_key` finds, `kek` seals.
    pub fn new(kek: K, lookup_key: Secret<[u8; 32]>) -> Self {
        Self { kek, lookup_key }
    }

    /// Under what an address is found.
    pub fn lookup(&self, identifier: &str) -> Digest {
        self.keyed("email", &[identifier])
    }

    /// Under what failures are counted: the identifier, or the identifier on a device that its owner uses.
    pub fn throttle(&self, identifier: &str, known_device: Option<&Thumbprint>) -> Digest {
        match known_device {
            None => self.keyed("throttle", &[identifier]),
            Some(jkt) => self.keyed("throttle", &[identifier, jkt.as_str()]),
        }
    }

    /// Under what a person's failures with the second factor are counted: anywhere, or on a device that the person uses.
    pub fn second_factor(&self, user: UserId, known_device: Option<&Thumbprint>) -> Digest {
        match known_device {
            None => self.keyed("second_factor", &[&user.to_string()]),
            Some(jkt) => self.keyed("second_factor", &[&user.to_string(), jkt.as_str()]),
        }
    }

    /// Under what a recovery code of a person is found.
    pub fn recovery(&self, user: UserId, code: &str) -> Digest {
        self.keyed("recovery", &[&user.to_string(), code])
    }

    /// For what somebody typed, whether or not anybody has it: under what captchas are asked of it.
    pub fn captcha(&self, typed: &str) -> [u8; 32] {
        self.mac("captcha", &[&normalize(typed)])
    }

    fn keyed(&self, purpose: &str, parts: &[&str]) -> Digest {
        Digest(self.mac(purpose, parts).to_vec())
    }

    fn mac(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        let parts = hash::length_prefixed(parts.iter().map(|part| part.as_bytes()));
        hash::hmac_sha256(self.lookup_key.expose(), &[purpose.as_bytes(), &parts].concat())
    }

    pub(crate) fn seal(&self, user: UserId, profile: &Profile) -> Result<SealedProfile, EnvelopeError> {
        let id = user.to_string();
        let seal = |purpose, text: &str| envelope::seal(&self.kek, &context(purpose, &id), text.as_bytes());
        Ok(SealedProfile { name: seal(NAME, &profile.name)?, email: seal(EMAIL, &profile.email)? })
    }

    /// Seals what else is personal, for this purpose and this row.
    pub(crate) fn seal_text(&self, purpose: &str, row: &str, text: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        envelope::seal(&self.kek, &context(purpose, row), text)
    }

    /// Opens it.
    pub(crate) fn open_text(&self, purpose: &str, row: &str, record: &[u8]) -> Result<SecretBytes, EnvelopeError> {
        envelope::open(&self.kek, &context(purpose, row), record)
    }

    pub(crate) fn open(&self, user: UserId, sealed: &SealedProfile) -> Result<Profile, EnvelopeError> {
        let id = user.to_string();
        let open = |purpose, record: &[u8]| {
            let text = envelope::open(&self.kek, &context(purpose, &id), record)?;
            String::from_utf8(text.expose().clone()).map_err(|_| EnvelopeError::Malformed)
        };
        Ok(Profile { name: open(NAME, &sealed.name)?, email: open(EMAIL, &sealed.email)? })
    }
}

const NAME: &str = "auth.users.name";
const EMAIL: &str = "auth.users.email";

// Text: as it is authenticated.
fn context<'a>(purpose: &'a str, id: &'a str) -> Context<'a> {
    Context { purpose, id, version: 1, bound_to: &[] }
}

#[cfg(test)]
mod tests {
    use crypto::envelope::FileKek;

    use super::*;

    fn directory(kek: u8, lookup: u8) -> Directory<FileKek> {
        Directory::new(FileKek::from_key(Secret::new([kek; 32])), Secret::new([lookup; 32]))
    }

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(normalize("  Alice@Example.ORG "), "alice@example.org");
        let directory = directory(1, 2);
        assert_eq!(directory.lookup(&normalize("ALICE@example.org")), directory.lookup("alice@example.org"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for good in ["a@b.example", "first.last+tag@sub-domain.example", "o'hara@x.example"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@b.example", "a".repeat(250));
        for bad in [
            "",
            "a",
            "a@b",
            "@b.example",
            "a@",
            "a@@b.example",
            "a b@c.example",
            "a@b..example",
            "ä@b.example",
            "a@-b.example",
            "a@b.example\r\nx: y",
            "<a@b.example>",
            &long,
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn names_are_free_but_bounded() {
        assert_eq!(name(" Zoë O’Hara "), Some("Zoë O’Hara"));
        assert_eq!((name("  "), name("a\u{0}b"), name("a\nb")), (None, None, None));
        assert!(name(&"x".repeat(101)).is_none());
        assert_eq!((name("Al\u{200b}ice"), name("\u{202e}ecilA"), name("\u{3164}")), (None, None, None));
    }

    #[test]
    fn a_profile_opens_for_its_own_row_and_key_only() {
        let (alice, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let profile = Profile { name: "Alice".into(), email: "alice@example.org".into() };
        let sealed = directory(1, 2).seal(alice, &profile).unwrap();
        assert_eq!(directory(1, 9).open(alice, &sealed), Ok(profile));
        assert!(directory(1, 2).open(bob, &sealed).is_err());
        assert!(directory(3, 2).open(alice, &sealed).is_err());
        let swapped = SealedProfile { name: sealed.email, email: sealed.name };
        assert!(directory(1, 2).open(alice, &swapped).is_err());
    }

    #[test]
    fn look_up_and_counters_do_not_share_a_hash() {
        let directory = directory(1, 2);
        let jkt: Thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap();
        let hashes = [
            directory.lookup("a@b.example"),
            directory.throttle("a@b.example", None),
            directory.throttle("a@b.example", Some(&jkt)),
            directory.throttle(&format!("a@b.example{jkt}"), None),
            Digest(directory.captcha("A@b.example ").to_vec()),
            directory.second_factor(UserId::from_bytes([1; 16]), None),
            directory.second_factor(UserId::from_bytes([2; 16]), None),
            directory.recovery(UserId::from_bytes([1; 16]), "a"),
            directory.recovery(UserId::from_bytes([2; 16]), "a"),
        ];
        assert_eq!(directory.captcha("A@b.example "), directory.captcha("a@b.example"), "one spelling");
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[index + 1..].contains(hash));
        }
    }
}
