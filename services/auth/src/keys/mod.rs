//! The keys that sign tokens.
//!
//! Rotation is by configuration, in three restarts: publish the next key (`published_key_files`); after resource servers
//! have fetched it, sign with it and keep publishing the last one; when the last token of the old key has expired, drop it.
//! A key that is withdrawn at once (it was stolen) is in neither setting at the next start: its tokens are refused here from then on, and by
//! the resource servers within ten seconds (`defense::JwksSource`).
//! Invariant: a key's name is its RFC 7638 thumbprint, so two keys never share one.

pub mod http;

use std::path::Path;

use anyhow::Context as _;
use crypto::files;
use crypto::p256::SigningKey;
use identity::Jwk;
use identity::access_token::KeySet;
use serde_json::Value;

/// The key that signs now, and all that are published.
pub struct Keys {
    signing: SigningKey,
    kid: String,
    published: KeySet,
}

impl Keys {
    /// Reads the keys that the configuration names.
    pub fn load(signing: &Path, others: &[impl AsRef<Path>]) -> anyhow::Result<Self> {
        let others = others.iter().map(|path| read(path.as_ref())).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self::new(read(signing)?, &others))
    }

    /// Keys from memory.
    pub fn new(signing: SigningKey, others: &[SigningKey]) -> Self {
        let mut published = KeySet::default();
        for key in others.iter().chain([&signing]) {
            published.insert(name(key), key.public());
        }
        Self { kid: name(&signing), signing, published }
    }

    /// The key that signs now.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What verifies tokens of ours.
    pub fn published(&self) -> &KeySet {
        &self.published
    }

    /// `jwks_uri`'s document.
    pub fn jwks(&self) -> Value {
        self.published.to_jwks()
    }
}

fn name(key: &SigningKey) -> String {
    Jwk::from(key.public()).thumbprint().to_string()
}

fn read(path: &Path) -> anyhow::Result<SigningKey> {
    let der = files::read_secret(path)?;
    SigningKey::from_pkcs8(der.expose()).with_context(|| format!("{} is not a PKCS#8 P-256 key", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_published_under_its_thumbprint_and_no_private_member_is() {
        let (signing, next) = (SigningKey::generate(), SigningKey::generate());
        let keys = Keys::new(signing, &[next]);
        assert_eq!(keys.published().len(), 2);
        assert!(keys.published().get(keys.kid()).is_some());
        let jwks = keys.jwks();
        for key in jwks["keys"].as_array().unwrap() {
            assert_eq!(key["kid"], Jwk::from_value(key).unwrap().thumbprint().as_str());
            assert_eq!((&key["alg"], &key["use"], key.get("d")), (&"ES256".into(), &"sig".into(), None));
        }
    }
}
