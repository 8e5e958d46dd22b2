//! Layer *access token*: **who** calls. A user's token, sent by the very instance that it was issued to.
//!
//! Three things must name one key: the token (`cnf.jkt`), the `DPoP` proof (its `jwk`), and the attestation token.
//! The nonce key is random per process, so a proof that one process took is no proof to another; a memory of `jti`s in the process is therefore
//! complete (docs/adr/0004), and so is one that several processes share.

use std::sync::Arc;

use actix_web::http::header::{HeaderName, WWW_AUTHENTICATE};
use futures_util::future::LocalBoxFuture;
use identity::access_token::{self, Expect, VerifiedTokens};
use identity::dpop::{KnownHeaders, Nonces};
use identity::{TokenError, dpop};
use runtime::{Problem, Refusal};

use crate::keys::JwksSource;
use crate::stores::{Once, OnceClass};
use crate::{Facts, Finding, Inbound, Layer, LayerId, SingleUse, Verdict};

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
    headers: KnownHeaders,
    used: Arc<dyn Once>,
}

impl AccessTokenLayer {
    /// For tokens of `issuer` for `audience`; `origin` is this API's public URL without a path; proofs are remembered in `used`.
    pub fn new(
        issuer: String,
        audience: &'static str,
        origin: &str,
        keys: Arc<JwksSource>,
        used: Arc<dyn Once>,
    ) -> Self {
        let origin = origin.trim_end_matches('/').to_owned();
        Self {
            issuer,
            audience,
            origin,
            keys,
            nonces: Nonces::new(),
            verified: VerifiedTokens::new(TOKENS),
            headers: KnownHeaders::new(TOKENS),
            used,
        }
    }

    async fn check(&self, request: &Inbound, facts: &Facts) -> Result<Facts, Verdict> {
        let refused = |reason| LayerId::AccessToken.refuse(reason);
        let token = request
            .single(api::header::AUTHORIZATION)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop"))
            .map(|(_, token)| token)
            .ok_or_else(|| refused("access_token_missing"))?;
        let proof = request.single(api::header::DPOP).ok_or_else(|| refused("dpop_missing"))?;
        let invalid = |error: TokenError| refused(error.reason());
        let presented = self.verified.look(token).map_err(invalid)?;
        let kid = presented.kid().ok_or_else(|| invalid(TokenError::UnknownKey))?;
        let keys = self.keys.get(kid, request.now).await;
        let keys = keys.map_err(|_| Verdict::Unknown("keys_unavailable"))?;
        let expect = Expect { issuer: &self.issuer, audience: self.audience, now: request.now };
        let claims = self.verified.verify(&presented, &keys, &expect).map_err(invalid)?;
        let proof = self.check_proof(request, facts, proof, token, &claims)?;
        Ok(Facts { access: Some(claims), proof: Some(proof), ..Facts::default() })
    }

    fn check_proof(
        &self,
        request: &Inbound,
        facts: &Facts,
        proof: &str,
        token: &str,
        claims: &access_token::Claims,
    ) -> Result<SingleUse, Verdict> {
        let refused = |reason| LayerId::AccessToken.refuse(reason);
        let htu = format!("{}{}", self.origin, request.path);
        let expect = dpop::Expect { htm: &request.method, htu: &htu, access_token: Some(token), now: request.now };
        let verified = self.headers.verify(proof, &expect).map_err(|error| refused(error.reason()))?;
        if verified.jkt != claims.cnf.jkt {
            return Err(refused("token_of_another_key"));
        }
        let Some(attested) = facts.attestation.as_ref().filter(|attested| attested.cnf.jkt == claims.cnf.jkt) else {
            return Err(refused("token_of_another_instance"));
        };
        if attested.client_id != claims.client_id {
            return Err(refused("token_of_another_client"));
        }
        let nonce_accepted = verified.nonce.as_deref().is_some_and(|nonce| self.nonces.accepts(nonce, request.now));
        if !nonce_accepted {
            let reason = if verified.nonce.is_some() { "nonce_stale" } else { "nonce_missing" };
            let nonce = self.nonces.current(request.now);
            let problem = Problem::unauthorized()
                .header(WWW_AUTHENTICATE, "DPoP error=\"use_dpop_nonce\", algs=\"ES256\"")
                .header(HeaderName::from_static(api::header::DPOP_NONCE), &nonce);
            return Err(Verdict::Challenge(Refusal::new(LayerId::AccessToken.name(), reason, problem)));
        }
        let (key, until) = (verified.replay_key(), verified.replay_until());
        Ok(SingleUse { owner: verified.jkt, key, until })
    }
}

impl Layer for AccessTokenLayer {
    fn id(&self) -> LayerId {
        LayerId::AccessToken
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(async move { Finding::of(self.check(request, facts).await) })
    }

    /// What the token says, whoever made it and whoever sends it.
    #[cfg(any(test, feature = "ablation"))]
    fn assume<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Facts> {
        let said = || {
            let (_, token) = request.single(api::header::AUTHORIZATION)?.split_once(' ')?;
            let claims = identity::jose::parse(token, access_token::TYP).ok()?.unverified_claims().ok()?;
            Some(Facts { access: Some(Arc::new(claims)), ..Facts::default() })
        };
        // Default: nothing that can be read.
        Box::pin(std::future::ready(said().unwrap_or_default()))
    }

    fn claim<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        let again = || LayerId::AccessToken.refuse("dpop_replayed");
        Box::pin(SingleUse::claim(facts.proof.as_ref(), &*self.used, OnceClass::DpopProof, request, again))
    }
}
