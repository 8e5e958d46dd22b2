//! *What* calls: evidence about app and device in exchange for an attestation token and a session key.
//!
//! The session key arrives sealed (HPKE) to a key pair that is made for this one exchange and is covered by the evidence;
//! it is kept in memory only, for the minutes that the attestation token lives. Whether the server believed the evidence
//! cannot be told from its answer, here least of all: there is no such question in this file.
//!
//! A new instance is made beside the one in use, in the other [`KeySlot`]. Until its evidence has a signed answer there is nothing to be
//! seen of it, and whatever fails before leaves the old one, its session and its tokens as they were (ADR 0016).

use std::sync::Arc;

use api::attestation::{
    Assert, Assertion, Attest, Attested, AudienceToken, Challenge, Platform as Os, Purpose, RequestChallenge,
};
use crypto::b64;
use crypto::hpke::KeyPair;
use identity::instance_proof::{self, Proven};
use identity::{DeviceSigner, Jwk, Thumbprint, attested_answer, evidence, jose, sealed_session};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::client::Client;
use crate::instances::{Held, Instance, Instances, Software};
use crate::platform::{KeySlot, PlatformError};
use crate::session::Session;
use crate::trace::Trace;
use crate::transport::RawResponse;

/// Renew this long before the attestation token ends, in seconds.
const MARGIN: i64 = 60;

/// The handshake in progress.
struct Handshake {
    challenge: Challenge,
    challenge_bytes: Vec<u8>,
    session_keys: KeyPair,
}

impl Client {
    /// Makes a new instance of this installation: a new device key, evidence about it, a first session.
    ///
    /// When the server's signed answer is there, and not before, the new instance takes the place of a former one, whose key, session
    /// and tokens are dropped: whoever was logged in has to log in again ([`Error::LoginRequired`]). After an error the former one
    /// goes on as if nothing had happened. Only a candidate that waited for a login may be gone, since there is no third slot; the SDK
    /// then makes another one, an hour after the one that is gone at the earliest.
    ///
    /// An app calls this once, and again after [`Error::NotEnrolled`] or when the person asks for it. A refused instance needs no call:
    /// the SDK then enrols anew by itself, and keeps the former instance until a login under the new one has succeeded.
    pub async fn enroll(&self) -> Result<(), Error> {
        let trace = Trace::start();
        self.record("enroll", &trace, Box::pin(self.enroll_in(&trace))).await
    }

    async fn enroll_in(&self, trace: &Trace) -> Result<(), Error> {
        let enrolled = {
            let _one_at_a_time = self.enrolling.lock().await;
            self.repair_instances().await?;
            match self.make_instance(trace, |_| {}).await {
                Ok(instance) => self.adopt(&instance, None).await.map(|_| ()),
                Err(error) => Err(error),
            }
        };
        if enrolled.is_ok() {
            // Nobody uses them any more; this waits for a refresh under way, and clears memory.
            self.tokens.set(None).await;
        }
        self.sweep().await;
        enrolled
    }

    /// Makes an instance that may take the place of the current one, with a session. For who holds `enrolling`.
    ///
    /// `note` is written down together with the fact that it has begun, which is when the server has given a challenge for it; that a
    /// signed answer has come, together with the candidate.
    pub(crate) async fn make_instance(
        &self,
        trace: &Trace,
        note: impl FnOnce(&mut Instances),
    ) -> Result<Instance, Error> {
        let handshake = self.begin(trace, Purpose::Attestation).await?;
        let make_room = |known: &mut Instances| {
            note(known);
            known.make_room()
        };
        let slot = self.change(make_room).await?;
        let (signer, binding) = self.make_key(slot, &handshake).await?;
        let evidence = self.platform.attestor.attest(slot, &binding).await?;
        let request = Attest {
            challenge: handshake.challenge.challenge.clone(),
            platform: self.config.app.platform,
            client_id: self.config.client_id.as_str().into(),
            app: self.config.app.clone(),
            device_key: public_jwk(&signer.public()),
            session_public_key: b64::encode(&handshake.session_keys.public()),
            proof: self.proof(&*signer, &handshake, &binding, &evidence.parts())?,
            evidence,
        };
        let answer = self.post_json(trace, "/v1/attestations", &request).await?;
        let instance = Instance::new(slot, &*signer, self.software());
        let session = self.open(&instance, &handshake, &request.proof, &answer)?;
        // The platform must have kept the key, or the phone would change a good instance for one that cannot sign.
        let candidate = self.has_key(&instance).await?.then(|| instance.clone());
        let is_usable = candidate.is_some();
        self.change(|known| known.take_answer(candidate)).await?;
        if !is_usable {
            return Err(PlatformError::KeyLost.into());
        }
        self.session_in(slot).set(Some(session)).await;
        Ok(instance)
    }

    async fn make_key(&self, slot: KeySlot, handshake: &Handshake) -> Result<(Arc<dyn DeviceSigner>, [u8; 32]), Error> {
        let device_keys = &self.platform.device_keys;
        Ok(match self.config.app.platform {
            // The key is made with the binding as its challenge, so its thumbprint is not in the binding.
            Os::Android => {
                let binding = self.binding(handshake, &no_thumbprint()?);
                (device_keys.create(slot, &binding).await?, binding)
            }
            Os::Ios => {
                let signer = device_keys.create(slot, &handshake.challenge_bytes).await?;
                let binding = self.binding(handshake, &signer.public().thumbprint());
                (signer, binding)
            }
        })
    }

    /// What evidence would show now.
    pub(crate) fn software(&self) -> Software {
        Software { build: self.config.app.build.clone(), system: self.platform.attestor.system() }
    }

    /// A session of `held` that lives a while longer, and is not the one that a server has just refused.
    pub(crate) async fn session(
        &self,
        trace: &Trace,
        held: &Held,
        refused: Option<&str>,
    ) -> Result<Arc<Session>, Error> {
        let usable = |session: &Session| {
            session.jkt == held.instance.jkt
                && self.transport.now() < session.renew_at
                && refused.is_none_or(|refused| refused != session.token_id)
        };
        // On the heap, as whatever is rare: it would make the future of every call larger.
        self.session_in(held.instance.slot).get(usable, || Box::pin(self.renew(trace, held))).await
    }

    /// Renews by assertion: the device key's proof and, on iOS, an App Attest assertion.
    async fn renew(&self, trace: &Trace, held: &Held) -> Result<Session, Error> {
        let (signer, slot) = (&*held.signer, held.instance.slot);
        let handshake = self.begin(trace, Purpose::Assertion).await?;
        let binding = self.binding(&handshake, &signer.public().thumbprint());
        let assertion = self.platform.attestor.assert(slot, &binding).await?;
        let shown = assertion.as_ref().map(Assertion::parts).unwrap_or_default();
        let request = Assert {
            challenge: handshake.challenge.challenge.clone(),
            platform: self.config.app.platform,
            client_id: self.config.client_id.as_str().into(),
            app: self.config.app.clone(),
            device_key: public_jwk(&signer.public()),
            session_public_key: b64::encode(&handshake.session_keys.public()),
            proof: self.proof(signer, &handshake, &binding, &shown)?,
            assertion,
        };
        let answer = self.post_json(trace, "/v1/assertions", &request).await?;
        self.open(&held.instance, &handshake, &request.proof, &answer)
    }

    async fn begin(&self, trace: &Trace, purpose: Purpose) -> Result<Handshake, Error> {
        let request = RequestChallenge { platform: self.config.app.platform, purpose };
        let challenge: Challenge = self.post_json(trace, "/v1/challenges", &request).await?.json()?;
        let challenge_bytes = b64::decode(&challenge.challenge).map_err(|_| Error::Malformed("challenge"))?;
        Ok(Handshake { challenge, challenge_bytes, session_keys: KeyPair::generate() })
    }

    fn binding(&self, handshake: &Handshake, jkt: &Thumbprint) -> [u8; 32] {
        let (app, client_id) = (&self.config.app, &self.config.client_id);
        let session_key = handshake.session_keys.public();
        evidence::binding(app.platform, &handshake.challenge_bytes, jkt, &session_key, client_id, app)
    }

    /// The device key's word for this very evidence.
    fn proof(
        &self,
        signer: &dyn DeviceSigner,
        handshake: &Handshake,
        binding: &[u8; 32],
        shown: &[&str],
    ) -> Result<String, Error> {
        let proven = Proven { challenge: &handshake.challenge.challenge, binding, shown };
        Ok(instance_proof::sign(signer, &proven, self.transport.now())?)
    }

    /// Only what the server has signed is opened: anybody could have sealed a session key to us.
    fn open(
        &self,
        instance: &Instance,
        handshake: &Handshake,
        proof: &str,
        answer: &RawResponse,
    ) -> Result<Session, Error> {
        let signature = answer.header(api::header::ATTESTED_SIGNATURE).unwrap_or_default();
        if !attested_answer::verify(signature, &self.config.attestation_keys, proof, answer.body.expose()) {
            return Err(Error::ResponseSignature);
        }
        let attested: Attested = answer.json()?;
        let mut tokens = attested.tokens.into_iter();
        let issued: AudienceToken = tokens
            .find(|token| token.audience == self.config.api_audience)
            .ok_or(Error::Malformed("no attestation token for the API"))?;
        let token_id = token_id(&issued.token)?;
        let key = sealed_session::open(&handshake.session_keys, &token_id, &issued.session_key)
            .map_err(|_| Error::Malformed("session_key"))?;
        let sealing_key = issued.sealing_key.as_ref().map(Jwk::from_value).transpose();
        let sealing_key = sealing_key.map_err(|_| Error::Malformed("sealing_key"))?;
        self.set_support_id(attested.support_id.as_str());
        Ok(Session {
            jkt: instance.jkt.clone(),
            renew_at: self.transport.now() + i64::from(issued.expires_in) - MARGIN,
            attestation_token: issued.token.into(),
            token_id,
            key,
            sealing_key,
            client_attestation: attested.client_attestation.into(),
        })
    }

    /// Sent again only when nothing was sent: a challenge is good for one request.
    async fn post_json(&self, trace: &Trace, path: &str, body: &impl Serialize) -> Result<RawResponse, Error> {
        let url = self.config.attestation_url.join(path).map_err(|_| Error::Config("attestation_url"))?;
        let make = || {
            let request = self.transport.request(Method::POST, url.clone());
            Ok(request.header(api::header::TRACEPARENT, trace.traceparent()).json(body))
        };
        let answer = self.send_repeatedly(false, make).await?;
        if answer.is_success() { Ok(answer) } else { Err(answer.into_refusal()) }
    }
}

/// Only the members that make the key.
fn public_jwk(key: &Jwk) -> serde_json::Value {
    Jwk::from(key.public_key().clone()).to_value()
}

/// Stands where the thumbprint would, on Android.
fn no_thumbprint() -> Result<Thumbprint, Error> {
    b64::encode(&[0; 32]).parse().map_err(|_| Error::Malformed("thumbprint"))
}

/// The token's `jti`. The phone reads it and cannot verify the token, which is the point.
fn token_id(token: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Claims {
        jti: String,
    }
    let unverified = jose::parse(token, identity::attestation_token::TYP);
    let claims: Claims =
        unverified.and_then(|token| token.unverified_claims()).map_err(|_| Error::Malformed("attestation token"))?;
    Ok(claims.jti)
}

impl From<jose::JoseError> for Error {
    fn from(error: jose::JoseError) -> Self {
        match error {
            jose::JoseError::Sign(_) => Self::Platform(PlatformError::KeyLost),
            _ => Self::Malformed("a proof cannot be made"),
        }
    }
}
