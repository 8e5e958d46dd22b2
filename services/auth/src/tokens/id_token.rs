//! The ID token (OpenID Connect Core §2): claims by `openidconnect`'s types, signature by our own JOSE, because that crate
//! signs no ES256.

use api::ClientId;
use identity::jose::{self, Header};
use openidconnect::core::{CoreGenderClaim, CoreIdTokenClaims};
use openidconnect::{
    Audience, AuthenticationMethodReference, EmptyAdditionalClaims, EndUserEmail, EndUserName, IssuerUrl,
    LocalizedClaim, Nonce, StandardClaims, SubjectIdentifier,
};

use crate::error::Invariant;
use crate::grants::Entitlement;
use crate::people::Released;
use crate::provider::Provider;
use crate::store::at;

/// Seconds within which a client looks at it.
const LIFETIME: i64 = 300;

/// Why an ID token could not be made; all of it is ours to repair.
#[derive(Debug, thiserror::Error)]
pub(super) enum IdTokenError {
    /// The issuer is no URL.
    #[error(transparent)]
    Issuer(#[from] url::ParseError),
    /// A time that is none.
    #[error(transparent)]
    Time(#[from] Invariant),
    /// The key does not sign.
    #[error(transparent)]
    Jose(#[from] jose::JoseError),
}

pub(super) fn issue(
    provider: &Provider,
    entitlement: &Entitlement,
    released: Released,
    client_id: &ClientId,
    nonce: Option<String>,
    now: i64,
) -> Result<String, IdTokenError> {
    let methods = entitlement.methods().iter();
    let claims = CoreIdTokenClaims::new(
        IssuerUrl::new(provider.issuer().to_owned())?,
        vec![Audience::new(client_id.to_string())],
        at(now + LIFETIME)?,
        at(now)?,
        person(released),
        EmptyAdditionalClaims {},
    )
    .set_auth_time(Some(at(entitlement.authenticated_at())?))
    .set_auth_method_refs(Some(
        methods.map(|method| AuthenticationMethodReference::new((*method).to_owned())).collect(),
    ))
    .set_nonce(nonce.map(Nonce::new));
    let header = Header::new("JWT").with_kid(provider.keys.kid());
    Ok(jose::sign_es256(provider.keys.signing(), &header, &claims)?)
}

/// The same as userinfo says.
fn person(released: Released) -> StandardClaims<CoreGenderClaim> {
    let Released { sub, name, email, email_verified } = released;
    StandardClaims::new(SubjectIdentifier::new(sub.to_string()))
        .set_name(name.map(|name| LocalizedClaim::from(EndUserName::new(name))))
        .set_email(email.map(EndUserEmail::new))
        .set_email_verified(email_verified)
}
