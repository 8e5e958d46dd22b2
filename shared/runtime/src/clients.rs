//! Clients for calls to the other services. The broker alone builds clients for hosts outside the system.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use crate::config::Internal;
use crate::credentials::Credentials;
use crate::tls;

/// HTTP clients that show this service's internal certificate. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    internal: Internal,
    /// What they show, where somebody looks after it.
    credentials: Option<Arc<Credentials>>,
    made: Arc<Mutex<HashMap<String, reqwest::Client>>>,
}

impl Clients {
    /// Clients with the identity of `internal`, as its files are when each client is made.
    pub fn new(internal: Internal) -> Self {
        Self { internal, credentials: None, made: Arc::default() }
    }

    /// The same, which show what `credentials` are at the time.
    pub(crate) fn showing(internal: Internal, credentials: Arc<Credentials>) -> Self {
        Self { internal, credentials: Some(credentials), made: Arc::default() }
    }

    /// The client for the workload `peer` (`"attestation"`): it connects only to a server that proves to be
    /// `spiffe://redoubt/<peer>`, wherever the URL leads. One per peer, made on first use.
    ///
    /// Send with [`crate::http::send`], so that the trace goes along.
    pub fn internal(&self, peer: &str) -> Result<reqwest::Client> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(peer) {
            return Ok(client.clone());
        }
        let shown = match &self.credentials {
            Some(credentials) => Arc::clone(credentials),
            None => Credentials::load(&self.internal.certificate, &self.internal.key)?,
        };
        let client = build(tls::internal_client(&self.internal, shown, peer)?)?;
        made.insert(peer.to_owned(), client.clone());
        Ok(client)
    }
}

/// A client with our limits: no proxy from the environment, no redirects, bounded times.
#[expect(clippy::disallowed_methods, reason = "the one place that builds internal clients")]
pub(crate) fn build(tls: rustls::ClientConfig) -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // A retry is the caller's decision: not every request may be sent twice.
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(10))
        // Less than the 30 s after which our servers close an idle connection.
        .pool_idle_timeout(Duration::from_secs(20))
        .tcp_nodelay(true)
        .build()?)
}
