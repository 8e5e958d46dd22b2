//! The key of the partner's site, which logs people in at the OpenID Provider.

use anyhow::{Context as _, Result};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Pki, write};

impl Pki {
    /// The confidential web client's key: private as a secret, public as the JWKS that the OpenID Provider is configured with.
    pub(super) fn partner_web_key(&self) -> Result<()> {
        let public = self.dir.join("partner-web-jwks.json");
        if public.exists() {
            return Ok(());
        }
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let point = pair.public_key().as_ref();
        // SEC 1 uncompressed point: 0x04, x, y.
        let (x, y) = (point.get(1..33).context("short point")?, point.get(33..65).context("short point")?);
        let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes()?;
        let mut jwk = serde_json::json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "partner-web-1",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        let set = serde_json::json!({ "keys": [jwk.clone()] });
        if let Some(members) = jwk.as_object_mut() {
            members.insert("d".to_owned(), URL_SAFE_NO_PAD.encode(scalar.as_ref()).into());
        }
        write(&self.secret("partner-web.jwk"), jwk.to_string().as_bytes(), 0o600)?;
        write(&public, set.to_string().as_bytes(), 0o644)
    }
}
