//! Taking one webhook: verify, store, say so.

use std::sync::Arc;

use api::problem::code;
use chrono::DateTime;
use crypto::{SecretBytes, hash};
use runtime::{Clock, Problem, StatusCode, audit, trace};
use storage::{Pool, StorageError};
use tokio::sync::Notify;

use super::signature::{self, Headers, Refused};
use super::store::Inserted;
use super::store::{self, NewMessage};
use crate::ids::{EventId, ProviderName, SecretId};
use crate::providers::webhook::Sorted;
use crate::providers::{Catalogue, Provider, Webhook};
use crate::secrets::{Keys, Vault, VaultError};

/// The kind of an event whose type cannot be read.
const UNREADABLE: &str = "unreadable";

/// Receives webhooks of all providers.
pub struct Receiver {
    /// The providers.
    pub catalogue: Arc<Catalogue>,
    /// Their secrets.
    pub vault: Arc<Vault>,
    /// The inbox's database.
    pub pool: Pool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Wakes the courier.
    pub wake: Arc<Notify>,
}

/// What a provider's webhooks are held to.
pub struct Terms {
    provider: Arc<Provider>,
    webhook: Arc<Webhook>,
}

impl Terms {
    /// Bytes of a message at most.
    pub fn max_bytes(&self) -> usize {
        self.webhook.max_bytes
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is in the inbox now.
    New,
    /// It was there.
    Again,
    /// It was there, rejected, and is judged anew.
    Reopened,
}

impl Receiver {
    /// The terms of a provider. One that sends no webhooks looks the same as a wrong signature.
    pub fn terms(&self, provider: &ProviderName) -> Result<Terms, Problem> {
        let found = self.catalogue.provider(provider).and_then(|provider| Some((provider, provider.webhook.as_ref()?)));
        let (provider, webhook) = found.ok_or_else(|| self.refuse("provider_unknown"))?;
        Ok(Terms { provider: Arc::clone(provider), webhook: Arc::clone(webhook) })
    }

    /// The one refusal of webhooks; the reason is for the audit log.
    pub fn refuse(&self, reason: &str) -> Problem {
        audit::refused("webhook_signature", reason, audit::Who::default());
        refused(StatusCode::UNAUTHORIZED)
    }

    /// Verifies a message and stores it.
    pub async fn receive(&self, terms: &Terms, headers: &Headers<'_>, body: &[u8]) -> Result<Received, Problem> {
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
        let now = now.ok_or_else(|| Problem::internal(&"cannot happen: a clock beyond the calendar"))?;
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

    fn report(&self, message: &NewMessage<'_>, inserted: Inserted) -> Result<Received, Problem> {
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
            Inserted::Different => {
                // Signed, and yet another message under an id that was used: the provider's fault, and never ours to act on.
                audit::refused("webhook_once", "event_id_reused", audit::Who::default());
                Err(refused(StatusCode::CONFLICT))
            }
        }
    }

    /// Verifies under the secrets at hand and, if none fits, once more under what the database has: a rotation may have happened.
    async fn verify(&self, terms: &Terms, headers: &Headers<'_>, body: &[u8]) -> Result<(), Problem> {
        let (provider, id, now) = (&terms.provider, &terms.webhook.secret, self.clock.unix());
        let known = self.vault.keys(provider).await.map_err(|error| self.no_secret(&error))?;
        let mut outcome = signature::verify(headers, body, &self.verifying(&known, id)?, now);
        if outcome == Err(Refused::Signature) {
            let known = self.vault.reloaded(provider).await.map_err(|error| self.no_secret(&error))?;
            outcome = signature::verify(headers, body, &self.verifying(&known, id)?, now);
        }
        outcome.map_err(|reason| self.refuse(&reason.to_string()))
    }

    /// The keys to verify with.
    fn verifying(&self, known: &Keys, id: &SecretId) -> Result<Vec<SecretBytes>, Problem> {
        let live = known.of(id).map_err(|error| self.no_secret(&error))?;
        let keys = live.iter().map(|secret| signature::parse_secret(secret.value.expose())).collect::<Option<_>>();
        keys.ok_or_else(|| self.no_secret(&VaultError::Invariant("a live webhook secret that is none")))
    }

    /// Without a secret nothing can be believed. When the database is down the sender is told to come back instead.
    fn no_secret(&self, error: &VaultError) -> Problem {
        tracing::error!(cause = %error, "the secret of a webhook cannot be had");
        match error {
            VaultError::Storage(StorageError::Busy(_) | StorageError::Held(_) | StorageError::Unavailable(_)) => {
                Problem::busy(1)
            }
            _ => self.refuse("secret_unavailable"),
        }
    }
}

fn refused(status: StatusCode) -> Problem {
    Problem::new(status, code::WEBHOOK_REFUSED, "The webhook is refused")
}
