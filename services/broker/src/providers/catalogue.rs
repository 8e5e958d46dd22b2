//! The providers that this broker serves: manifests and deployment settings, checked together and compiled once at start.
//!
//! A manifest with a mistake stops the broker instead of widening what it does. A provider serves only when the
//! configuration names it; a manifest alone opens nothing, and the broker itself knows no provider.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use super::body::Places;
use super::fields::AllowList;
use super::format::{Format, ResponseKind};
use super::manifest::{Auth, Breaker, Cache, Encoding, Kind, Limits, Manifest, Method, OperationManifest, Retry, Tls};
use super::parameter::{self, Checked, Parameter, ParameterError, ParameterPlace};
use super::strict::{self, MAX_BYTES, is_name};
use super::webhook::Webhook;
use super::word::{Shape, Standings};
use crate::config::ProviderSettings;
use crate::egress::AddressPolicy;
use crate::ids::{OperationName, ProviderName};

/// A call ends within this time, all its attempts and pauses included: the services wait 10 s for an answer of the broker, and one
/// that comes after they have gone is an outcome that nobody knows.
pub const CALL_BUDGET: Duration = Duration::from_secs(8);
/// The pause before a second attempt. It doubles with each attempt, and up to as much again is added by chance.
pub const PAUSE: Duration = Duration::from_millis(50);

const MAX_ATTEMPTS: u8 = 5;

/// All providers, by name.
#[derive(Debug, Default)]
pub struct Catalogue {
    providers: BTreeMap<ProviderName, Arc<Provider>>,
}

/// A provider, ready to be asked.
#[derive(Debug)]
pub struct Provider {
    pub name: ProviderName,
    pub base: Url,
    /// How requests are authenticated.
    pub auth: Option<Auth>,
    pub limits: Limits,
    pub breaker: Breaker,
    /// Which addresses its name may resolve to.
    pub addresses: AddressPolicy,
    /// The only authorities that its certificate may come from; absent: the system's.
    pub roots: Option<PathBuf>,
    /// What can be asked.
    pub operations: BTreeMap<OperationName, Arc<Operation>>,
    /// What it may tell us.
    pub webhook: Option<Arc<Webhook>>,
    /// The name servers that know it; none: the system's.
    pub name_servers: Vec<SocketAddr>,
    /// The oldest TLS that is spoken with it.
    pub tls: Tls,
}

/// An operation, ready to be called.
#[derive(Debug)]
pub struct Operation {
    pub name: OperationName,
    pub method: Method,
    /// Attempts in all.
    pub attempts: u8,
    /// The header that carries the idempotency key.
    pub idempotency_header: Option<String>,
    /// Time for one attempt.
    pub timeout: Duration,
    /// What it is for.
    pub purpose: Kind,
    /// The answers by which an order is taken.
    pub accepted: Vec<Shape>,
    /// The answers by which it is refused.
    pub refusals: Vec<Shape>,
    /// What the texts of a status mean.
    pub standings: Option<Standings>,
    /// How to read the answer.
    pub format: Format,
    /// How a body is written.
    pub encoding: Encoding,
    /// Bytes of the answer that are read at most.
    pub max_bytes: usize,
    /// Which fields of it pass.
    pub fields: AllowList,
    pub cache: Option<Cache>,
    callers: BTreeSet<String>,
    path: Vec<Segment>,
    params: BTreeMap<String, Parameter>,
    places: Places,
    success: Vec<u16>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter(String),
}

/// A manifest or setting that cannot be used. Names the provider and the place.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// The file is not a manifest.
    #[error("manifest {origin}: {problem}")]
    Unreadable {
        origin: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something in it cannot be.
    #[error("manifest {origin}: provider {provider}: {problem}")]
    Invalid { origin: String, provider: ProviderName, problem: String },
    /// Two manifests are of one provider.
    #[error("manifests {0} and {1} describe one provider, {2}")]
    Doubled(String, String, ProviderName),
    /// The configuration names a provider that no manifest describes.
    #[error("provider {0} has settings but no manifest")]
    Unknown(ProviderName),
}

impl Catalogue {
    /// Compiles the manifests, one of each provider, for the providers that have settings.
    pub fn new(
        manifests: Vec<Manifest>,
        settings: &BTreeMap<ProviderName, ProviderSettings>,
    ) -> Result<Self, CatalogueError> {
        let mut known: BTreeMap<ProviderName, Manifest> = BTreeMap::new();
        for manifest in manifests {
            let (origin, name) = (manifest.origin.clone(), manifest.name.clone());
            if let Some(other) = known.insert(name.clone(), manifest) {
                return Err(CatalogueError::Doubled(other.origin, origin, name));
            }
        }
        let mut providers = BTreeMap::new();
        for (name, settings) in settings {
            let manifest = known.remove(name).ok_or_else(|| CatalogueError::Unknown(name.clone()))?;
            let origin = manifest.origin.clone();
            let provider = Provider::compile(manifest, settings).map_err(|problem| CatalogueError::Invalid {
                origin,
                provider: name.clone(),
                problem,
            })?;
            providers.insert(name.clone(), Arc::new(provider));
        }
        Ok(Self { providers })
    }

    pub fn parse(origin: &str, text: &str) -> Result<Manifest, CatalogueError> {
        let unreadable = |problem: String| CatalogueError::Unreadable { origin: origin.to_owned(), problem };
        strict::visible(text).map_err(unreadable)?;
        let manifest: Manifest = toml::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        Ok(Manifest { origin: origin.to_owned(), ..manifest })
    }

    /// The provider of that name.
    pub fn provider(&self, name: &ProviderName) -> Option<&Arc<Provider>> {
        self.providers.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }
}

impl Provider {
    fn compile(manifest: Manifest, settings: &ProviderSettings) -> Result<Self, String> {
        strict::check(&manifest)?;
        // Default: the deployment names none: the manifest's.
        let base = strict::base_url(settings.base_url.as_deref().unwrap_or(&manifest.base_url))?;
        let mut operations = BTreeMap::new();
        for (name, operation) in manifest.operations {
            let compiled = Operation::compile(name.clone(), operation)
                .map_err(|problem| format!("operation {name}: {problem}"))?;
            operations.insert(name, Arc::new(compiled));
        }
        let signing = manifest.webhook.as_ref().map(|webhook| &webhook.secret);
        if manifest.auth.as_ref().map(Auth::secret).is_some_and(|secret| signing == Some(secret)) {
            return Err("auth and webhook name the same secret; a secret has one place".to_owned());
        }
        Ok(Self {
            name: manifest.name,
            base,
            auth: manifest.auth,
            limits: manifest.limits,
            breaker: manifest.breaker,
            addresses: AddressPolicy::new(settings.allowed_networks.clone(), settings.nat64_prefix),
            roots: settings.root_certificates_file.clone(),
            operations,
            webhook: manifest.webhook.map(Webhook::compile).transpose()?.map(Arc::new),
            name_servers: settings.name_servers.clone(),
            tls: manifest.tls,
        })
    }
}

impl Operation {
    fn compile(name: OperationName, manifest: OperationManifest) -> Result<Self, String> {
        is_name(name.as_str()).then_some(()).ok_or("its name is not lower-case letters, digits, - and _")?;
        check_operation(&manifest)?;
        let fields = AllowList::new(&manifest.response.fields).map_err(|error| error.to_string())?;
        let purpose = purpose(&manifest);
        Ok(Self {
            name,
            method: manifest.method,
            encoding: manifest.encoding,
            attempts: manifest.attempts,
            idempotency_header: manifest.idempotency_header,
            timeout: Duration::from_millis(manifest.timeout_ms.into()),
            purpose,
            accepted: manifest.accepted,
            refusals: manifest.refusals,
            standings: manifest.standings,
            format: Format::compile(manifest.response.kind, manifest.response.sheet)?,
            max_bytes: usize::try_from(manifest.response.max_bytes).map_err(|error| error.to_string())?,
            fields,
            cache: manifest.cache,
            callers: manifest.callers.into_iter().collect(),
            path: path_template(&manifest.path, &manifest.params)?,
            places: Places::compile(&manifest.params)?,
            params: manifest.params,
            success: manifest.success,
        })
    }

    /// Whether the service of that name may call it.
    pub fn allows(&self, caller: &str) -> bool {
        self.callers.contains(caller)
    }

    /// Whether an answer of this status is the agreed one.
    pub fn succeeds(&self, status: u16) -> bool {
        self.success.contains(&status)
    }

    /// Whether it can change something at the provider.
    pub fn has_effect(&self) -> bool {
        self.purpose == Kind::Order
    }

    /// Checks the parameters of a call.
    pub fn check(&self, params: &serde_json::Map<String, serde_json::Value>) -> Result<Checked, ParameterError> {
        parameter::check(&self.params, params)
    }

    /// The URL of a call: the base, the path with its parameters, the query. A path that lacks a piece would be another operation's.
    pub fn url(&self, base: &Url, params: &Checked) -> Result<Url, &'static str> {
        let mut url = base.clone();
        let mut path = url.path_segments_mut().map_err(|()| "a base without a path")?;
        path.pop_if_empty();
        for segment in &self.path {
            path.push(match segment {
                Segment::Literal(text) => text,
                Segment::Parameter(name) => params.get(name).ok_or("a call without a parameter of its path")?,
            });
        }
        drop(path);
        for (name, value) in self.places.query(params) {
            url.query_pairs_mut().append_pair(name, value);
        }
        Ok(url)
    }

    /// The body of a call, as JSON.
    pub fn body(&self, params: &Checked) -> Result<serde_json::Map<String, serde_json::Value>, &'static str> {
        self.places.body(params)
    }
}

/// By the method, unless the manifest says more.
fn purpose(manifest: &OperationManifest) -> Kind {
    // Default: a manifest that names no kind has the one of its method.
    manifest.kind.unwrap_or(if manifest.method == Method::Get { Kind::Query } else { Kind::Order })
}

/// What is wrong with the words that an operation agrees on with its provider.
fn check_words(manifest: &OperationManifest) -> Result<(), String> {
    let (order, status) = (purpose(manifest) == Kind::Order, purpose(manifest) == Kind::Status);
    let check = purpose(manifest) == Kind::Check;
    let mut shapes = manifest.accepted.iter().chain(&manifest.refusals);
    let both = manifest.accepted.iter().any(|yes| manifest.refusals.iter().any(|no| no.overlaps(yes)));
    let rules = [
        (
            (order || check) != (manifest.method == Method::Post),
            "kind: an order is a POST, and so is a check, and nothing else is",
        ),
        (check && manifest.retry != Retry::Never, "retry: a check is sent once"),
        (order && manifest.accepted.is_empty(), "accepted: an order needs the answer by which it is taken"),
        (!order && shapes.clone().next().is_some(), "accepted, refusals: for orders only"),
        (!shapes.all(Shape::is_sound), "accepted, refusals: a status, a path and texts"),
        (both, "accepted, refusals: one answer would be both"),
        (status != manifest.standings.is_some(), "standings: for the kind status, and mandatory there"),
        (
            manifest.standings.as_ref().is_some_and(|standings| !standings.is_sound()),
            "standings: a path, and each text with one meaning",
        ),
        (status && manifest.cache.is_some(), "cache: where an order stands is asked anew each time"),
        (
            (order || status || check) && manifest.response.kind != ResponseKind::Json,
            "response.kind: words are read from JSON",
        ),
    ];
    strict::first(&rules)
}

fn check_operation(manifest: &OperationManifest) -> Result<(), String> {
    check_words(manifest)?;
    let in_body = manifest.params.values().any(|parameter| parameter.place == ParameterPlace::Body);
    let get = manifest.method == Method::Get;
    let nested = manifest.params.values().any(|parameter| parameter.field.as_ref().is_some_and(|f| f.contains('.')));
    let key = manifest.idempotency_header.as_deref();
    let timeout = Duration::from_millis(manifest.timeout_ms.into());
    let rules = [
        (manifest.callers.is_empty(), "callers: nobody may call it"),
        (!manifest.callers.iter().all(|caller| is_name(caller)), "callers: not the name of a service"),
        (strict::repeats(&manifest.callers), "callers: one is there twice"),
        (
            !manifest.params.iter().all(|(name, parameter)| strict::is_parameter(name) && parameter.max_length > 0),
            "params: a name that is not plain, or no room for a value",
        ),
        (get && in_body, "params: a GET has no body"),
        (get && manifest.encoding == Encoding::Form, "encoding: a GET has no body"),
        (manifest.encoding == Encoding::Form && nested, "params: a form has no field within another"),
        (get && key.is_some(), "idempotency_header: a GET needs none"),
        (
            key.is_some_and(|name| !strict::is_key_header(name)),
            "idempotency_header: not a header for this, in lower case, that ends in -key or -id",
        ),
        (!get && manifest.retry == Retry::Idempotent && key.is_none(), "retry: a POST is idempotent by a key only"),
        (manifest.attempts == 0 || manifest.attempts > MAX_ATTEMPTS, "attempts: 1 to 5"),
        (
            manifest.attempts > 1 && manifest.retry == Retry::Never,
            "attempts: more than one needs retry = \"idempotent\"",
        ),
        (manifest.cache.is_some() && !get, "cache: only answers to a GET"),
        (manifest.response.fields.is_empty(), "response.fields: nothing would pass"),
        (
            manifest.response.max_bytes == 0 || manifest.response.max_bytes > MAX_BYTES,
            "response.max_bytes: up to 1 MiB",
        ),
        (timeout.is_zero(), "timeout_ms: no time at all"),
        (
            longest(manifest.attempts, timeout) > CALL_BUDGET,
            "attempts x timeout_ms, with the pauses between, is more than the 8 s in which a call must end",
        ),
        (manifest.cache.is_some_and(|cache| cache.seconds == 0), "cache.seconds: nothing would be remembered"),
        (
            manifest.success.is_empty()
                || strict::repeats(&manifest.success)
                || !manifest.success.iter().all(|status| matches!(status, 200..=203 | 207..=299)),
            "success: statuses from 200 to 299 that come with a whole answer, each once",
        ),
    ];
    strict::first(&rules)
}

/// How long a call takes if every attempt and every pause takes as long as it can.
fn longest(attempts: u8, timeout: Duration) -> Duration {
    let pauses: Duration = (1..u32::from(attempts)).map(|attempt| PAUSE * 2_u32.pow(attempt)).sum();
    timeout * u32::from(attempts) + pauses
}

fn path_template(path: &str, params: &BTreeMap<String, Parameter>) -> Result<Vec<Segment>, String> {
    let rest = path.strip_prefix('/').ok_or("path: must begin with /")?;
    let segments: Result<Vec<Segment>, String> = rest.split('/').map(|text| segment(text, params)).collect();
    let segments = segments?;
    let used = |name: &str| segments.iter().any(|segment| matches!(segment, Segment::Parameter(used) if used == name));
    match params.iter().find(|(name, parameter)| parameter.place == ParameterPlace::Path && !used(name)) {
        Some((name, _)) => Err(format!("path: parameter {name} has no place in it")),
        None => Ok(segments),
    }
}

fn segment(text: &str, params: &BTreeMap<String, Parameter>) -> Result<Segment, String> {
    if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        return match params.get(name) {
            Some(parameter)
                if parameter.place == ParameterPlace::Path && parameter.kind.fits_a_path() && !parameter.optional =>
            {
                Ok(Segment::Parameter(name.to_owned()))
            }
            _ => Err(format!("path: {{{name}}} is not a mandatory path parameter of a type that fits there")),
        };
    }
    if strict::segment(text) {
        return Ok(Segment::Literal(text.to_owned()));
    }
    Err(format!("path: segment `{text}` is not plain"))
}

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod tests;
