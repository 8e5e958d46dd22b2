//! What every request of an instance must hold, whatever evidence comes with it: names, keys and the proof of possession.

use api::ClientId;
use api::attestation::{App, Platform};
use crypto::b64;
use crypto::p256::PublicKey;
use identity::instance_proof::{self, Proven};
use identity::{Jwk, Thumbprint, evidence};
use serde_json::Value;

use crate::error::Error;

/// Longest app id (a package name has 255 characters at most).
const NAME_LIMIT: usize = 255;

/// The parts of a request that are about the instance.
pub(crate) struct Fields<'a> {
    pub(crate) challenge: &'a str,
    pub(crate) platform: Platform,
    pub(crate) client_id: &'a ClientId,
    pub(crate) app: &'a App,
    pub(crate) device_key: &'a Value,
    // Text: a key as the phone wrote it.
    pub(crate) session_public_key: &'a str,
    /// The evidence as it stands in the request.
    pub(crate) shown: Vec<&'a str>,
    pub(crate) proof: &'a str,
}

/// An instance that has proven possession of its device key for this very request.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) client_id: ClientId,
    pub(crate) app: App,
    pub(crate) device_key: Jwk,
    pub(crate) jkt: Thumbprint,
    pub(crate) session_public_key: Vec<u8>,
    /// What the platform's evidence must be about.
    pub(crate) binding: [u8; 32],
}

impl Presented {
    /// Reads and checks. No effects.
    pub(crate) fn read(fields: &Fields<'_>, challenge: &[u8], clients: &[&ClientId], now: i64) -> Result<Self, Error> {
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
        let binding =
            evidence::binding(fields.platform, challenge, &jkt, &session_public_key, client_id.as_str(), fields.app);
        // The device key signed this challenge, this binding and this very evidence, just now.
        let proven = Proven { challenge: fields.challenge, binding: &binding, shown: &fields.shown };
        if !instance_proof::verify(fields.proof, device_key.public_key(), &proven, now) {
            return Err(invalid("proof", "not a proof by the device key for this request"));
        }
        Ok(Self { client_id: client_id.clone(), app: fields.app.clone(), device_key, jkt, session_public_key, binding })
    }
}

fn check_app(app: &App, platform: Platform) -> Result<(), Error> {
    let is_name =
        |text: &str, limit| !text.is_empty() && text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_graphic());
    if app.platform != platform {
        return Err(Error::Invalid { field: "app.platform", detail: "not the platform of the request" });
    }
    if !is_name(app.id.as_str(), NAME_LIMIT) {
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
