//! The attestation service of the test backend.

use std::sync::atomic::Ordering;

use api::attestation::{
    App, Assert, Assertion, Attest, Attested, AudienceToken, Challenge, Purpose, RequestChallenge, SealedKey,
};
use crypto::{b64, hpke, random};
use identity::attestation_token;
use identity::{Cnf, Jwk, Level, client_attestation, evidence, jose};
use serde_json::Value;

use super::backend::{BackendState, CLIENT, master};
use super::sealed::OPENING_KEYS;
use super::server::Reply;

impl BackendState {
    pub(super) fn challenge(&self, request: &RequestChallenge) -> Reply {
        if request.purpose == Purpose::Attestation && self.refuses_new_instances.load(Ordering::SeqCst) {
            return Reply::problem(400, api::problem::code::REQUEST_INVALID);
        }
        let challenge = random::token(32);
        self.challenges.lock().unwrap().insert(challenge.clone());
        Reply::json(201, &Challenge { challenge, expires_in: 120 })
    }

    pub(super) fn attest(&self, request: &Attest) -> Reply {
        self.attestations.fetch_add(1, Ordering::SeqCst);
        let jwk = Jwk::from_value(&request.device_key).unwrap();
        let session_key = b64::decode(&request.session_public_key).unwrap();
        let binding = self.binding(&request.challenge, &jwk, &session_key, &request.app);
        assert_eq!(
            request.evidence,
            api::attestation::Evidence::AndroidKey { certificates: vec![b64::encode_standard(&binding)] }
        );
        self.check_proof(
            &request.proof,
            &request.challenge,
            &jwk,
            &evidence::shown(&binding, &request.evidence.parts()),
        );
        let issued = self.issue(&jwk, &session_key, &request.app);
        self.on_the_way.lock().unwrap().pass(issued, &request.proof, &session_key)
    }

    pub(super) fn assert(&self, request: &Assert) -> Reply {
        self.assertions.fetch_add(1, Ordering::SeqCst);
        if self.forgets_instances.load(Ordering::SeqCst) {
            return Reply::problem(404, api::problem::code::INSTANCE_UNKNOWN);
        }
        let jwk = Jwk::from_value(&request.device_key).unwrap();
        let session_key = b64::decode(&request.session_public_key).unwrap();
        let binding = self.binding(&request.challenge, &jwk, &session_key, &request.app);
        let shown = request.assertion.as_ref().map(Assertion::parts).unwrap_or_default();
        self.check_proof(&request.proof, &request.challenge, &jwk, &evidence::shown(&binding, &shown));
        let issued = self.issue(&jwk, &session_key, &request.app);
        self.on_the_way.lock().unwrap().pass(issued, &request.proof, &session_key)
    }

    fn check_proof(&self, proof: &str, challenge: &str, jwk: &Jwk, shown: &[u8; 32]) {
        let proof = jose::parse(proof, "redoubt-instance-proof+jwt").unwrap();
        let claims: Value = proof.verify_es256(jwk.public_key()).unwrap();
        assert_eq!(claims["challenge"], challenge);
        assert_eq!(claims["evidence_hash"], b64::encode(shown));
        assert!((claims["iat"].as_i64().unwrap() - self.now()).abs() < 10);
    }

    fn binding(&self, challenge: &str, jwk: &Jwk, session_key: &[u8], app: &App) -> [u8; 32] {
        assert!(self.challenges.lock().unwrap().remove(challenge), "a challenge is used once");
        let bytes = b64::decode(challenge).unwrap();
        evidence::binding(app.platform, &bytes, &jwk.thumbprint(), session_key, CLIENT, app)
    }

    fn issue(&self, jwk: &Jwk, session_key: &[u8], app: &App) -> Attested {
        let (now, jti, support_id) = (self.now(), random::token(16), random::token(8));
        self.last_support_id.lock().unwrap().clone_from(&support_id);
        let key = &master().key("ledger", attestation_token::epoch_of(now));
        let claims = attestation_token::Claims {
            iss: attestation_token::ISSUER.into(),
            aud: "ledger".into(),
            iat: now,
            exp: now + 300,
            jti: jti.clone(),
            cnf: Cnf { jkt: jwk.thumbprint() },
            client_id: CLIENT.into(),
            app: app.clone(),
            level: Level::Software,
            policy: "test".into(),
            support_id: support_id.as_str().into(),
        };
        let secret = attestation_token::session_key(key.secret.expose(), &jti);
        let sealed = hpke::seal(session_key, b"redoubt-session-key-v1", jti.as_bytes(), secret.expose()).unwrap();
        self.session_keys.lock().unwrap().insert(jti, secret);
        let client = client_attestation::Claims {
            sub: CLIENT.into(),
            iat: now,
            exp: now + 300,
            jti: random::token(16),
            cnf: client_attestation::Confirmation { jwk: jwk.clone() },
            app: app.clone(),
            level: Level::Software,
            support_id: support_id.as_str().into(),
        };
        Attested {
            support_id: support_id.into(),
            client_attestation: client_attestation::issue(key, &client).unwrap(),
            tokens: vec![AudienceToken {
                audience: "ledger".into(),
                token: attestation_token::issue(key, &claims).unwrap(),
                expires_in: 300,
                session_key: SealedKey { enc: b64::encode(&sealed.enc), ciphertext: b64::encode(&sealed.ct) },
                sealing_key: (!self.switches.seals_nothing).then(|| OPENING_KEYS.public().next().unwrap().to_value()),
            }],
        }
    }
}
