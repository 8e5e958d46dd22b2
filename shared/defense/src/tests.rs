//! One honest request, and for each check a request that breaks just that.

use std::sync::Arc;

use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use api::attestation::{App, Platform};
use crypto::p256::SigningKey;
use crypto::{SecretBytes, hash, random};
use identity::access_token::{self, KeySet};
use identity::attestation_token::{self, AudienceKeys, Master};
use identity::message_signature::{self, RequestParts};
use identity::{Cnf, Jwk, Level, dpop};

use crate::stores::MemoryOnce;
use crate::{
    Access, AccessTokenLayer, AttestationLayer, AudienceKeySource, AuthorizationLayer, Facts, Inbound, JwksSource,
    Layer, MessageSignatureLayer, Verdict, policy,
};
use policy::Policy as _;

const NOW: i64 = 1_800_000_000;
const ORIGIN: &str = "https://api.example:7003";
const ISSUER: &str = "https://auth.example";
const RESOURCE: &str = "urn:redoubt:ledger";
/// The master of decoys.
const DECOYS: &[u8] = b"what verifiers know decoys by...";

/// Everything that an honest phone and the two issuers hold.
struct World {
    device: SigningKey,
    issuer: SigningKey,
    master: Vec<u8>,
    attestation: Arc<AttestationLayer>,
    signature: Arc<MessageSignatureLayer>,
    access: Arc<AccessTokenLayer>,
}

/// A request in the making.
struct Draft {
    method: &'static str,
    path: &'static str,
    attestation_token: String,
    session_key: SecretBytes,
    key_id: String,
    access_token: String,
    proof: String,
    body: &'static [u8],
}

fn of_master(bytes: &[u8]) -> Master {
    Master::new(1, SecretBytes::new(bytes.to_vec()))
}

impl World {
    fn new() -> Self {
        let (device, issuer) = (SigningKey::generate(), SigningKey::generate());
        let master = random::bytes::<32>().to_vec();
        let mut keys = KeySet::default();
        keys.insert("k1", issuer.public());
        let audience_keys = AudienceKeys::derive(&[of_master(&master)], "ledger", NOW);
        let audience_keys = audience_keys.with_decoys(&[of_master(DECOYS)], "ledger", NOW);
        let client = unused_client();
        let jwks = Arc::new(JwksSource::holding(client.clone(), keys, NOW));
        Self {
            attestation: Arc::new(AttestationLayer::new(
                "ledger",
                Arc::new(AudienceKeySource::holding(client, audience_keys, NOW)),
            )),
            signature: Arc::new(MessageSignatureLayer::new(memory(), NOW - 1000)),
            access: Arc::new(AccessTokenLayer::new(ISSUER.to_owned(), RESOURCE, ORIGIN, jwks, memory())),
            device,
            issuer,
            master,
        }
    }

    fn jkt(&self) -> identity::Thumbprint {
        Jwk::from(self.device.public()).thumbprint()
    }

    fn attestation_token(master: &[u8], jkt: &identity::Thumbprint) -> (String, SecretBytes, String) {
        let key = of_master(master).key("ledger", attestation_token::epoch_of(NOW));
        let jti = random::token(16);
        let claims = attestation_token::Claims {
            iss: attestation_token::ISSUER.to_owned(),
            aud: "ledger".to_owned(),
            iat: NOW,
            exp: NOW + 300,
            jti: jti.clone(),
            cnf: Cnf { jkt: jkt.clone() },
            client_id: "redoubt-mobile".into(),
            app: App {
                id: "dev.redoubt.app".into(),
                version: "1".to_owned(),
                build: 1_u64.into(),
                platform: Platform::Android,
            },
            level: Level::Tee,
            policy: "test".to_owned(),
            support_id: "support".into(),
        };
        let session = attestation_token::session_key(key.secret.expose(), &jti);
        (attestation_token::issue(&key, &claims).unwrap(), session, jti)
    }

    fn access_token(&self, jkt: &identity::Thumbprint, client_id: &str) -> String {
        self.access_token_for(jkt, client_id, "accounts:read")
    }

    fn access_token_for(&self, jkt: &identity::Thumbprint, client_id: &str, scope: &str) -> String {
        let claims = access_token::Claims {
            iss: ISSUER.to_owned(),
            sub: "user-1".to_owned(),
            aud: RESOURCE.to_owned(),
            client_id: client_id.into(),
            scope: scope.to_owned(),
            iat: NOW,
            exp: NOW + 300,
            jti: random::token(16),
            auth_time: NOW,
            cnf: Cnf { jkt: jkt.clone() },
            acr: None,
            amr: Vec::new(),
            authorization_details: Vec::new(),
            instance: None,
            factor_since: None,
        };
        access_token::issue(&self.issuer, "k1", &claims).unwrap()
    }

    fn proof(key: &SigningKey, draft: &Draft, nonce: Option<&str>) -> String {
        let url = format!("{ORIGIN}{}", draft.path);
        dpop::create(key, draft.method, &url, NOW, &random::token(16), Some(&draft.access_token), nonce).unwrap()
    }

    /// The nonce that the layer asks for.
    async fn nonce(&self, draft: &Draft) -> String {
        let facts = self.facts_before_access(draft).await;
        let unproven = Draft { proof: Self::proof(&self.device, draft, None), ..copy(draft) };
        match self.access.examine(&inbound(&unproven, &[]), &facts).await.verdict {
            Verdict::Challenge(refusal) => {
                let header =
                    refusal.problem().headers.iter().find(|(name, _)| name == api::header::DPOP_NONCE).unwrap();
                header.1.to_str().unwrap().to_owned()
            }
            _ => panic!("a proof without a nonce was not challenged"),
        }
    }

    async fn facts_before_access(&self, draft: &Draft) -> Facts {
        let finding = self.attestation.examine(&inbound(draft, &[]), &Facts::default()).await;
        assert!(matches!(finding.verdict, Verdict::Pass));
        finding.facts
    }

    /// A request in which everything is right.
    async fn honest(&self) -> Draft {
        let (attestation_token, session_key, key_id) = Self::attestation_token(&self.master, &self.jkt());
        let mut draft = Draft {
            method: "POST",
            path: "/v1/transfers",
            attestation_token,
            session_key,
            key_id,
            access_token: self.access_token(&self.jkt(), "redoubt-mobile"),
            proof: String::new(),
            body: b"{\"amount\":\"1.00\"}",
        };
        let nonce = self.nonce(&draft).await;
        draft.proof = Self::proof(&self.device, &draft, Some(&nonce));
        draft
    }

    /// All layers, as the engine asks them; the first refusal as `layer/reason`.
    async fn verdict(&self, request: &Inbound) -> String {
        let mut facts = Facts::default();
        let layers: [&dyn Layer; 4] = [&*self.attestation, &*self.signature, &*self.access, &AuthorizationLayer];
        for layer in layers {
            // Whoever looks twice sees the same: looking uses nothing up.
            let (first, again) = (layer.examine(request, &facts).await, layer.examine(request, &facts).await);
            assert_eq!(said(&first.verdict), said(&again.verdict));
            facts.absorb(first.facts);
            if let Some(said) = said(&first.verdict) {
                return said;
            }
        }
        for layer in layers {
            if let Some(said) = said(&layer.claim(request, &facts).await.verdict) {
                return said;
            }
        }
        "pass".to_owned()
    }

    async fn refused(&self, draft: &Draft) -> String {
        self.verdict(&signed(draft)).await
    }
}

fn memory() -> Arc<MemoryOnce> {
    Arc::new(MemoryOnce::new(1 << 16))
}

/// What a verdict says, if it is not that the request may go on.
fn said(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Unknown(reason) => Some(format!("unknown/{reason}")),
        Verdict::Refuse(refusal) | Verdict::Challenge(refusal) => {
            let record = refusal.record().unwrap().to_string();
            let told = if record.starts_with("authorization/") { "auth.forbidden" } else { "auth.unauthorized" };
            assert_eq!(refusal.problem().code, told, "the client must not learn which token layer it was");
            Some(record)
        }
    }
}

/// A client that never gets an answer: the keys are in the caches.
pub(crate) fn unused_client() -> reqwest::Client {
    // reqwest makes a client only where a provider is installed.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    #[expect(clippy::disallowed_methods, reason = "nothing answers it")]
    reqwest::Client::new()
}

fn copy(draft: &Draft) -> Draft {
    Draft {
        attestation_token: draft.attestation_token.clone(),
        session_key: draft.session_key.clone(),
        key_id: draft.key_id.clone(),
        access_token: draft.access_token.clone(),
        proof: draft.proof.clone(),
        ..*draft
    }
}

fn headers(draft: &Draft) -> Vec<(&'static str, String)> {
    let given = [
        ("content-type", "application/json".to_owned()),
        ("attestation-token", draft.attestation_token.clone()),
        ("authorization", format!("DPoP {}", draft.access_token)),
        ("dpop", draft.proof.clone()),
    ];
    given.into_iter().filter(|(_, value)| !value.is_empty() && value != "DPoP ").collect()
}

fn inbound(draft: &Draft, more: &[(&'static str, String)]) -> Inbound {
    let mut request = TestRequest::default().method(draft.method.parse().unwrap()).uri(draft.path);
    for (name, value) in headers(draft).iter().chain(more) {
        request = request.append_header((*name, value.as_str()));
    }
    let body = Bytes::from_static(draft.body);
    Inbound {
        body,
        ..Inbound::new(
            &request.to_srv_request(),
            "api.example:7003",
            &policy::Money::CLASS,
            Access::Scope("accounts:read"),
            NOW,
        )
    }
}

/// The draft with a signature over all of it.
fn signed(draft: &Draft) -> Inbound {
    signed_at(draft, NOW)
}

fn signed_at(draft: &Draft, created: i64) -> Inbound {
    let headers = headers(draft);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let parts = RequestParts {
        method: draft.method,
        authority: "api.example:7003",
        path: draft.path,
        query: None,
        headers: &headers,
        body: draft.body,
    };
    let key = draft.session_key.expose();
    let made = message_signature::sign(key, &parts, created, &random::token(16), &draft.key_id).unwrap();
    inbound(draft, &made.into_iter().collect::<Vec<_>>())
}

#[actix_web::test]
async fn an_honest_request_passes() {
    let world = World::new();
    let draft = world.honest().await;
    assert_eq!(world.refused(&draft).await, "pass");
}

#[actix_web::test]
async fn what_calls_is_checked() {
    let world = World::new();
    let honest = world.honest().await;
    let missing = Draft { attestation_token: String::new(), ..copy(&honest) };
    assert_eq!(world.refused(&missing).await, "attestation/attestation_token_missing");
    let (decoy, session_key, key_id) = World::attestation_token(b"a master key that no verifier has", &world.jkt());
    let decoy = Draft { attestation_token: decoy, session_key, key_id, ..copy(&honest) };
    assert_eq!(world.refused(&decoy).await, "attestation/signature_invalid");
    let twice = inbound(&honest, &[("attestation-token", honest.attestation_token.clone())]);
    assert_eq!(world.verdict(&twice).await, "attestation/attestation_token_missing");
}

#[actix_web::test]
async fn the_message_is_unaltered_and_fresh() {
    let world = World::new();
    let honest = world.honest().await;
    let unsigned = inbound(&honest, &[]);
    assert_eq!(world.verdict(&unsigned).await, "message_signature/signature_missing");

    let mut altered = signed(&honest);
    altered.body = Bytes::from_static(b"{\"amount\":\"9.00\"}");
    assert_eq!(world.verdict(&altered).await, "message_signature/digest_mismatch");
    // The attacker mends the digest, too.
    let digest = crypto::b64::encode_standard(&hash::sha256(&altered.body));
    let name = "content-digest".parse().unwrap();
    altered.headers.insert(name, format!("sha-256=:{digest}:").parse().unwrap());
    assert!(world.verdict(&altered).await.starts_with("message_signature/"));

    let mut moved = signed(&honest);
    moved.path = "/v1/payouts".to_owned();
    assert!(world.verdict(&moved).await.starts_with("message_signature/"));
    let mut elsewhere = signed(&honest);
    elsewhere.authority = "evil.example".to_owned();
    assert!(world.verdict(&elsewhere).await.starts_with("message_signature/"));

    let other_key = Draft { session_key: SecretBytes::from(vec![7; 32]), ..copy(&honest) };
    assert!(world.refused(&other_key).await.starts_with("message_signature/"));
    let other_name = Draft { key_id: random::token(16), ..copy(&honest) };
    assert_eq!(world.refused(&other_name).await, "message_signature/key_id_mismatch");

    assert!(world.verdict(&signed_at(&honest, NOW - 61)).await.starts_with("message_signature/"));
    assert!(world.verdict(&signed_at(&honest, NOW + 11)).await.starts_with("message_signature/"));

    let once = signed(&honest);
    assert_eq!(world.verdict(&once).await, "pass");
    assert_eq!(world.verdict(&once).await, "message_signature/signature_replayed");
}

#[actix_web::test]
async fn signatures_from_before_the_start_are_refused() {
    let mut world = World::new();
    world.signature = Arc::new(MessageSignatureLayer::new(memory(), NOW));
    let honest = world.honest().await;
    let verdict = world.verdict(&signed_at(&honest, NOW - 1)).await;
    assert_eq!(verdict, "message_signature/created_before_start");
}

#[actix_web::test]
async fn who_calls_is_checked() {
    let world = World::new();
    let honest = world.honest().await;
    let no_token = Draft { access_token: String::new(), ..copy(&honest) };
    assert_eq!(world.refused(&no_token).await, "access_token/access_token_missing");
    let no_proof = Draft { proof: String::new(), ..copy(&honest) };
    assert_eq!(world.refused(&no_proof).await, "access_token/dpop_missing");

    let thief = SigningKey::generate();
    let nonce = world.nonce(&honest).await;
    let stolen = Draft { proof: World::proof(&thief, &honest, Some(&nonce)), ..copy(&honest) };
    assert_eq!(world.refused(&stolen).await, "access_token/token_of_another_key");

    let other_instance = Jwk::from(SigningKey::generate().public()).thumbprint();
    let (token, session_key, key_id) = World::attestation_token(&world.master, &other_instance);
    let mixed = Draft { attestation_token: token, session_key, key_id, ..copy(&honest) };
    assert_eq!(world.refused(&mixed).await, "access_token/token_of_another_instance");

    let mut other_client = Draft { access_token: world.access_token(&world.jkt(), "another-app"), ..copy(&honest) };
    other_client.proof = World::proof(&world.device, &other_client, Some(&nonce));
    assert_eq!(world.refused(&other_client).await, "access_token/token_of_another_client");

    let stale = Draft { proof: World::proof(&world.device, &honest, Some("an-old-nonce")), ..copy(&honest) };
    assert_eq!(world.refused(&stale).await, "access_token/nonce_stale");
    let without = Draft { proof: World::proof(&world.device, &honest, None), ..copy(&honest) };
    assert_eq!(world.refused(&without).await, "access_token/nonce_missing");

    assert_eq!(world.refused(&honest).await, "pass");
    assert_eq!(world.refused(&honest).await, "access_token/dpop_replayed");
}

#[actix_web::test]
async fn a_replayed_proof_wins_once_among_many() {
    let world = World::new();
    let honest = world.honest().await;
    let requests: Vec<Inbound> = (0..64).map(|_| signed(&honest)).collect();
    let verdicts = futures_util::future::join_all(requests.iter().map(|request| world.verdict(request))).await;
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "pass").count(), 1);
}

#[path = "tests_between.rs"]
mod between_layers;
#[path = "tests_modes.rs"]
mod modes;
