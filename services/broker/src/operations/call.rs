//! One call of an operation from beginning to end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::broker::Call;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::Client;
use runtime::Clock;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::cache::Cache;
use super::connections::Connections;
use super::gate::Gate;
use super::round_trip::{Fault, Request, round_trip};
use crate::egress::{self, BodyError, ClientError, EgressError, SystemNames};
use crate::error::OperationError;
use crate::ids::{IdempotencyKey, OperationName, ProviderName};
use crate::providers::catalogue::{CALL_BUDGET, PAUSE};
use crate::providers::{Catalogue, Operation, Provider};
use crate::secrets::{Live, Vault, VaultError};

/// A provider that asks for a longer pause is not waited for in the same call.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Every operation of every provider, ready to be called.
pub struct Operations {
    upstreams: HashMap<ProviderName, Upstream>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

/// One provider, and what protects it and us from each other.
pub(super) struct Upstream {
    provider: Arc<Provider>,
    connections: Connections,
    gate: Gate,
    caches: HashMap<OperationName, Cache>,
}

impl Upstream {
    fn client(&self, live: &[Live]) -> Result<Client, OperationError> {
        self.connections.while_live(live).map_err(|error| OperationError::NotTaken(error.to_string()))
    }
}

impl Operations {
    /// The operations of all providers of the catalogue.
    pub fn new(
        catalogue: &Catalogue,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
        names: &Arc<SystemNames>,
    ) -> Result<Self, ClientError> {
        let mut upstreams = HashMap::new();
        for provider in catalogue.iter() {
            let upstream = Upstream {
                connections: Connections::new(Arc::clone(provider), Arc::clone(names))?,
                gate: Gate::new(provider.limits, provider.breaker),
                caches: provider.operations.keys().map(|name| (name.clone(), Cache::default())).collect(),
                provider: Arc::clone(provider),
            };
            upstreams.insert(provider.name.clone(), upstream);
        }
        Ok(Self { upstreams, vault, clock })
    }

    /// `operation` of `provider`, if there is one that the workload `caller` may call.
    pub(super) fn find(
        &self,
        caller: &str,
        provider: &ProviderName,
        operation: &OperationName,
    ) -> Result<(&Upstream, &Operation), OperationError> {
        let found = self
            .upstreams
            .get(provider)
            .and_then(|upstream| Some((upstream, &**upstream.provider.operations.get(operation)?)));
        found.filter(|(_, operation)| operation.allows(caller)).ok_or(OperationError::Unknown)
    }

    /// Calls `operation` of `provider` for the workload `caller`.
    pub async fn call(
        &self,
        caller: &str,
        provider: &ProviderName,
        operation: &OperationName,
        call: &Call,
    ) -> Result<Arc<Map<String, Value>>, OperationError> {
        let (upstream, operation) = self.find(caller, provider, operation)?;
        let params = operation.check(&call.params)?;
        let key = key(caller, operation, call)?;
        let (provider, now) = (&*upstream.provider, self.clock.unix());
        let request = Request { provider, operation, params: &params, key: key.as_ref(), now };
        match (operation.cache, upstream.caches.get(&operation.name)) {
            (Some(rules), Some(cache)) => {
                let answer = cache.get(rules, &params, self.clock.unix_millis(), self.send(upstream, caller, &request));
                // The wait for others who ask the same is bounded as well.
                match tokio::time::timeout(CALL_BUDGET, answer).await {
                    Ok(answer) => answer,
                    Err(_) => Err(OperationError::Failed("others have asked for too long".to_owned())),
                }
            }
            _ => self.send(upstream, caller, &request).await.map(Arc::new),
        }
    }

    /// Sends until it works, cannot work, or attempts or time are used up.
    async fn send(
        &self,
        upstream: &Upstream,
        caller: &str,
        request: &Request<'_>,
    ) -> Result<Map<String, Value>, OperationError> {
        let end = Instant::now() + CALL_BUDGET;
        let newest = in_time(end, self.newest_secret(request.provider)).await?;
        let _slot = upstream.gate.enter(caller, newest, self.clock.unix_millis())?;
        let mut history = History::default();
        // Doubled, and up to as much again, so that callers that failed together do not return together.
        let pauses = ExponentialBuilder::new().with_jitter().with_min_delay(PAUSE);
        let mut pauses = pauses.with_max_times(usize::from(request.operation.attempts).saturating_sub(1)).build();
        loop {
            let fault = match self.attempt(upstream, request, &mut history, end).await {
                Ok(Ok(answer)) => {
                    upstream.gate.succeeded();
                    return Ok(answer);
                }
                Ok(Err(fault)) => fault,
                // What keeps this attempt from being made says nothing of those before it.
                Err(error) => return Err(history.cut_short(request.operation.has_effect(), error)),
            };
            self.note(upstream, request, newest, &fault);
            history.note(&fault);
            // Default: no pause was asked for.
            let asked = fault.pause().unwrap_or_default();
            let pause = pauses.next().filter(|_| fault.is_transient()).map(|pause| pause.max(asked)).filter(|pause| {
                *pause <= MAX_PAUSE
                    && Instant::now() + *pause < end
                    // Another call may have met what closes the gate to this one as well.
                    && upstream.gate.admits_again(self.clock.unix_millis(), *pause)
            });
            let Some(pause) = pause else {
                return Err(history.verdict(request.operation.has_effect(), &fault));
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt. A secret that is refused is looked up again, and the other live version is tried: in a rotation either side
    /// may be ahead. An order keeps its key, so this is as safe as any other repetition of it.
    async fn attempt(
        &self,
        upstream: &Upstream,
        request: &Request<'_>,
        history: &mut History,
        end: Instant,
    ) -> Result<Result<Map<String, Value>, Fault>, OperationError> {
        let left = || end.saturating_duration_since(Instant::now());
        let provider = request.provider;
        if provider.auth.is_none() && provider.webhook.is_none() {
            return Ok(round_trip(&upstream.client(&[])?, request, None, None, left()).await);
        }
        let mut keys = in_time(end, self.vault.keys(provider)).await?;
        let Some(auth) = &provider.auth else {
            return Ok(round_trip(&upstream.client(&[])?, request, None, Some(&keys), left()).await);
        };
        let mut tried: Vec<u32> = Vec::new();
        while let Some(secret) = next_version(keys.of(auth.secret())?, &tried) {
            let client = upstream.client(keys.of(auth.secret())?)?;
            match round_trip(&client, request, Some(secret), Some(&keys), left()).await {
                Err(Fault::Unauthenticated) => {
                    tried.push(secret.version);
                    let (provider, secret, version) = (provider.name.as_str(), auth.secret().as_str(), secret.version);
                    tracing::warn!(provider, secret, version, "the provider refused the secret");
                    history.note(&Fault::Unauthenticated);
                }
                outcome => return Ok(outcome),
            }
            if request.operation.has_effect() && request.operation.idempotency_header.is_none() {
                // Without a key that the provider honours nothing is sent twice.
                break;
            }
            keys = in_time(end, self.vault.reloaded(provider)).await?;
        }
        Ok(Err(Fault::Unauthenticated))
    }

    /// The newest live version of the provider's secret: a gate that is closed because older ones were refused opens for it.
    async fn newest_secret(&self, provider: &Provider) -> Result<u32, VaultError> {
        let Some(auth) = &provider.auth else { return Ok(0) };
        let keys = self.vault.keys(provider).await?;
        let newest = keys.of(auth.secret())?.iter().map(|secret| secret.version).max();
        newest.ok_or(VaultError::Invariant("a secret without a live version"))
    }

    /// Reports a fault to the gate and, where it is an alarm, to the audit log.
    fn note(&self, upstream: &Upstream, request: &Request<'_>, newest: u32, fault: &Fault) {
        let now = self.clock.unix_millis();
        let alarm = |reason| egress::alarm(&request.provider.name, &request.operation.name, reason);
        match fault {
            Fault::Secret => {
                alarm("secret_in_answer");
                upstream.gate.trip(now);
                return;
            }
            Fault::Redirect => alarm("redirect"),
            Fault::Unauthenticated => {
                alarm("secret_refused");
                upstream.gate.secret_refused(newest, now);
                return;
            }
            // It says nothing of the provider, good or bad.
            Fault::Invariant(_) => return,
            Fault::Busy(_, Some(pause)) => upstream.gate.wait(*pause, now),
            Fault::Egress(EgressError::Address(_)) => alarm("address_not_permitted"),
            Fault::Egress(EgressError::Certificate(_)) => alarm("certificate"),
            Fault::Egress(EgressError::Body(BodyError::Framing)) => alarm("framing"),
            _ => (),
        }
        if fault.is_the_providers(request.operation.purpose) {
            upstream.gate.failed(now);
        } else {
            upstream.gate.succeeded();
        }
    }
}

fn next_version<'a>(live: &'a [Live], tried: &[u32]) -> Option<&'a Live> {
    // Two are live at a time; a third look would be a rotation in this very moment, and then the caller asks again.
    live.iter().find(|secret| !tried.contains(&secret.version)).filter(|_| tried.len() < 3)
}

/// The key as it goes upstream: in the name space of the caller, so that no service meets another one's orders.
fn key(caller: &str, operation: &Operation, call: &Call) -> Result<Option<IdempotencyKey>, OperationError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    match &call.idempotency_key {
        Some(key) if key.is_empty() || key.len() > 128 || !key.bytes().all(good) => Err(OperationError::KeyInvalid),
        Some(key) => Ok(Some(IdempotencyKey::of(&format!("{caller}:{key}")))),
        None if operation.idempotency_header.is_some() => Err(OperationError::KeyMissing),
        None => Ok(None),
    }
}

/// Waits for the vault for no longer than the call may take.
async fn in_time<T, E>(end: Instant, work: impl Future<Output = Result<T, E>>) -> Result<T, OperationError>
where
    OperationError: From<E>,
{
    match tokio::time::timeout_at(end, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(OperationError::NotTaken("the secret could not be had in time".to_owned())),
    }
}

/// What the attempts of one call leave certain. Uncertainty stays: once an order may have arrived, no later refusal of it proves that it has
/// not, for the refusal may be that of a repetition.
#[derive(Default)]
struct History {
    may_have_arrived: bool,
}

impl History {
    fn note(&mut self, fault: &Fault) {
        self.may_have_arrived |= !fault.without_effect();
    }

    /// The verdict when something of ours keeps the next attempt from being made.
    fn cut_short(&self, has_effect: bool, error: OperationError) -> OperationError {
        if has_effect && self.may_have_arrived { OperationError::OutcomeUnknown(error.to_string()) } else { error }
    }

    fn verdict(&self, has_effect: bool, last: &Fault) -> OperationError {
        match last {
            fault if has_effect && self.may_have_arrived => OperationError::OutcomeUnknown(fault.to_string()),
            Fault::Refused(status) => OperationError::Refused(*status),
            fault if fault.without_effect() || matches!(fault, Fault::Unauthenticated | Fault::Busy(..)) => {
                OperationError::NotTaken(fault.to_string())
            }
            fault => OperationError::Failed(fault.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::{BodyError, EgressError};

    /// Every way in which an attempt at an order can end, and whether it is certain then that the order is not on the books.
    fn endings() -> Vec<(Fault, bool)> {
        vec![
            (EgressError::Connect("refused".to_owned()).into(), true),
            (Fault::Refused(422), true),
            (EgressError::Timeout.into(), false),
            (EgressError::Broken("reset".to_owned()).into(), false),
            (EgressError::Body(BodyError::TooLarge).into(), false),
            (Fault::Unlisted(403), false),
            (Fault::Unlisted(201), false),
            (Fault::Unauthenticated, false),
            (Fault::Busy(429, None), false),
            (Fault::Status(500), false),
            (Fault::Redirect, false),
            (Fault::Unexpected("no id".to_owned()), false),
            (Fault::Secret, false),
        ]
    }

    /// All histories of up to three attempts.
    #[test]
    fn an_order_is_certain_only_if_every_attempt_at_it_was() {
        let mut histories: Vec<Vec<usize>> = vec![vec![]];
        for _ in 0..3 {
            let longer = histories
                .iter()
                .flat_map(|earlier| (0..endings().len()).map(move |next| [earlier.as_slice(), &[next]].concat()));
            histories = histories.iter().cloned().chain(longer).collect();
        }
        histories.retain(|history| !history.is_empty());
        assert!(histories.len() > 2_000);
        for order in histories {
            let endings = endings();
            let mut history = History::default();
            for index in &order {
                history.note(&endings[*index].0);
            }
            let (last, _) = &endings[*order.last().unwrap()];
            let certain = order.iter().all(|index| endings[*index].1);
            // The last attempt may be the last, or the next one cannot be made: without a secret, without a client.
            let without_secret = OperationError::NotTaken("no secret".to_owned());
            for verdict in [history.verdict(true, last), history.cut_short(true, without_secret)] {
                let unknown = matches!(verdict, OperationError::OutcomeUnknown(_));
                assert_eq!(unknown, !certain, "{order:?} ends as {verdict}");
            }
        }
    }
}
