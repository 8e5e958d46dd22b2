//! The HTTP client of one provider.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use thiserror::Error;

use super::{Resolver, SystemNames, tls};
use crate::ids::ProviderName;
use crate::providers::Provider;

/// Name, connection and handshake together take no longer.
const CONNECT: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_mins(1);
const MAX_HEADERS: usize = 64;

/// Why no client can be built for a provider.
#[derive(Debug, Error)]
#[error("provider {provider}: {problem}")]
pub struct ClientError {
    provider: ProviderName,
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
