//! What every request of an instance must hold, whatever evidence comes with it: names, keys and the proof of possession.

use api::attestation::{App, Platform};
use crypto::b64;
use crypto::p256::PublicKey;
use identity::{Jwk, Thumbprint, evidence, jose};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;

/// `typ` of the proof of possession.
const PROOF_TYP: &str = "redoubt-instance-proof+jwt";
/// Seconds that the proof may be old: the challenge in it lives no longer.
const PROOF_AGE: i64 = 120;
/// Seconds that the phone's clock may be ahead.
const PROOF_AHEAD: i64 = 60;
/// Longest app id (a package name has 255 characters at most).
const NAME_LIMIT: usize = 255;

/// The parts of a request that are about the instance.
pub(crate) struct Fields<'a> {
    pub(crate) challenge: &'a str,
    pub(crate) platform: Platform,
    pub(crate) client_id: &'a str,
    pub(crate) app: &'a App,
    pub(crate) device_key: &'a Value,
    pub(crate) session_public_key: &'a str,
    /// The evidence as it stands in the request.
    pub(crate) shown: Vec<&'a str>,
    pub(crate) proof: &'a str,
}

/// An instance that has proven possession of its device key for this very request.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) client_id: String,
    pub(crate) app: App,
    pub(crate) device_key: Jwk,
    pub(crate) jkt: Thumbprint,
    pub(crate) session_public_key: Vec<u8>,
    /// What the platform's evidence must be about.
    pub(crate) binding: [u8; 32],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofClaims {
    challenge: String,
    evidence_hash: String,
    #[serde(deserialize_with = "identity::numeric_date::deserialize")]
    iat: i64,
}

impl Presented {
    /// Reads and checks. No effects.
    pub(crate) fn read(fields: &Fields<'_>, challenge: &[u8], clients: &[&str], now: i64) -> Result<Self, Error> {
        let invalid = |field, detail| Error::Invalid { field, detail };
        let client_id = fields.client_id;
        if !clients.contains(&client_id) {
            return Err(invalid("client_id", "not an app that is known here"));
        }
        check_app(fields.app, fields.platform)?;
        let device_key =
            Jwk::from_value(fields.device_key).map_err(|_| invalid("device_key", "expected a public P-256 JWK"))?;
        // Only what makes the key: a `kid` of the phone's choice would travel in our tokens.
        let device_key = Jwk::from(device_key.public_key().clone());
        let session_public_key = b64::decode(fields.session_public_key)
            .ok()
            .filter(|bytes| PublicKey::from_uncompressed(bytes).is_ok())
            .ok_or(invalid("session_public_key", "expected an uncompressed P-256 point in base64url"))?;
        let jkt = device_key.thumbprint();
        let binding = evidence::binding(fields.platform, challenge, &jkt, &session_public_key, client_id, fields.app);
        check_proof(fields, device_key.public_key(), &binding, now)?;
        Ok(Self {
            client_id: client_id.to_owned(),
            app: fields.app.clone(),
            device_key,
            jkt,
            session_public_key,
            binding,
        })
    }
}

fn check_app(app: &App, platform: Platform) -> Result<(), Error> {
    let is_name =
        |text: &str, limit| !text.is_empty() && text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_graphic());
    if app.platform != platform {
        return Err(Error::Invalid { field: "app.platform", detail: "not the platform of the request" });
    }
    if !is_name(&app.id, NAME_LIMIT) {
        return Err(Error::Invalid { field: "app.id", detail: "expected a package name or bundle id" });
    }
    // iOS writes its builds as texts, and the type admits no other: nothing more to ask there.
    if platform == Platform::Android && !app.build.is_version_code() {
        return Err(Error::Invalid { field: "app.build", detail: "expected a longVersionCode" });
    }
    if !is_name(&app.version, 64) {
        return Err(Error::Invalid { field: "app.version", detail: "expected at most 64 printable characters" });
    }
    Ok(())
}

/// The device key signed this challenge, this binding and this very evidence, just now.
fn check_proof(fields: &Fields<'_>, key: &PublicKey, binding: &[u8; 32], now: i64) -> Result<(), Error> {
    let claims = jose::parse(fields.proof, PROOF_TYP).and_then(|proof| proof.verify_es256::<ProofClaims>(key));
    let holds = claims.is_ok_and(|claims| {
        claims.challenge == fields.challenge
            && claims.evidence_hash == b64::encode(&evidence::shown(binding, &fields.shown))
            && (now - PROOF_AGE..=now + PROOF_AHEAD).contains(&claims.iat)
    });
    if holds {
        Ok(())
    } else {
        Err(Error::Invalid { field: "proof", detail: "not a proof by the device key for this request" })
    }
}
