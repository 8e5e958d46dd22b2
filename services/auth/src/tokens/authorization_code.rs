//! `grant_type=authorization_code` (RFC 6749 §4.1.3).

use api::SupportId;

use super::TokenResponse;
use super::issue::access_token;
use crate::authorizations::{Redeemed, redeem};
use crate::client_auth::AuthenticatedClient;
use crate::dpop::ProvenKey;
use crate::error::Refusal;
use crate::form::Parameters;
use crate::people::Released;
use crate::provider::Provider;
use crate::scopes;

pub(super) const GRANT_TYPE: &str = "authorization_code";

pub(super) async fn exchange(
    provider: &Provider,
    client: &AuthenticatedClient,
    key: &ProvenKey,
    parameters: &Parameters,
    now: i64,
) -> Result<TokenResponse, Refusal> {
    let redeemed = redeem(provider, client, key, parameters, now).await?;
    let Redeemed { entitlement, nonce, refresh_token, payment } = redeemed;
    // Who approves a payment tells nothing of themselves.
    let tells = payment.is_none() && scopes::contains(entitlement.scope(), scopes::OPENID);
    let (client_id, support_id) = (client.client().id.as_str(), client.support_id().map(SupportId::as_str));
    runtime::audit!(
        "tokens_issued", outcome = "ok", grant_type = GRANT_TYPE, subject = %entitlement.user_id(),
        client_id, grant = %entitlement.grant_id(), support_id,
    );
    let response = access_token(provider, &entitlement, client, key, payment, now)?.with_refresh_token(refresh_token);
    if tells {
        let released = Released::of(provider, entitlement.user_id(), entitlement.scope()).await;
        // The code is used up, so this cannot be repeated; the person logs in anew.
        let released = released.ok().flatten().ok_or_else(|| Refusal::internal(&"a profile cannot be read"))?;
        return response.with_id_token(provider, &entitlement, released, client, nonce, now);
    }
    Ok(response)
}
