//! A stand-in for auth *and* attestation toward an API service: the two internal endpoints from which it fetches keys, and
//! phones whose requests are valid in every layer.
//!
//! ```ignore
//! let authority = Authority::start(&pki).await?;            // configure the service with its two URLs and its issuer
//! let alice = authority.phone("alice");
//! let reply = alice.send(Method::POST, &url, Some(&body)).await;   // tokens, DPoP nonce, signature, checked answer
//! let request = alice.request(Method::GET, &url, None);            // or a signed request to tamper with
//! ```
//!
//! The tokens are made with `identity`, as the real services make them; what is synthetic is only that nobody logged in
//! and nothing was attested.

mod phone;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use anyhow::Result;
use crypto::SecretBytes;
use crypto::p256::SigningKey;
use identity::Jwk;
use identity::access_token::KeySet;
use identity::attestation_token::{AudienceKeys, Master};
use runtime::{Clock, SystemClock};

use crate::pki::Pki;
use crate::server::{self, Configure, Server};

pub use phone::{Plain, Raw, Reply, SyntheticPhone};

/// `iss` of the access tokens.
pub const ISSUER: &str = "https://auth.redoubt.example";
/// `kid` of the signing key.
const KID: &str = "test-1";

/// Stands in for `auth` and `attestation`: issues tokens and publishes their keys.
pub struct Authority {
    auth: Server,
    attestation: Server,
    keys: Arc<Keys>,
    client: reqwest::Client,
}

/// What signs, and when.
pub(crate) struct Keys {
    pub(crate) signing: SigningKey,
    pub(crate) master: Master,
    pub(crate) audience: &'static str,
    pub(crate) clock: Arc<dyn Clock>,
    /// The ledger's, which fields are sealed to.
    pub(crate) sealing: Jwk,
}

impl Authority {
    /// Starts it for the ledger, on the machine's clock.
    pub async fn start(pki: &Pki) -> Result<Self> {
        Self::start_at(pki, Arc::new(SystemClock)).await
    }

    /// Starts it for the ledger, on the clock that the service under test also uses.
    pub async fn start_at(pki: &Pki, clock: Arc<dyn Clock>) -> Result<Self> {
        let keys = Arc::new(Keys {
            signing: SigningKey::generate(),
            master: Master::new(1, SecretBytes::new(crypto::random::bytes::<32>().to_vec())),
            audience: api::service::LEDGER_AUDIENCE,
            clock,
            sealing: pki.ledger_sealing_key()?,
        });
        let (of_auth, of_attestation) = (Arc::clone(&keys), Arc::clone(&keys));
        let auth = serve(pki, "auth", "/jwks.json", Arc::new(move || of_auth.jwks())).await?;
        let keys_path = "/internal/v1/audience-keys";
        let attestation =
            serve(pki, "attestation", keys_path, Arc::new(move || of_attestation.audience_keys())).await?;
        Ok(Self { auth, attestation, keys, client: server::app_client(pki)? })
    }

    /// The issuer that the service must expect.
    pub fn issuer(&self) -> &'static str {
        ISSUER
    }

    /// The internal URL of auth.
    pub fn auth_url(&self) -> String {
        self.auth.url()
    }

    /// The internal URL of attestation.
    pub fn attestation_url(&self) -> String {
        self.attestation.url()
    }

    /// A new phone on which the user of that name has logged in, with every scope. The same name is the same user.
    pub fn phone(&self, name: &str) -> SyntheticPhone {
        SyntheticPhone::new(Arc::clone(&self.keys), self.client.clone(), name)
    }
}

impl Keys {
    fn jwks(&self) -> serde_json::Value {
        let mut set = KeySet::default();
        set.insert(KID, self.signing.public());
        set.to_jwks()
    }

    fn audience_keys(&self) -> serde_json::Value {
        let keys = AudienceKeys::derive(std::slice::from_ref(&self.master), self.audience, self.clock.unix());
        serde_json::to_value(keys.to_wire(self.audience)).unwrap_or_default()
    }
}

/// One document at one path, over mTLS as the workload `name`.
async fn serve(
    pki: &Pki,
    name: &str,
    path: &'static str,
    document: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
) -> Result<Server> {
    let routes: Configure = Arc::new(move |config: &mut web::ServiceConfig| {
        let document = Arc::clone(&document);
        config.route(path, web::get().to(move || std::future::ready(HttpResponse::Ok().json(document()))));
    });
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::start(listen, &pki.internal(name), Some(&pki.internal_ca()), routes).await
}

#[cfg(test)]
mod tests;
