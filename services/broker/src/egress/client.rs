//! The HTTP client of one provider.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use thiserror::Error;

use super::{AddressRefused, BodyError, Resolver, SystemNames};
use crate::providers::Provider;

const CONNECT: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_mins(1);
const MAX_HEADERS: usize = 64;

/// Why a request got no answer that can be used.
#[derive(Debug, Error)]
pub enum EgressError {
    /// The name resolved to an address that it may not have. Nothing was sent.
    #[error(transparent)]
    Address(#[from] AddressRefused),
    /// No connection (name, network, certificate). Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The time ran out. The request may have arrived.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke, or what came back is not HTTP. The request may have arrived.
    #[error("the exchange broke: {0}")]
    Broken(String),
    /// The body is larger than allowed, compressed or not of the agreed type.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl EgressError {
    /// Whether it is certain that the provider has not seen the request.
    pub fn before_sending(&self) -> bool {
        matches!(self, Self::Address(_) | Self::Connect(_))
    }
}

impl From<reqwest::Error> for EgressError {
    fn from(error: reqwest::Error) -> Self {
        let mut cause = error.source();
        let mut innermost = String::new();
        while let Some(inner) = cause {
            if let Some(refused) = inner.downcast_ref::<AddressRefused>() {
                return Self::Address(refused.clone());
            }
            innermost = inner.to_string();
            cause = inner.source();
        }
        if error.is_connect() {
            return Self::Connect(innermost);
        }
        if error.is_timeout() { Self::Timeout } else { Self::Broken(innermost) }
    }
}

/// Why no client can be built for a provider.
#[derive(Debug, Error)]
#[error("provider {provider}: {problem}")]
pub struct ClientError {
    provider: String,
    problem: String,
}

/// Builds the client of one provider.
#[expect(clippy::disallowed_methods, reason = "the one place that may build a client for a host outside the system")]
pub fn client(provider: &Provider, names: &SystemNames) -> Result<Client, ClientError> {
    let failed = |problem: String| ClientError { provider: provider.name.clone(), problem };
    let names = names.lookup(&provider.name_servers).map_err(|error| failed(format!("name servers: {error}")))?;
    let mut builder = Client::builder()
        .https_only(true)
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .redirect(Policy::none())
        .no_proxy()
        // Whether a request may be sent twice is the operation's to say.
        .retry(reqwest::retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(provider.limits.concurrency.into())
        .user_agent("redoubt-broker")
        .dns_resolver(Resolver::new(provider.addresses.clone(), Arc::new(names)));
    if let Some(roots) = &provider.roots {
        // Only these: a certificate from any other authority, however public, is not this provider's.
        builder = builder.tls_certs_only(certificates(roots).map_err(failed)?);
    }
    builder.build().map_err(|error| failed(format!("{error:?}")))
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{}: no PEM certificate in it", path.display())),
    }
}
