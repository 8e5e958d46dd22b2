//! `grant_type=refresh_token` (RFC 6749 §6), for tokens that are bound and therefore stay.
//!
//! Bound to what: that of an attested client to the key of its instance (draft-ietf-oauth-attestation-based-client-auth), because
//! the attestation says which app asks and the key alone says which phone. That of a client with a key of its own to that client
//! and its key; its `DPoP` key may be another one after a restart or on another of its machines (RFC 9449 §5). The new access
//! token is bound to the key of the new proof in both cases.

use api::SupportId;
use api::behavior::Place;

use super::TokenResponse;
use super::issue::access_token;
use crate::client_auth::AuthenticatedClient;
use crate::dpop::ProvenKey;
use crate::error::{Refusal, Why};
use crate::form::Parameters;
use crate::grants::{self, Bearer, is_well_formed};
use crate::opaque::Digest;
use crate::provider::Provider;
use crate::scopes;

pub(super) const GRANT_TYPE: &str = "refresh_token";
pub(super) async fn refresh(
    provider: &Provider,
    client: &AuthenticatedClient,
    key: &ProvenKey,
    parameters: &Parameters,
    place: Option<&Place>,
    now: i64,
) -> Result<TokenResponse, Refusal> {
    let missing = Why::ParameterMissing.with_description("refresh_token is missing");
    let token = parameters.get("refresh_token").ok_or(missing)?;
    let refuse = |why: Why| client.named_in(why.into());
    if !is_well_formed(token) {
        return Err(refuse(Why::RefreshTokenMalformed));
    }
    let jkt = client.client().is_attested().then(|| key.jkt());
    let bearer = Bearer { client_id: &client.client().id, jkt, level: client.level(), place };
    let found = grants::use_refresh_token(&provider.pool, provider.signals, &Digest::of(token), &bearer, now).await?;
    let entitlement = found.map_err(refuse)?;
    let scope = narrow(entitlement.scope(), parameters)?;
    let entitlement = entitlement.narrowed(scope);
    let (client_id, support_id) = (client.client().id.as_str(), client.support_id().map(SupportId::as_str));
    runtime::audit!(
        "tokens_issued", outcome = "ok", grant_type = GRANT_TYPE, subject = %entitlement.user_id(),
        client_id, grant = %entitlement.grant_id(), support_id,
    );
    access_token(provider, &entitlement, client, key, None, now)
}

/// RFC 6749 §6: the scope may be narrower than what was granted, not wider.
fn narrow(granted: &str, parameters: &Parameters) -> Result<String, Why> {
    let Some(requested) = parameters.get("scope") else {
        return Ok(granted.to_owned());
    };
    let requested: Vec<&str> = scopes::split(requested).collect();
    if requested.is_empty() || !requested.iter().all(|scope| scopes::contains(granted, scope)) {
        return Err(Why::ScopeNotGranted);
    }
    Ok(scopes::fold(requested.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_narrowed_but_never_widened() {
        let narrowed =
            |requested: &str| narrow("openid accounts:read", &Parameters::parse(requested.as_bytes()).unwrap());
        assert_eq!(narrowed("").as_deref(), Ok("openid accounts:read"));
        assert_eq!(narrowed("scope=accounts%3Aread").as_deref(), Ok("accounts:read"));
        assert_eq!(narrowed("scope=payouts%3Awrite").unwrap_err(), Why::ScopeNotGranted);
        assert_eq!(narrowed("scope=openid+payouts%3Awrite").unwrap_err(), Why::ScopeNotGranted);
    }
}
