//! Userinfo (OpenID Connect Core §5.3): who the person is, for a client that they have told so.
//!
//! A resource like any other: access token in the `Authorization` header under the scheme `DPoP`, proof with `ath`, one key in
//! both (RFC 9449 §7). Beyond that it sees what a resource server cannot: whether the grant has been revoked since.

pub mod http;

use identity::access_token::{self, Claims, Expect};
use identity::dpop;

use crate::dpop::{Field, Owner};
use crate::error::{Refusal, Why};
use crate::grants;
use crate::people::Released;
use crate::provider::Provider;
use crate::scopes;

/// A request for a protected resource.
pub struct ResourceRequest {
    pub method: String,
    pub path: &'static str,
    /// `Authorization`.
    pub authorization: Field,
    /// `DPoP`.
    pub dpop: Field,
    /// Unix seconds when it arrived.
    pub now: i64,
}

/// Who the access token stands for, as far as it says that they told so.
pub async fn userinfo(provider: &Provider, request: &ResourceRequest) -> Result<Released, Refusal> {
    let claims = authorize(provider, request).await?;
    if !scopes::contains(&claims.scope, scopes::OPENID) {
        return Err(Why::OpenidMissing.into());
    }
    let grant = grants::grant_of(&claims.jti).ok_or(Why::AccessTokenJti)?;
    let user = claims.sub.parse::<api::Id>().map_err(|_| Why::SubjectInvalid)?.uuid().into();
    if !grants::is_live(&provider.pool, user, grant, request.now).await? {
        return Err(Why::AccessTokenRevoked.into());
    }
    let released = Released::of(provider, user, &claims.scope).await;
    Ok(released.map_err(|_| Why::ProfileUnavailable)?.ok_or(Why::SubjectUnknown)?)
}

async fn authorize(provider: &Provider, request: &ResourceRequest) -> Result<Claims, Refusal> {
    let Field::One(authorization) = &request.authorization else {
        return Err(Why::AccessTokenMissing.into());
    };
    // A bound token under the scheme `Bearer` is a downgrade (RFC 9449 §7.1).
    let token = authorization.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop"));
    let (_, token) = token.ok_or(Why::SchemeNotDpop)?;
    // The proof first: whoever has none for a token of somebody else's is not told whether that token is good.
    let htu = provider.endpoint(request.path);
    let expect = dpop::Expect { htm: &request.method, htu: &htu, access_token: Some(token), now: request.now };
    let proof = provider.proofs.verify(&request.dpop, &expect)?.ok_or(Why::DpopMissing)?;
    let expect = Expect { issuer: provider.issuer(), audience: api::service::LEDGER_RESOURCE, now: request.now };
    let claims = access_token::verify(token, provider.keys.published(), &expect);
    let claims = claims.map_err(|error| Why::AccessTokenInvalid.with_reason(error.reason()))?;
    if proof.jkt() != &claims.cnf.jkt {
        return Err(Why::AccessTokenOfAnotherKey.into());
    }
    let client = provider.clients.get(&claims.client_id);
    // Default: a client can leave the configuration while its tokens live; then its name is all that is known of it.
    let owner = client.map_or(Owner::Client(&claims.client_id), |client| client.owner());
    provider.proofs.claim(proof, owner, request.now).await?;
    Ok(claims)
}
