//! Where a secret may be used: authenticated with its record, so that it opens for that place only.

use crypto::envelope::Context;

use crate::ids::{ProviderName, SecretId};
use crate::providers::Provider;
use crate::providers::manifest::Auth;
use crate::providers::webhook::WebhookScheme;

/// What a secret is for.
///
/// Its text is authenticated and never changes: records are sealed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(const_into_str)]
pub enum Placement {
    /// `Authorization: Bearer …` of requests.
    #[strum(serialize = "bearer")]
    Bearer,
    /// A field of a form.
    #[strum(serialize = "form")]
    Form,
    /// The key of webhooks' signatures.
    #[strum(serialize = "webhook/standard-webhooks")]
    StandardWebhooks,
}

/// One secret of a provider and the only place for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    pub provider: ProviderName,
    /// The secret's id in the manifest.
    pub id: SecretId,
    /// The origin (RFC 6454) of the provider in this deployment.
    pub origin: String,
    /// What it is for.
    pub placement: Placement,
}

impl SecretPlace {
    /// The places of all secrets that the provider's manifest names.
    pub fn all(provider: &Provider) -> impl Iterator<Item = Self> {
        let auth = provider.auth.as_ref().map(|auth| match auth {
            Auth::Bearer { secret } => (secret, Placement::Bearer),
            Auth::Form { secret, .. } => (secret, Placement::Form),
        });
        let webhook = provider.webhook.as_ref().map(|webhook| match webhook.scheme {
            WebhookScheme::StandardWebhooks => (&webhook.secret, Placement::StandardWebhooks),
        });
        auth.into_iter().chain(webhook).map(|(id, placement)| Self {
            provider: provider.name.clone(),
            id: id.clone(),
            origin: provider.base.origin().ascii_serialization(),
            placement,
        })
    }

    /// The place of the secret `id`.
    pub fn of(provider: &Provider, id: &SecretId) -> Option<Self> {
        Self::all(provider).find(|place| place.id == *id)
    }

    /// Runs `with` in the authenticated context of one version.
    pub(super) fn context<T>(&self, version: u32, with: impl FnOnce(&Context<'_>) -> T) -> T {
        let purpose = format!("provider/{}", self.provider);
        let bound_to = [self.origin.as_str(), self.placement.into_str()];
        with(&Context { purpose: &purpose, id: self.id.as_str(), version, bound_to: &bound_to })
    }
}
