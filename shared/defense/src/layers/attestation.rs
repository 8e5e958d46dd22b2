//! Layer *attestation*: **what** calls. A genuine app on a genuine device, proven minutes ago.
//!
//! The token is HS256 under a secret that only this service and the attestation service know, so a decoy looks the
//! same to the phone and fails here like any other forgery; but its use is an alarm.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use identity::{TokenError, attestation_token};

use crate::keys::AudienceKeySource;
use crate::{Facts, Finding, Inbound, Layer, LayerId, Verdict};

/// Sessions that are busy at one time, for which a token's MAC is checked once; about 1 KiB each.
const TOKENS: u64 = 10_000;

/// Verifies `Attestation-Token`.
pub struct AttestationLayer {
    audience: &'static str,
    keys: Arc<AudienceKeySource>,
    verified: attestation_token::VerifiedTokens,
}

impl AttestationLayer {
    /// For tokens of `audience`.
    pub fn new(audience: &'static str, keys: Arc<AudienceKeySource>) -> Self {
        Self { audience, keys, verified: attestation_token::VerifiedTokens::new(TOKENS) }
    }

    async fn check(&self, request: &Inbound, facts: &Facts) -> Finding {
        let mut learned = Facts::default();
        let verdict = self.learn(request, facts, &mut learned).await.into();
        Finding { verdict, facts: learned }
    }

    async fn learn(&self, request: &Inbound, facts: &Facts, learned: &mut Facts) -> Result<(), Verdict> {
        let refuse = |reason| LayerId::Attestation.refuse(reason);
        let token =
            request.single(api::header::ATTESTATION_TOKEN).ok_or_else(|| refuse("attestation_token_missing"))?;
        let token = self.verified.look(token).map_err(|error| refuse(error.reason()))?;
        let mut named = |error: TokenError| {
            learned.claimed_support_id = token.claimed_support_id();
            match (refuse(error.reason()), error) {
                // Ours, and so is what it names.
                (Verdict::Refuse(refusal), TokenError::Decoy) => Verdict::Refuse(refusal.alarm()),
                (refused, _) => refused,
            }
        };
        let id = token.key_id().map_err(&mut named)?;
        let keys = self.keys.get(id, request.now).await.map_err(|_| Verdict::Unknown("keys_unavailable"))?;
        let (claims, session_key) = self.verified.verify(&token, &keys, self.audience, request.now).map_err(named)?;
        // The key names an app, and the evidence is of one.
        if facts
            .keyed_app
            .as_ref()
            .is_some_and(|keyed| (&keyed.app, keyed.platform) != (&claims.app.id, claims.app.platform))
        {
            return Err(refuse("app_of_another_key"));
        }
        learned.session_key = Some(session_key);
        learned.attestation = Some(claims);
        Ok(())
    }
}

impl Layer for AttestationLayer {
    fn id(&self) -> LayerId {
        LayerId::Attestation
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(self.check(request, facts))
    }

    /// What the token says, whoever made it. The session key is that of its id nevertheless: a forger does not have it.
    #[cfg(any(test, feature = "ablation"))]
    fn assume<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Facts> {
        Box::pin(async move {
            let said = async {
                let token = request.single(api::header::ATTESTATION_TOKEN)?;
                let parsed = identity::jose::parse(token, attestation_token::TYP).ok()?;
                let id = parsed.header().kid.as_deref()?.parse().ok()?;
                let claims: attestation_token::Claims = parsed.unverified_claims().ok()?;
                let keys = self.keys.get(id, request.now).await.ok()?;
                let key = attestation_token::session_key(keys.get(id, request.now)?.secret.expose(), &claims.jti);
                Some(Facts { attestation: Some(Arc::new(claims)), session_key: Some(key), ..Facts::default() })
            };
            // Default: nothing that can be read.
            said.await.unwrap_or_default()
        })
    }
}
