//! Layer *access token*: **who** calls. A user's token, sent by the very instance that it was issued to.
//!
//! Three things must name one key: the token (`cnf.jkt`), the `DPoP` proof (its `jwk`), and the attestation token.
//! The nonce key is random per process, so a proof that one process took is no proof to another; the in-process memory
//! of `jti`s is therefore complete (docs/adr/0004).

use std::sync::Arc;

use actix_web::http::header::{HeaderName, WWW_AUTHENTICATE};
use futures_util::future::LocalBoxFuture;
use identity::access_token::{self, Expect, VerifiedTokens};
use identity::dpop::Nonces;
use identity::replay::{Insertion, ReplayMemory};
use identity::{TokenError, dpop};

use runtime::{Problem, Refusal};

use crate::keys::JwksSource;
use crate::{Decision, Facts, Inbound, Layer, Needs};

const NAME: &str = "access_token";

/// Sessions that are busy at one time, for which a token's signature is checked once; about 1 KiB each.
const TOKENS: u64 = 10_000;

/// Verifies `Authorization: DPoP` and `DPoP` (RFC 9449 §4.3, §7.1; RFC 9068 §4).
pub struct AccessTokenLayer {
    issuer: String,
    audience: &'static str,
    origin: String,
    keys: Arc<JwksSource>,
    nonces: Nonces,
    verified: VerifiedTokens,
    seen: ReplayMemory,
}

impl AccessTokenLayer {
    /// For tokens of `issuer` for `audience`; `origin` is this API's public URL without a path.
    pub fn new(issuer: String, audience: &'static str, origin: &str, keys: Arc<JwksSource>, capacity: usize) -> Self {
        let origin = origin.trim_end_matches('/').to_owned();
        Self {
            issuer,
            audience,
            origin,
            keys,
            nonces: Nonces::new(),
            verified: VerifiedTokens::new(TOKENS),
            seen: ReplayMemory::new(capacity),
        }
    }

    async fn check(&self, request: &Inbound, facts: &mut Facts) -> Result<(), Decision> {
        let token = request
            .single(api::header::AUTHORIZATION)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop"))
            .map(|(_, token)| token)
            .ok_or_else(|| Decision::refuse(NAME, "access_token_missing"))?;
        let proof = request.single(api::header::DPOP).ok_or_else(|| Decision::refuse(NAME, "dpop_missing"))?;
        let refuse = |error: TokenError| Decision::refuse(NAME, error.reason());
        let unverified = access_token::parse(token).map_err(refuse)?;
        let keys = self.keys.get(unverified.kid(), request.now).await;
        let keys = keys.map_err(|_| Decision::unavailable(NAME, "keys_unavailable"))?;
        let expect = Expect { issuer: &self.issuer, audience: self.audience, now: request.now };
        let claims = self.verified.verify(&unverified, &keys, &expect).map_err(refuse)?;
        self.check_proof(request, facts, proof, token, &claims)?;
        facts.access = Some(claims);
        Ok(())
    }

    fn check_proof(
        &self,
        request: &Inbound,
        facts: &Facts,
        proof: &str,
        token: &str,
        claims: &access_token::Claims,
    ) -> Result<(), Decision> {
        let htu = format!("{}{}", self.origin, request.path);
        let expect = dpop::Expect { htm: &request.method, htu: &htu, access_token: Some(token), now: request.now };
        let verified = dpop::verify(proof, &expect).map_err(|error| Decision::refuse(NAME, error.reason()))?;
        if verified.jkt != claims.cnf.jkt {
            return Err(Decision::refuse(NAME, "token_of_another_key"));
        }
        let Some(attested) = facts.attestation.as_ref().filter(|attested| attested.cnf.jkt == claims.cnf.jkt) else {
            return Err(Decision::refuse(NAME, "token_of_another_instance"));
        };
        if attested.client_id != claims.client_id {
            return Err(Decision::refuse(NAME, "token_of_another_client"));
        }
        let nonce_accepted = verified.nonce.as_deref().is_some_and(|nonce| self.nonces.accepts(nonce, request.now));
        if !nonce_accepted {
            let reason = if verified.nonce.is_some() { "nonce_stale" } else { "nonce_missing" };
            let nonce = self.nonces.current(request.now);
            let problem = Problem::unauthorized()
                .header(WWW_AUTHENTICATE, "DPoP error=\"use_dpop_nonce\", algs=\"ES256\"")
                .header(HeaderName::from_static(api::header::DPOP_NONCE), &nonce);
            return Err(Decision::Challenge(Refusal::new(NAME, reason, problem)));
        }
        match self.seen.insert(verified.jkt.as_str(), verified.replay_key(), verified.replay_until(), request.now) {
            Insertion::Fresh => Ok(()),
            Insertion::Replayed => Err(Decision::refuse(NAME, "dpop_replayed")),
            Insertion::Full => Err(Decision::unavailable(NAME, "replay_memory_full")),
        }
    }
}

impl Layer for AccessTokenLayer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> Needs {
        Needs::Body
    }

    fn decide<'a>(&'a self, request: &'a Inbound, facts: &'a mut Facts) -> LocalBoxFuture<'a, Decision> {
        Box::pin(async move { self.check(request, facts).await.into() })
    }
}
