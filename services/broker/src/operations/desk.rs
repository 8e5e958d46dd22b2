//! One call of an operation from beginning to end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::broker::Call;
use reqwest::Client;
use runtime::{Clock, audit};
use serde_json::{Map, Value};

use super::cache::Cache;
use super::connections::Connections;
use super::exchange::{Fault, Request, exchange};
use super::gate::Gate;
use crate::egress::{ClientError, Lookup};
use crate::error::OperationError;
use crate::providers::{Catalogue, Operation, Provider};
use crate::secrets::{Live, Vault};

/// The pause before a second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves calls.
pub struct Desk {
    counters: HashMap<String, Counter>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

/// What belongs to one provider.
struct Counter {
    provider: Arc<Provider>,
    connections: Connections,
    gate: Gate,
    caches: HashMap<String, Cache>,
}

impl Counter {
    fn client(&self, live: &[Live]) -> Result<Client, OperationError> {
        self.connections.while_live(live).map_err(|error| OperationError::NotTaken(error.to_string()))
    }
}

impl Desk {
    /// A desk for all providers of the catalogue.
    pub fn new(
        catalogue: &Catalogue,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
        lookup: &Arc<dyn Lookup>,
    ) -> Result<Self, ClientError> {
        let mut counters = HashMap::new();
        for provider in catalogue.iter() {
            let counter = Counter {
                connections: Connections::new(Arc::clone(provider), Arc::clone(lookup))?,
                gate: Gate::new(provider.limits, provider.breaker),
                caches: provider.operations.keys().map(|name| (name.clone(), Cache::default())).collect(),
                provider: Arc::clone(provider),
            };
            counters.insert(provider.name.clone(), counter);
        }
        Ok(Self { counters, vault, clock })
    }

    /// Calls `operation` of `provider` for the workload `caller`.
    pub async fn call(
        &self,
        caller: &str,
        provider: &str,
        operation: &str,
        call: &Call,
    ) -> Result<Arc<Map<String, Value>>, OperationError> {
        let found = self
            .counters
            .get(provider)
            .and_then(|counter| Some((counter, counter.provider.operations.get(operation)?)));
        let Some((counter, operation)) = found.filter(|(_, operation)| operation.allows(caller)) else {
            let who = audit::Who { peer: Some(caller), ..audit::Who::default() };
            audit::refused("egress", "operation_not_allowed", who);
            return Err(OperationError::Unknown);
        };
        let params = operation.check(&call.params)?;
        let key = key(caller, operation, call)?;
        let request = Request { provider: &counter.provider, operation, params: &params, key: key.as_deref() };
        match (operation.cache, counter.caches.get(&operation.name)) {
            (Some(rules), Some(cache)) => {
                cache.get(rules, &params, self.clock.unix_millis(), self.send(counter, caller, &request)).await
            }
            _ => self.send(counter, caller, &request).await.map(Arc::new),
        }
    }

    /// Sends until it works, cannot work, or the attempts are used up.
    async fn send(
        &self,
        counter: &Counter,
        caller: &str,
        request: &Request<'_>,
    ) -> Result<Map<String, Value>, OperationError> {
        let _slot = counter.gate.enter(caller, self.clock.unix_millis())?;
        let mut attempt = 1;
        loop {
            let fault = match self.attempt(counter, request).await? {
                Ok(answer) => {
                    counter.gate.succeeded();
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            self.note(counter, request, &fault);
            if !fault.is_transient() || attempt >= request.operation.attempts {
                return Err(verdict(request.operation, fault));
            }
            tokio::time::sleep(fault.pause().unwrap_or_else(|| backoff(attempt))).await;
            attempt += 1;
        }
    }

    /// One attempt. A secret that is refused is looked up again, and the other live version is tried: in a rotation either side
    /// may be ahead. A request that was refused as unauthenticated has had no effect, so this is safe for every operation.
    async fn attempt(
        &self,
        counter: &Counter,
        request: &Request<'_>,
    ) -> Result<Result<Map<String, Value>, Fault>, OperationError> {
        let provider = request.provider;
        if provider.auth.is_none() && provider.webhook.is_none() {
            return Ok(exchange(&counter.client(&[])?, request, None, None).await);
        }
        let mut keys = self.vault.keys(provider).await?;
        let Some(auth) = &provider.auth else {
            return Ok(exchange(&counter.client(&[])?, request, None, Some(&keys)).await);
        };
        let mut tried: Vec<u32> = Vec::new();
        while let Some(secret) = next_version(keys.of(auth.secret())?, &tried) {
            let client = counter.client(keys.of(auth.secret())?)?;
            match exchange(&client, request, Some(secret), Some(&keys)).await {
                Err(Fault::Unauthenticated) => {
                    tried.push(secret.version);
                    let (provider, secret, version) = (provider.name.as_str(), auth.secret(), secret.version);
                    tracing::warn!(provider, secret, version, "the provider refused the secret");
                }
                outcome => return Ok(outcome),
            }
            keys = self.vault.reloaded(provider).await?;
        }
        Ok(Err(Fault::Unauthenticated))
    }

    /// Tells gate and audit log.
    fn note(&self, counter: &Counter, request: &Request<'_>, fault: &Fault) {
        let now = self.clock.unix_millis();
        let (provider, operation) = (request.provider.name.as_str(), request.operation.name.as_str());
        let alarm = |reason: &str| {
            runtime::audit!("refused", layer = "egress", outcome = "refused", reason, provider, operation);
        };
        match fault {
            Fault::Secret => {
                alarm("secret_in_answer");
                counter.gate.trip(now);
                return;
            }
            Fault::Redirect => alarm("redirect"),
            Fault::Unauthenticated => alarm("secret_refused"),
            Fault::Egress(crate::egress::EgressError::Address(_)) => alarm("address_not_permitted"),
            _ => (),
        }
        if fault.is_the_providers() {
            counter.gate.failed(now);
        } else {
            counter.gate.succeeded();
        }
    }
}

fn next_version<'a>(live: &'a [Live], tried: &[u32]) -> Option<&'a Live> {
    // Two are live at a time; a third look would be a rotation in this very moment, and then the caller asks again.
    live.iter().find(|secret| !tried.contains(&secret.version)).filter(|_| tried.len() < 3)
}

/// The key as it goes upstream: in the name space of the caller, so that no service meets another one's orders.
fn key(caller: &str, operation: &Operation, call: &Call) -> Result<Option<String>, OperationError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    match &call.idempotency_key {
        Some(key) if key.is_empty() || key.len() > 128 || !key.bytes().all(good) => Err(OperationError::KeyInvalid),
        Some(key) => Ok(Some(format!("{caller}:{key}"))),
        None if operation.idempotency_header.is_some() => Err(OperationError::KeyMissing),
        None => Ok(None),
    }
}

fn verdict(operation: &Operation, fault: Fault) -> OperationError {
    match fault {
        Fault::Refused(status) => OperationError::Refused(status),
        fault if fault.without_effect() => OperationError::NotTaken(fault.to_string()),
        fault if operation.has_effect() => OperationError::OutcomeUnknown(fault.to_string()),
        fault => OperationError::Failed(fault.to_string()),
    }
}

/// Doubles, and up to as much again, so that callers that failed together do not return together.
fn backoff(attempt: u8) -> Duration {
    let base = PAUSE * 2_u32.pow(u32::from(attempt.saturating_sub(1)).min(6));
    let [jitter] = crypto::random::bytes::<1>();
    base + base * u32::from(jitter) / 256
}
