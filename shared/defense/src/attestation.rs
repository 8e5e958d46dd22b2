//! Layer *attestation*: **what** calls. A genuine app on a genuine device, proven minutes ago.
//!
//! The token is HS256 under a secret that only this service and the attestation service know, so a decoy looks the
//! same to the phone and fails here like any other forgery.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use identity::attestation_token;

use crate::keys::AudienceKeySource;
use crate::{Decision, Facts, Inbound, Layer};

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
            .ok_or_else(|| Decision::refuse("attestation_token_missing"))?;
        let epoch = attestation_token::epoch(token).map_err(|error| Decision::refuse(error.reason()))?;
        let keys = self.keys.get(epoch, request.now).await.map_err(|_| Decision::unavailable("keys_unavailable"))?;
        let claims = attestation_token::verify(token, &keys, self.audience, request.now)
            .map_err(|error| Decision::refuse(error.reason()))?;
        let secret = keys.secret(epoch, request.now).ok_or_else(|| Decision::refuse("epoch_unknown"))?;
        facts.session_key = Some(attestation_token::session_key(secret.expose(), &claims.jti));
        facts.attestation = Some(claims);
        Ok(())
    }
}

impl Layer for AttestationLayer {
    fn name(&self) -> &'static str {
        "attestation"
    }

    fn decide<'a>(&'a self, request: &'a Inbound, facts: &'a mut Facts) -> LocalBoxFuture<'a, Decision> {
        Box::pin(async move { self.check(request, facts).await.err().unwrap_or(Decision::Pass) })
    }
}
