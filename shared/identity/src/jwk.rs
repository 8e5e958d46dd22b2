//! Public P-256 keys as JWK (RFC 7517, RFC 7518 §6.2) and their thumbprints (RFC 7638).
//!
//! A JWK with any private or symmetric member is refused, not cleaned: whoever sends one has lost the key.

use std::fmt;
use std::str::FromStr;

use crypto::p256::PublicKey;
use crypto::{b64, hash};
use serde::de::{Deserializer, Error as _, IgnoredAny};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a JWK is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a usable public P-256 JWK: {0}")]
pub struct JwkError(String);

impl JwkError {
    pub(crate) fn document(what: &str) -> Self {
        Self(what.to_owned())
    }

    /// A stable word for the audit log.
    pub fn reason(&self) -> &'static str {
        "jwk_invalid"
    }
}

/// A public P-256 key with the members that JWKS documents use.
///
/// Two are equal when the keys are, whatever they are called.
#[derive(Debug, Clone)]
pub struct Jwk {
    key: PublicKey,
    kid: Option<String>,
}

impl Jwk {
    /// The same key under a name; `use` and `alg` are then written as well, as a JWKS wants them.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The name, when it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key, ready to verify with.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The JWK SHA-256 thumbprint (RFC 7638): names the key, whatever else the JWK says.
    pub fn thumbprint(&self) -> Thumbprint {
        let (x, y) = (b64::encode(self.key.x()), b64::encode(self.key.y()));
        thumbprint_of(&[("crv", "P-256"), ("kty", "EC"), ("x", &x), ("y", &y)])
    }

    /// Reads a JWK out of parsed JSON.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, JwkError> {
        Self::deserialize(value).map_err(|error| JwkError(error.to_string()))
    }

    /// The JWK as parsed JSON.
    pub fn to_value(&self) -> serde_json::Value {
        let mut members = serde_json::Map::new();
        let mut put = |name: &str, value: &str| members.insert(name.to_owned(), value.into());
        put("kty", "EC");
        put("crv", "P-256");
        put("x", &b64::encode(self.key.x()));
        put("y", &b64::encode(self.key.y()));
        if let Some(kid) = &self.kid {
            put("kid", kid);
            put("use", "sig");
            put("alg", "ES256");
        }
        serde_json::Value::Object(members)
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Jwk {}

impl From<PublicKey> for Jwk {
    fn from(key: PublicKey) -> Self {
        Self { key, kid: None }
    }
}

impl From<Jwk> for PublicKey {
    fn from(jwk: Jwk) -> Self {
        jwk.key
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        if members.kty != "EC" || members.crv != "P-256" {
            return Err(D::Error::custom("only kty EC with crv P-256"));
        }
        if members.alg.is_some_and(|alg| alg != "ES256") || members.usage.is_some_and(|usage| usage != "sig") {
            return Err(D::Error::custom("only alg ES256 and use sig"));
        }
        let coordinate = |text: &str| b64::decode(text).map_err(D::Error::custom);
        let key = PublicKey::from_xy(&coordinate(&members.x)?, &coordinate(&members.y)?).map_err(D::Error::custom)?;
        Ok(Self { key, kid: members.kid })
    }
}

/// RFC 7638 §3: the required members only, in lexicographic order, without whitespace. Values need no escapes.
fn thumbprint_of(members: &[(&str, &str)]) -> Thumbprint {
    let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
    let canonical = format!("{{{}}}", members.join(","));
    Thumbprint(b64::encode(&hash::sha256(canonical.as_bytes())))
}

#[derive(Deserialize)]
struct Members {
    kty: String,
    crv: String,
    x: String,
    y: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    // RFC 7518 §6.2.2, §6.3.2, §6.4: the private and symmetric members.
    #[serde(default, rename = "d", deserialize_with = "refuse")]
    _d: (),
    #[serde(default, rename = "k", deserialize_with = "refuse")]
    _k: (),
    #[serde(default, rename = "p", deserialize_with = "refuse")]
    _p: (),
    #[serde(default, rename = "q", deserialize_with = "refuse")]
    _q: (),
    #[serde(default, rename = "dp", deserialize_with = "refuse")]
    _dp: (),
    #[serde(default, rename = "dq", deserialize_with = "refuse")]
    _dq: (),
    #[serde(default, rename = "qi", deserialize_with = "refuse")]
    _qi: (),
    #[serde(default, rename = "oth", deserialize_with = "refuse")]
    _oth: (),
}

fn refuse<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    IgnoredAny::deserialize(deserializer)?;
    Err(D::Error::custom("a private member has no place in a public key"))
}

/// A JWK SHA-256 thumbprint as base64url; it names a device key, and so an installation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Thumbprint(String);

impl Thumbprint {
    /// The 43 characters of base64url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Thumbprint {
    type Err = b64::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match b64::decode(text)?.len() {
            32 => Ok(Self(text.to_owned())),
            _ => Err(b64::DecodeError),
        }
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl AsRef<str> for Thumbprint {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// RFC 9449 §4.2 and §6.1: the key of its examples and the thumbprint that it publishes for it.
    fn rfc_9449() -> Value {
        json!({
            "kty": "EC",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
            "crv": "P-256"
        })
    }

    #[test]
    fn the_thumbprint_of_rfc_9449() {
        let jwk = Jwk::from_value(&rfc_9449()).unwrap();
        assert_eq!(jwk.thumbprint().as_str(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    /// RFC 7638 §3.1: an RSA key, so it shows the hash input and not our type.
    #[test]
    fn the_thumbprint_of_rfc_7638() {
        let n = concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV",
            "4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7",
            "d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF4",
            "4-csFCur-kEgU8awapJzKnqDKgw"
        );
        let thumbprint = thumbprint_of(&[("e", "AQAB"), ("kty", "RSA"), ("n", n)]);
        assert_eq!(thumbprint.as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_name_and_the_order_of_members_do_not_change_the_thumbprint() {
        let jwk = Jwk::from_value(&rfc_9449()).unwrap();
        assert_eq!(jwk.clone().with_kid("k").thumbprint(), jwk.thumbprint());
        assert_eq!(jwk.clone().with_kid("k"), jwk);
    }

    #[test]
    fn a_jwk_survives_json() {
        let jwk = Jwk::from_value(&rfc_9449()).unwrap().with_kid("k1");
        let again: Jwk = serde_json::from_str(&serde_json::to_string(&jwk).unwrap()).unwrap();
        assert_eq!((again.kid(), &again), (Some("k1"), &jwk));
    }

    #[test]
    fn every_private_or_symmetric_member_is_refused_even_null() {
        for name in ["d", "k", "p", "q", "dp", "dq", "qi", "oth"] {
            for value in [json!("AA"), json!(null), json!([])] {
                let mut jwk = rfc_9449();
                jwk[name] = value;
                assert!(Jwk::from_value(&jwk).is_err(), "{jwk}");
            }
        }
    }

    #[test]
    fn other_kinds_of_keys_are_refused() {
        for (name, value) in [
            ("kty", "RSA"),
            ("kty", "oct"),
            ("crv", "P-384"),
            ("crv", "secp256k1"),
            ("alg", "ES384"),
            ("use", "enc"),
            ("x", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"),
            ("x", "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs="),
            ("y", ""),
        ] {
            let mut jwk = rfc_9449();
            jwk[name] = value.into();
            assert!(Jwk::from_value(&jwk).is_err(), "{jwk}");
        }
    }

    #[test]
    fn a_missing_member_is_refused() {
        for name in ["kty", "crv", "x", "y"] {
            let mut jwk = rfc_9449();
            jwk.as_object_mut().unwrap().remove(name);
            assert!(Jwk::from_value(&jwk).is_err(), "{jwk}");
        }
    }

    #[test]
    fn a_thumbprint_is_43_characters_of_base64url() {
        let good = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert!(good.parse::<Thumbprint>().is_ok());
        for bad in ["", &good[1..], "0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I", &format!("{good}=")] {
            assert!(bad.parse::<Thumbprint>().is_err(), "{bad}");
            assert!(serde_json::from_value::<Thumbprint>(bad.into()).is_err(), "{bad}");
        }
    }
}
