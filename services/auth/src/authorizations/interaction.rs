//! One browser answering one request.

use std::sync::Arc;

use api::approvals::PaymentShown;
use api::behavior::Place;
use crypto::{SecretString, b64, hash};
use identity::Thumbprint;
use runtime::Cookies;
use storage::{Connection, StorageError};

use super::authenticated::{Authenticated, Known};
use super::handle::{Handle, PARAMETER};
use super::request::AuthorizationRequest;
use super::store::{interactions, requests};
use crate::clients::Client;
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::grants;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::paths;
use crate::provider::Provider;

/// Seconds that a person has.
pub const LIFETIME: i64 = 600;

/// An interaction that is under way.
pub struct Interaction {
    cookie: SecretString,
    pub(crate) handle: Handle,
    pub(super) digest: Digest,
    pub(super) request_digest: Digest,
    pub(crate) client: Arc<Client>,
    pub(crate) jkt: Option<Thumbprint>,
    pub(crate) request: AuthorizationRequest,
    pub(crate) known: Option<Known>,
    /// The payment that was shown last, sealed.
    pub(super) shown: Option<Vec<u8>>,
    /// The secret of an authenticator app that is being set up, sealed.
    pub(crate) enrolling: Option<Vec<u8>>,
    /// From where the browser asks, if it is known.
    pub(crate) place: Option<Place>,
}

impl Interaction {
    /// The interaction that a page's address names, for the browser that holds its cookie.
    pub async fn load(
        provider: &Provider,
        address: &Parameters,
        cookies: &Cookies<'_>,
        now: i64,
    ) -> Result<Self, PageRefusal> {
        let handle = address.get(PARAMETER).ok_or(PageRefusal::NoInteraction)?;
        let handle = Handle::parse(handle).ok_or(PageRefusal::Interaction)?;
        let cookie = SecretString::from(handle.cookie(cookies)?.ok_or(PageRefusal::Interaction)?);
        let digest = Digest::of(cookie.expose());
        let row = interactions::find(&provider.pool, &digest, now).await?.ok_or(PageRefusal::Interaction)?;
        // A client can leave the configuration while somebody logs in.
        let client = provider.clients.get(&row.stored.client_id).ok_or(PageRefusal::Interaction)?;
        Ok(Self {
            cookie,
            handle,
            digest,
            request_digest: row.request_digest,
            client: Arc::clone(client),
            jkt: row.stored.jkt,
            request: row.stored.request,
            known: row.known,
            shown: row.shown,
            enrolling: row.enrolling,
            place: None,
        })
    }

    /// The same, asked about from there.
    #[must_use]
    pub(crate) fn at(self, place: Option<Place>) -> Self {
        Self { place, ..self }
    }

    /// Who is logged in; nobody whose second factor is still to come.
    pub fn authenticated(&self) -> Option<Authenticated> {
        match self.known {
            Some(Known::Authenticated(person)) => Some(person),
            Some(Known::Awaiting(_)) | None => None,
        }
    }

    /// Where it goes on.
    pub fn next(&self) -> &'static str {
        next(self.request.payment.is_some(), self.known.as_ref())
    }

    /// Where the one goes on that takes its place with this person.
    pub(crate) fn next_of(&self, known: &Known) -> &'static str {
        next(self.request.payment.is_some(), Some(known))
    }

    /// The attested device that it began on, if this person uses it.
    pub(crate) async fn known_device(
        &self,
        provider: &Provider,
        person: Option<UserId>,
    ) -> Result<Option<&Thumbprint>, StorageError> {
        Ok(match self.jkt.as_ref().filter(|_| self.client.is_attested()) {
            Some(jkt) if grants::knows_device(&provider.pool, person, &self.client.id, jkt).await? => Some(jkt),
            _ => None,
        })
    }

    /// Whether who logs in here, on this device of theirs if it is one, comes by nothing new: a client that is no app has no device, and pays nothing.
    pub(crate) fn is_known_way(&self, device: Option<&Thumbprint>) -> bool {
        device.is_some() || !self.client.is_attested()
    }

    /// Keeps the secret of an app that is being set up; false when the interaction is not there any more.
    pub(crate) async fn keep_enrolling(&self, provider: &Provider, sealed: &[u8]) -> Result<bool, StorageError> {
        interactions::keep_enrolling(&provider.pool, &self.digest, sealed).await
    }

    /// The token that our pages carry: derived from the cookie, which no other site can read or set, and valid as long
    /// as the interaction is in the database.
    pub fn csrf(&self) -> String {
        b64::encode(&hash::hmac_sha256(self.cookie.expose().as_bytes(), b"redoubt-csrf"))
    }

    /// What a page's form says of the payment that it shows: which one it was, for whoever has the cookie, and nothing of it.
    pub fn mark(&self, payment: &PaymentShown) -> Result<String, PageRefusal> {
        let text = serde_json::to_vec(payment).map_err(|error| PageRefusal::internal(&error))?;
        let text = [b"redoubt-shown", text.as_slice()].concat();
        Ok(b64::encode(&hash::hmac_sha256(self.cookie.expose().as_bytes(), &text)))
    }

    /// Checks that a form came from our page.
    pub fn check_csrf(&self, form: &Parameters) -> Result<(), PageRefusal> {
        match form.get("csrf") {
            Some(token) if hash::constant_time_eq(token.as_bytes(), self.csrf().as_bytes()) => Ok(()),
            _ => Err(PageRefusal::Csrf),
        }
    }

    /// Puts one that knows its person better in the place of this one, under a new cookie; false when it is not there any more.
    pub(crate) async fn replace(
        &self,
        db: &mut Connection,
        cookie: &Digest,
        known: &Known,
    ) -> Result<bool, StorageError> {
        interactions::replace(db, &self.digest, cookie, known).await
    }

    /// Of its cookie: by this the database knows it.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Counts a try of its request.
    pub async fn attempt(&self, provider: &Provider) -> Result<(), PageRefusal> {
        attempt(provider, &self.request_digest).await
    }
}

/// Where an interaction goes on that knows its person so well.
fn next(payment: bool, known: Option<&Known>) -> &'static str {
    match known {
        None => paths::LOGIN,
        // The payer sees what it is that the second factor is for.
        Some(_) if payment => paths::APPROVE,
        Some(Known::Awaiting(_)) => paths::CODE,
        Some(Known::Authenticated(_)) => paths::CONSENT,
    }
}

/// Counts a try of a request, or refuses it.
pub(super) async fn attempt(provider: &Provider, request: &Digest) -> Result<(), PageRefusal> {
    if requests::attempt(&provider.pool, request).await? { Ok(()) } else { Err(PageRefusal::Attempts) }
}
