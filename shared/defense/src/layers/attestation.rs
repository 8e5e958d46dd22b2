//! Layer *attestation*: **what** calls. A genuine app on a genuine device, proven minutes ago.
//!
//! The token is HS256 under a secret that only this service and the attestation service know, so a decoy looks the
//! same to the phone and fails here like any other forgery.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use identity::{TokenError, attestation_token};

use crate::keys::AudienceKeySource;
use crate::{Decision, Facts, Inbound, Layer, Needs};

const NAME: &str = "attestation";

/// Verifies `Attestation-Token`.
pub struct AttestationLayer {
    audience: &'static str,
    keys: Arc<AudienceKeySource>,
}

impl AttestationLayer {
    /// For tokens of `audience`.
    pub fn new(audience: &'static str, keys: Arc<AudienceKeySource>) -> Self {
        Self { audience, keys }
    }

    async fn check(&self, request: &Inbound, facts: &mut Facts) -> Result<(), Decision> {
        let token = request
            .single(api::header::ATTESTATION_TOKEN)
            .ok_or_else(|| Decision::refuse(NAME, "attestation_token_missing"))?;
        let token = attestation_token::parse(token).map_err(|error| Decision::refuse(NAME, error.reason()))?;
        let mut refuse = |error: TokenError| {
            facts.claimed_support_id = token.claimed_support_id();
            Decision::refuse(NAME, error.reason())
        };
        let id = token.key_id().map_err(&mut refuse)?;
        let keys = self.keys.get(id, request.now).await.map_err(|_| Decision::unavailable(NAME, "keys_unavailable"))?;
        let (claims, session_key) = token.verify(&keys, self.audience, request.now).map_err(refuse)?;
        facts.session_key = Some(session_key);
        facts.attestation = Some(claims);
        Ok(())
    }
}

impl Layer for AttestationLayer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> Needs {
        Needs::Head
    }

    fn decide<'a>(&'a self, request: &'a Inbound, facts: &'a mut Facts) -> LocalBoxFuture<'a, Decision> {
        Box::pin(async move { self.check(request, facts).await.into() })
    }
}
