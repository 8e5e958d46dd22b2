//! Userinfo (OpenID Connect Core §5.3): who the person is, for a client that they have told so.
//!
//! A resource like any other: access token in the `Authorization` header under the scheme `DPoP`, proof with `ath`, one key in
//! both (RFC 9449 §7). Beyond that it sees what a resource server cannot: whether the grant has been revoked since.

pub mod http;

use identity::access_token::{self, Claims, Expect};
use identity::dpop;

use crate::dpop::{Field, Owner};
use crate::error::{ErrorCode, Refusal};
use crate::grants;
use crate::people::Released;
use crate::provider::Provider;
use crate::scopes;

/// A request for a protected resource.
pub struct ResourceRequest {
    /// The method.
    pub method: String,
    /// The path.
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
    let claims = authorize(provider, request)?;
    if !scopes::contains(&claims.scope, scopes::OPENID) {
        return Err(Refusal::new(ErrorCode::InsufficientScope, "authorization", "scope_missing", "openid is required"));
    }
    let grant = grants::grant_of(&claims.jti).ok_or(invalid("jti_invalid"))?;
    let user = claims.sub.parse::<api::Id>().map_err(|_| invalid("subject_invalid"))?.uuid();
    if !grants::is_live(&provider.pool, grant).await? {
        return Err(invalid("grant_revoked"));
    }
    let released = Released::of(provider, user, &claims.scope).await;
    released.map_err(|_| Refusal::unavailable("profile_unavailable"))?.ok_or(invalid("subject_unknown"))
}

fn authorize(provider: &Provider, request: &ResourceRequest) -> Result<Claims, Refusal> {
    let Field::One(authorization) = &request.authorization else {
        return Err(invalid("access_token_missing"));
    };
    // A bound token under the scheme `Bearer` is a downgrade (RFC 9449 §7.1).
    let token = authorization.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop"));
    let (_, token) = token.ok_or(invalid("scheme_not_dpop"))?;
    let expect = Expect { issuer: provider.issuer(), audience: api::service::LEDGER_RESOURCE, now: request.now };
    let claims = access_token::verify(token, provider.keys.published(), &expect);
    let claims = claims.map_err(|error| invalid(error.reason()))?;
    let htu = provider.endpoint(request.path);
    let expect = dpop::Expect { htm: &request.method, htu: &htu, access_token: Some(token), now: request.now };
    let proof = provider.proofs.verify(&request.dpop, &expect)?.ok_or(Refusal::proof("dpop_missing"))?;
    if proof.jkt() != &claims.cnf.jkt {
        return Err(invalid("token_of_another_key"));
    }
    let client = provider.clients.get(&claims.client_id);
    // Default: a client can leave the configuration while its tokens live; then its name is all that is known of it.
    let owner = client.map_or(Owner::Client(&claims.client_id), |client| client.owner());
    provider.proofs.claim(proof, owner, request.now)?;
    Ok(claims)
}

const fn invalid(reason: &'static str) -> Refusal {
    Refusal::new(
        ErrorCode::InvalidToken,
        "access_token",
        reason,
        "the access token is missing, expired or not valid here",
    )
}
