//! The confidential web client of a development system, as its own server: it holds the key.

use std::fs;

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use crypto::b64;
use crypto::p256::SigningKey;
use serde_json::Value;

use crate::pki::Pki;

/// Its private key, of which the provider has the public half.
pub fn signer(pki: &Pki) -> Result<SigningKey> {
    let jwk: Value = serde_json::from_slice(&fs::read(pki.secret("partner-web.jwk"))?)?;
    let member = |name: &str| {
        let text = jwk.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"))?;
        Ok::<_, anyhow::Error>(b64::decode(text)?)
    };
    let (d, point) = (member("d")?, [vec![4], member("x")?, member("y")?].concat());
    let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &d, &point)?;
    Ok(SigningKey::from_pkcs8(pair.to_pkcs8v1()?.as_ref())?)
}
