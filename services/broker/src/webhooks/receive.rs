//! Taking one webhook: verify, store, say so.

use std::sync::Arc;

use chrono::DateTime;
use crypto::{SecretBytes, hash};
use runtime::{Clock, trace};
use storage::Pool;
use tokio::sync::Notify;

use super::signature::{self, Headers, WebhookRefusal};
use super::store::Inserted;
use super::store::{self, NewMessage};
use crate::error::Error;
use crate::ids::{EventId, ProviderName, SecretId};
use crate::providers::webhook::Sorted;
use crate::providers::{Catalogue, Provider, Webhook};
use crate::secrets::{Keys, Vault, VaultError};

/// The kind of an event whose type cannot be read.
const UNREADABLE: &str = "unreadable";

/// Receives webhooks of all providers.
pub struct Receiver {
    pub catalogue: Arc<Catalogue>,
    pub vault: Arc<Vault>,
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    /// Wakes the courier.
    pub wake: Arc<Notify>,
}

/// What a provider's webhooks are held to.
pub struct Terms {
    provider: Arc<Provider>,
    webhook: Arc<Webhook>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is in the inbox now.
    New,
    /// The same message has come before.
    Again,
    /// It was there, rejected, and is judged anew.
    Reopened,
}

impl Receiver {
    /// The terms of a provider. One that sends no webhooks looks the same as a wrong signature.
    pub fn terms(&self, provider: &ProviderName) -> Result<Terms, Error> {
        let found = self.catalogue.provider(provider).and_then(|provider| Some((provider, provider.webhook.as_ref()?)));
        let (provider, webhook) = found.ok_or(WebhookRefusal::Provider)?;
        Ok(Terms { provider: Arc::clone(provider), webhook: Arc::clone(webhook) })
    }

    /// Bytes of a message at most, whoever sends it.
    pub fn max_bytes(&self) -> usize {
        let of_each =
            self.catalogue.iter().filter_map(|provider| provider.webhook.as_ref()).map(|webhook| webhook.max_bytes);
        of_each.max().unwrap_or(0) // Default: no provider sends any.
    }

    /// Verifies a message and stores it.
    pub async fn receive(&self, terms: &Terms, headers: &Headers<'_>, body: &[u8]) -> Result<Received, Error> {
        if body.len() > terms.webhook.max_bytes {
            return Err(WebhookRefusal::Length.into());
        }
        self.verify(terms, headers, body).await?;
        // It is signed, so it is kept: what cannot be read, or may be about money and is not in the manifest, is for a person. Refused, it would be
        // seen by nobody.
        let (kind, wanted, rejected) = match terms.webhook.sort(body) {
            Sorted::Wanted(kind) => (kind, true, None),
            Sorted::Ignored(kind) => (kind, false, None),
            Sorted::Unlisted(kind) => (kind, true, Some("the manifest does not list this type")),
            Sorted::Unreadable => (UNREADABLE.to_owned(), true, Some("the event is not of the agreed form")),
        };
        let now = DateTime::from_timestamp_millis(self.clock.unix_millis());
        let now = now.ok_or(Error::Invariant("a clock beyond the calendar"))?;
        let message = NewMessage {
            id: storage::ids::new(self.clock.unix_millis()).into(),
            provider: &terms.provider.name,
            event_id: EventId::of(headers.id),
            kind: &kind,
            digest: hash::sha256(body),
            body: wanted.then_some(body),
            rejected,
            traceparent: trace::current(),
            now,
        };
        let mut db = storage::connection(&self.pool).await?;
        let inserted = store::insert(&mut db, &message).await?;
        drop(db);
        self.report(&message, inserted)
    }

    fn report(&self, message: &NewMessage<'_>, inserted: Inserted) -> Result<Received, Error> {
        let NewMessage { kind, .. } = message;
        let (provider, event_id) = (message.provider.as_str(), message.event_id.as_str());
        let log = |outcome: &str| runtime::audit!("webhook", outcome, provider, event_id, kind);
        match inserted {
            Inserted::New if message.rejected.is_some() => {
                log("rejected");
                Ok(Received::New)
            }
            Inserted::New => {
                log("accepted");
                self.wake.notify_one();
                Ok(Received::New)
            }
            Inserted::Same => {
                log("duplicate");
                Ok(Received::Again)
            }
            Inserted::Reopened => {
                log("reopened");
                self.wake.notify_one();
                Ok(Received::Reopened)
            }
            Inserted::Different => Err(Error::EventIdReused),
        }
    }

    /// Verifies under the secrets at hand and, if none fits, once more under what the database has: a rotation may have happened.
    async fn verify(&self, terms: &Terms, headers: &Headers<'_>, body: &[u8]) -> Result<(), Error> {
        let (provider, id, now) = (&terms.provider, &terms.webhook.secret, self.clock.unix());
        let known = self.vault.keys(provider).await.map_err(Error::NoSecret)?;
        let mut outcome = signature::verify(headers, body, &verifying(&known, id)?, now);
        if outcome == Err(WebhookRefusal::Signature) {
            let known = self.vault.reloaded(provider).await.map_err(Error::NoSecret)?;
            outcome = signature::verify(headers, body, &verifying(&known, id)?, now);
        }
        Ok(outcome?)
    }
}

/// The keys to verify with.
fn verifying(known: &Keys, id: &SecretId) -> Result<Vec<SecretBytes>, Error> {
    let live = known.of(id).map_err(Error::NoSecret)?;
    let keys = live.iter().map(|secret| signature::parse_secret(secret.value.expose())).collect::<Option<_>>();
    keys.ok_or(Error::NoSecret(VaultError::Invariant("a live webhook secret that is none")))
}
