//! What a client learns of a person, from userinfo and in the ID token.

use schemars::JsonSchema;
use serde::Serialize;

use super::directory::Profile;
use super::store;
use crate::error::PageRefusal;
use crate::ids::UserId;
use crate::provider::Provider;
use crate::scopes;

/// What a client may know of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Released {
    /// The pseudonymous subject.
    #[schemars(with = "api::Id")]
    pub sub: UserId,
    /// Under the scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Under the scope `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// With the address: whether its owner has shown that mail to it reaches them. There is no such proof yet, so nobody has, and
    /// no client may find an account by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

impl Released {
    /// What `scope` releases of a person; `None` when there is no such person.
    pub(crate) async fn of(provider: &Provider, sub: UserId, scope: &str) -> Result<Option<Self>, PageRefusal> {
        let has = |name| scopes::contains(scope, name);
        if !has(scopes::PROFILE) && !has(scopes::EMAIL) {
            return Ok(Some(Self { sub, name: None, email: None, email_verified: None }));
        }
        let profile = profile(provider, sub).await?;
        Ok(profile.map(|Profile { name, email }| Self {
            sub,
            name: has(scopes::PROFILE).then_some(name),
            email: has(scopes::EMAIL).then_some(email),
            email_verified: has(scopes::EMAIL).then_some(false),
        }))
    }
}

/// A person's profile, opened.
pub(crate) async fn profile(provider: &Provider, user: UserId) -> Result<Option<Profile>, PageRefusal> {
    let Some(sealed) = store::profile(&provider.pool, user).await? else {
        return Ok(None);
    };
    match provider.directory.open(user, &sealed) {
        Ok(profile) => Ok(Some(profile)),
        Err(error) => {
            tracing::error!(cause = %error, reason = error.reason(), subject = %user, "a profile does not open");
            Err(PageRefusal::Internal)
        }
    }
}
