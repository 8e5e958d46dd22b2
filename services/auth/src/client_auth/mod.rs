//! Client authentication: which client sends this request, shown in one of exactly two ways.
//!
//! Invariant: an [`AuthenticatedClient`] is made here only, so whatever takes one cannot be reached without the checks.

mod attestation;
mod private_key_jwt;
mod store;

use std::sync::Arc;

use api::{ClientId, SupportId};
use defense::KeyedApp;
use identity::dpop::Expect;
use identity::{Level, Thumbprint};

use crate::clients::{Authentication, Client};
use crate::dpop::{Field, Proof, ProvenKey};
use crate::error::{Refusal, Why};
use crate::form::Parameters;
use crate::provider::Provider;

/// A POST to a protocol endpoint, free of the web framework.
pub struct ProtocolRequest {
    pub path: &'static str,
    /// `DPoP`.
    pub dpop: Field,
    /// `OAuth-Client-Attestation`.
    pub attestation: Field,
    /// `OAuth-Client-Attestation-PoP`.
    pub attestation_pop: Field,
    /// `Authorization`.
    pub authorization: Field,
    pub parameters: Parameters,
    /// The app that its API key was given to, if it came with one.
    pub keyed_app: Option<Arc<KeyedApp>>,
    /// Unix seconds when it arrived: the one time of this request.
    pub now: i64,
}

/// Evidence of which client is calling.
pub struct AuthenticatedClient {
    client: Arc<Client>,
    support_id: Option<SupportId>,
    level: Option<Level>,
}

impl AuthenticatedClient {
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Under which the operator finds the verdict on an attested instance.
    pub fn support_id(&self) -> Option<&SupportId> {
        self.support_id.as_ref()
    }

    /// How well the key of an attested instance is kept.
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// The refusal, with the instance that it is about in the audit log, where there is one.
    pub fn named_in(&self, refusal: Refusal) -> Refusal {
        match self.support_id() {
            Some(support_id) => refusal.of_instance(support_id),
            None => refusal,
        }
    }
}

/// What a protocol request has shown: the client, and the key it holds.
pub struct Admitted {
    pub client: AuthenticatedClient,
    /// The key whose proof came along. An attested client always has one.
    pub key: Option<ProvenKey>,
}

impl Admitted {
    /// The thumbprint of the proven key.
    pub fn jkt(&self) -> Option<&Thumbprint> {
        self.key.as_ref().map(ProvenKey::jkt)
    }
}

/// Authenticates the client and checks the proof, everything that is used up last.
pub async fn admit(provider: &Provider, request: &ProtocolRequest) -> Result<Admitted, Refusal> {
    one_method(request)?;
    let htu = provider.endpoint(request.path);
    let expect = Expect { htm: "POST", htu: &htu, access_token: None, now: request.now };
    let proof = provider.proofs.verify(&request.dpop, &expect)?;
    let (client, assertion) = match &request.attestation {
        Field::Absent => private_key_jwt::verify(provider, request).map(|(client, id)| (client, Some(id)))?,
        Field::Ambiguous => return Err(Why::AttestationAmbiguous.into()),
        Field::One(token) => (attestation::verify(provider, request, token, proof.as_ref()).await?, None),
    };
    if let Some(proof) = &proof {
        provider.proofs.check_nonce(proof, request.now)?;
    }
    if let Some(assertion) = assertion
        && !store::use_assertion(&provider.pool, &assertion).await?
    {
        return Err(Why::AssertionReplayed.into());
    }
    let key = match proof {
        Some(proof) => Some(provider.proofs.claim(proof, client.client.owner(), request.now).await?),
        None => None,
    };
    Ok(Admitted { client, key })
}

/// RFC 6749 §2.3: one way to authenticate in each request. Of two, one would be looked at and the other believed by whoever logs
/// or forwards the request.
fn one_method(request: &ProtocolRequest) -> Result<(), Why> {
    if request.attestation_pop != Field::Absent {
        // The combined mode has no proof but the `DPoP` proof; what is not verified must not be there.
        return Err(Why::PopBesideDpop);
    }
    let headers = [&request.attestation, &request.authorization].map(|field| *field != Field::Absent);
    let parameters = ["client_assertion", "client_secret"].map(|name| request.parameters.get(name).is_some());
    if headers.into_iter().chain(parameters).filter(|shown| *shown).count() > 1 {
        return Err(Why::TwoClientAuthentications);
    }
    Ok(())
}

/// The client of that id, if it may authenticate in this way; and `client_id`, where it is sent, must name it too.
fn client_named(
    provider: &Provider,
    request: &ProtocolRequest,
    id: &ClientId,
    fits: fn(&Authentication) -> bool,
) -> Result<Arc<Client>, Why> {
    if request.parameters.get("client_id").is_some_and(|parameter| parameter != id.as_str()) {
        return Err(Why::ClientIdMismatch);
    }
    let client = provider.clients.get(id).ok_or(Why::ClientUnknown)?;
    if !fits(&client.authentication) {
        return Err(Why::MethodNotRegistered);
    }
    Ok(Arc::clone(client))
}

/// The combined mode's one key: the proof's must be the attested one.
fn same_key(proof: Option<&Proof>, attested: &Thumbprint) -> Result<(), Why> {
    let Some(proof) = proof else {
        return Err(Why::DpopMissing);
    };
    if proof.jkt() == attested { Ok(()) } else { Err(Why::KeyOfAnotherInstance) }
}
