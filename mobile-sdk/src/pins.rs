//! Which public keys our servers may have: SHA-256 of the `SubjectPublicKeyInfo` (RFC 7469 §2.4), per host.
//!
//! Invariants: a set names at least two keys per host, one of them a backup that is not in use yet, so that a key can be
//! replaced without an update of the app; a host that is not in the set, or a set that has expired, is refused. Never "no
//! pinning".

use std::collections::BTreeMap;

use crypto::b64;
use crypto::hash::sha256;
use rustls_pki_types::CertificateDer;

use crate::Error;

/// SHA-256 of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// From standard base64, as `openssl … | openssl dgst -sha256 -binary | base64` prints it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = b64::decode_standard(text).map_err(|_| Error::Config("a pin is not base64"))?;
        Ok(Self(bytes.try_into().map_err(|_| Error::Config("a pin is not 32 bytes"))?))
    }

    /// The pin of a public key (DER of its `SubjectPublicKeyInfo`).
    pub fn of_key(spki: &[u8]) -> Self {
        Self(sha256(spki))
    }

    /// The pin of a certificate's key.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = webpki::EndEntityCert::try_from(certificate).map_err(|_| Error::Config("not a certificate"))?;
        Ok(Self::of_key(&parsed.subject_public_key_info()))
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&b64::encode_standard(&self.0))
    }
}

/// The keys of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPins {
    /// In use: the server's key or an authority's above it.
    pub current: Vec<Pin>,
    /// Made already, kept offline, not in use yet.
    pub backup: Vec<Pin>,
}

/// All pins that a build of the app is shipped with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinSet {
    hosts: BTreeMap<String, HostPins>,
    expires: i64,
}

impl PinSet {
    /// A set that is refused after `expires` (Unix seconds).
    pub fn new(hosts: BTreeMap<String, HostPins>, expires: i64) -> Result<Self, Error> {
        for pins in hosts.values() {
            if pins.current.is_empty() || !pins.backup.iter().any(|backup| !pins.current.contains(backup)) {
                return Err(Error::Config("every host needs a pin in use and a backup pin of another key"));
            }
        }
        Ok(Self { hosts, expires })
    }

    /// The same keys for several hosts.
    pub fn for_hosts(hosts: &[&str], pins: &HostPins, expires: i64) -> Result<Self, Error> {
        Self::new(hosts.iter().map(|host| ((*host).to_owned(), pins.clone())).collect(), expires)
    }

    pub(crate) fn knows(&self, host: &str) -> bool {
        self.hosts.contains_key(host)
    }

    pub(crate) fn has_expired(&self, now: i64) -> bool {
        now > self.expires
    }

    /// Whether one of the keys of a verified path is pinned for `host`.
    pub(crate) fn accepts(&self, host: &str, mut path: impl Iterator<Item = Pin>) -> bool {
        let Some(pins) = self.hosts.get(host) else { return false };
        path.any(|pin| pins.current.contains(&pin) || pins.backup.contains(&pin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(current: &[u8], backup: &[u8]) -> HostPins {
        let make = |bytes: &[u8]| bytes.iter().map(|byte| Pin::of_key(&[*byte])).collect();
        HostPins { current: make(current), backup: make(backup) }
    }

    #[test]
    fn a_host_without_a_backup_of_another_key_is_refused() {
        for bad in [pins(&[1], &[]), pins(&[], &[1]), pins(&[1], &[1])] {
            assert_eq!(PinSet::for_hosts(&["a"], &bad, 0).unwrap_err().code(), "sdk.config_invalid");
        }
        assert!(PinSet::for_hosts(&["a"], &pins(&[1], &[2]), 0).is_ok());
    }

    #[test]
    fn a_pin_counts_for_its_own_host_only() {
        let set = PinSet::for_hosts(&["a"], &pins(&[1], &[2]), 100).unwrap();
        assert!(set.accepts("a", [Pin::of_key(&[2])].into_iter()));
        assert!(!set.accepts("a", [Pin::of_key(&[3])].into_iter()));
        assert!(!set.accepts("b", [Pin::of_key(&[1])].into_iter()));
        assert!(!set.accepts("a", std::iter::empty()));
        assert!(!set.has_expired(100) && set.has_expired(101));
    }

    #[test]
    fn a_pin_survives_its_text() {
        let pin = Pin::of_key(b"key");
        assert_eq!(Pin::parse(&pin.to_string()), Ok(pin));
        assert!(Pin::parse("AAAA").is_err());
    }
}
