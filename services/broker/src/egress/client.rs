//! The HTTP client of one provider.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use thiserror::Error;

use super::{AddressRefused, BodyError, Resolver, SystemNames, tls};
use crate::providers::Provider;

/// Name, connection and handshake together take no longer.
const CONNECT: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_mins(1);
const MAX_HEADERS: usize = 64;

/// Why a request got no answer that can be used.
#[derive(Debug, Error)]
pub enum EgressError {
    /// The name resolved to an address that it may not have. Nothing was sent.
    #[error(transparent)]
    Address(#[from] AddressRefused),
    /// Whoever answers cannot prove to be the provider. Nothing was sent.
    #[error("not the provider's certificate: {0}")]
    Certificate(String),
    /// No connection (name, network, TLS version). Nothing was sent.
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
        matches!(self, Self::Address(_) | Self::Certificate(_) | Self::Connect(_))
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
            if let Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) =
                inner.downcast_ref()
            {
                return Self::Certificate(inner.to_string());
            }
            innermost = inner.to_string();
            cause = below(inner);
        }
        if error.is_connect() {
            return Self::Connect(innermost);
        }
        if error.is_timeout() { Self::Timeout } else { Self::Broken(innermost) }
    }
}

/// The cause of an error. `io::Error` passes over the very error that it wraps, and that is where TLS puts its own.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Why no client can be built for a provider.
#[derive(Debug, Error)]
#[error("provider {provider}: {problem}")]
pub struct ClientError {
    provider: String,
    problem: String,
}

/// Less than the time of any operation: when the time runs out without a connection, it must be certain that nothing was sent.
fn connect_within(provider: &Provider) -> Duration {
    let shortest = provider.operations.values().map(|operation| operation.timeout).min();
    // Default: a provider without operations is never asked.
    shortest.map_or(CONNECT, |timeout| CONNECT.min(timeout * 3 / 4))
}

/// Builds the client of one provider.
#[expect(clippy::disallowed_methods, reason = "the one place that may build a client for a host outside the system")]
pub fn client(provider: &Provider, names: &SystemNames) -> Result<Client, ClientError> {
    let failed = |problem: String| ClientError { provider: provider.name.clone(), problem };
    let names = names.lookup(&provider.name_servers).map_err(|error| failed(format!("name servers: {error}")))?;
    let builder = Client::builder()
        .tls_backend_preconfigured(tls::config(provider).map_err(failed)?)
        .https_only(true)
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .redirect(Policy::none())
        .no_proxy()
        // Whether a request may be sent twice is the operation's to say.
        .retry(reqwest::retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(connect_within(provider))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(provider.limits.concurrency.into())
        .user_agent("redoubt-broker")
        .dns_resolver(Resolver::new(provider.addresses.clone(), Arc::new(names)));
    builder.build().map_err(|error| failed(format!("{error:?}")))
}
