//! Makes tokens for whoever is entitled to them.

use api::approvals::{ACR_PAYMENT, ApprovedPayment};
use identity::Cnf;
use identity::access_token::{self, Claims};
use schemars::JsonSchema;
use serde::Serialize;

use super::{ACCESS_LIFETIME, id_token};
use crate::client_auth::AuthenticatedClient;
use crate::dpop::ProvenKey;
use crate::error::Refusal;
use crate::grants::{Entitlement, PAYMENT_LIFETIME};
use crate::people::Released;
use crate::provider::Provider;

/// The answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
#[derive(Serialize, JsonSchema)]
pub struct TokenResponse {
    /// RFC 9068, bound to the key of the proof.
    access_token: String,
    /// `DPoP` (RFC 9449 §5).
    token_type: &'static str,
    /// Seconds that the access token lives.
    expires_in: i64,
    /// What was granted.
    scope: String,
    /// With the scope `offline_access`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// With the scope `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// What the payer has approved (RFC 9396 §7), where that was asked; the access token is for that alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details: Vec<ApprovedPayment>,
}

/// Issues an access token that only the proven key can use; with an approved payment, for that one.
pub(super) fn access_token(
    provider: &Provider,
    entitlement: &Entitlement,
    client: &AuthenticatedClient,
    key: &ProvenKey,
    payment: Option<ApprovedPayment>,
    now: i64,
) -> Result<TokenResponse, Refusal> {
    let lifetime = if payment.is_some() { PAYMENT_LIFETIME } else { ACCESS_LIFETIME };
    let claims = Claims {
        iss: provider.issuer().to_owned(),
        sub: entitlement.user_id().to_string(),
        aud: api::service::LEDGER_RESOURCE.to_owned(),
        client_id: client.client().id.clone(),
        scope: entitlement.scope().to_owned(),
        iat: now,
        exp: now + lifetime,
        jti: entitlement.token_id(),
        auth_time: entitlement.authenticated_at(),
        cnf: Cnf { jkt: key.jkt().clone() },
        acr: payment.as_ref().map(|_| ACR_PAYMENT.to_owned()),
        amr: entitlement.methods().iter().map(|method| (*method).to_owned()).collect(),
        authorization_details: payment.into_iter().collect(),
        instance: entitlement.instance(),
        factor_since: entitlement.factor_since(),
    };
    let keys = &provider.keys;
    let token = access_token::issue(keys.signing(), keys.kid(), &claims).map_err(|error| Refusal::internal(&error))?;
    Ok(TokenResponse {
        access_token: token,
        token_type: "DPoP",
        expires_in: lifetime,
        scope: claims.scope,
        refresh_token: None,
        id_token: None,
        authorization_details: claims.authorization_details,
    })
}

impl TokenResponse {
    pub(super) fn with_refresh_token(mut self, token: Option<String>) -> Self {
        self.refresh_token = token;
        self
    }

    pub(super) fn with_id_token(
        mut self,
        provider: &Provider,
        entitlement: &Entitlement,
        released: Released,
        client: &AuthenticatedClient,
        nonce: Option<String>,
        now: i64,
    ) -> Result<Self, Refusal> {
        let token = id_token::issue(provider, entitlement, released, &client.client().id, nonce, now);
        self.id_token = Some(token.map_err(|error| Refusal::internal(&error))?);
        Ok(self)
    }
}
