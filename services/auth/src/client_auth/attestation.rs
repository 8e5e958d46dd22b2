//! Attestation-based client authentication in the `DPoP` combined mode (draft-ietf-oauth-attestation-based-client-auth):
//! the client attestation says which app on which device this is, and the `DPoP` proof, made with the very key that was
//! attested, says that it is that device which calls.
//!
//! A decoy fails here like any forged token: nothing tells the phone why, and the operator gets an alarm.

use identity::attestation_token::KeyId;
use identity::client_attestation::{self, TYP};
use identity::{TokenError, jose};

use super::{AuthenticatedClient, ProtocolRequest, client_named, same_key};
use crate::clients::Authentication;
use crate::dpop::Proof;
use crate::error::{Refusal, Why};
use crate::provider::Provider;

pub(super) async fn verify(
    provider: &Provider,
    request: &ProtocolRequest,
    token: &str,
    proof: Option<&Proof>,
) -> Result<AuthenticatedClient, Refusal> {
    let id = jose::parse(token, TYP)
        .map_err(TokenError::from)
        .and_then(|token| token.header().kid.as_deref().ok_or(TokenError::UnknownKey)?.parse::<KeyId>());
    let refused = |error: TokenError| {
        let claimed_support_id = identity::claimed_support_id(token, TYP);
        refused(&error).with_claimed_support_id(claimed_support_id)
    };
    let keys = provider.audience_keys.get(id.map_err(refused)?, request.now).await;
    let keys = keys.map_err(|_| Why::AudienceKeysUnavailable)?;
    let claims = client_attestation::verify(token, &keys, request.now).map_err(refused)?;
    let named = |why: Why| Refusal::from(why).of_instance(&claims.support_id);
    let fits = |authentication: &Authentication| matches!(authentication, Authentication::Attested);
    let client = client_named(provider, request, &claims.sub, fits).map_err(named)?;
    // An app has a key of its own; which one is not for the request to choose.
    let keyed = request.keyed_app.as_ref().ok_or_else(|| named(Why::ApiKeyMissing))?;
    if (&keyed.app, keyed.platform) != (&claims.app.id, claims.app.platform) {
        return Err(named(Why::AppOfAnotherKey));
    }
    same_key(proof, &claims.cnf.jwk.thumbprint()).map_err(named)?;
    Ok(AuthenticatedClient { client, support_id: Some(claims.support_id), level: Some(claims.level) })
}

fn refused(error: &TokenError) -> Refusal {
    match error {
        TokenError::Expired => Why::AttestationExpired.into(),
        _ => Why::AttestationInvalid.with_reason(error.reason()),
    }
}
