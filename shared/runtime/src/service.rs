//! The shape of a service: what it gives the runtime, and what the runtime gives it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use diesel_migrations::EmbeddedMigrations;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::Pool;

use crate::config::Common;
use crate::contract::Operation;
use crate::health::{Check, LeansOn, Named};
use crate::{Clients, Clock, Shutdown};

/// One of the system's processes.
pub trait Service: 'static {
    /// Its name: in SPIFFE ids, logs, environment variables and the database's name.
    const NAME: &'static str;

    /// How long a request may take, its body included. Then its caller is told that the outcome is unknown (or, of a read, to come back),
    /// and the handler is dropped: what must be finished runs in a task of its own.
    const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

    /// Its configuration: a struct with `#[serde(deny_unknown_fields)]` and a field `common: Common`.
    type Config: DeserializeOwned + Serialize + Clone + Send + Sync + 'static;
    /// Its subcommands beside the common ones; `Infallible` if it has none.
    type Command: clap::Subcommand + Send;

    /// The common part of the configuration.
    fn common(config: &Self::Config) -> &Common;

    /// Its migrations, if it has a database.
    fn migrations() -> Option<EmbeddedMigrations> {
        None
    }

    /// All its routes, for `openapi` and for the test that looks for routes without a guard.
    fn describe() -> Vec<RouteDoc>;

    /// Makes the service. Nothing listens yet; an error ends the process with its message.
    fn build(config: Self::Config, context: Context) -> impl Future<Output = anyhow::Result<App>> + Send;

    /// Runs one of its own subcommands.
    fn command(config: Self::Config, command: Self::Command) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What the runtime gives a service.
#[derive(Clone)]
pub struct Context {
    /// Where the time comes from; no handler asks the machine.
    pub clock: Arc<dyn Clock>,
    /// The app role's connections; `None` without a `[database]`.
    pub pool: Option<Pool>,
    /// Clients for the other services.
    pub clients: Clients,
    /// What its readiness depends on beside the database; whoever opens something of the kind adds it.
    pub leans_on: LeansOn,
    /// Tells background work to end; it is asked after the listeners have drained.
    pub shutdown: Shutdown,
}

impl Context {
    /// The pool of a service that cannot do without one.
    pub fn database(&self) -> anyhow::Result<Pool> {
        self.pool.clone().ok_or_else(|| anyhow::anyhow!("this service needs a [database] section in its configuration"))
    }
}

/// Registers routes and data with a listener; called once per worker.
pub type Configure = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// What a service gives the runtime.
pub struct App {
    /// Routes of the public listener; needs `[public]` in the configuration.
    pub public: Option<Configure>,
    /// Whether a `traceparent` on the public listener is continued.
    pub public_traces: bool,
    /// Routes of the internal listener, beside health.
    pub internal: Configure,
    /// Work beside the requests. Each ends when [`Context::shutdown`] says so; one that ends earlier ends the process.
    pub background: Vec<Background>,
    /// What must hold beyond "the database answers" before the service is ready.
    pub ready: Option<Named>,
}

impl App {
    /// An app without background work and with nothing public.
    pub fn internal(configure: impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static) -> Self {
        Self { public: None, public_traces: true, internal: Arc::new(configure), background: Vec::new(), ready: None }
    }

    /// Adds the public routes.
    #[must_use]
    pub fn public(mut self, configure: impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static) -> Self {
        self.public = Some(Arc::new(configure));
        self
    }

    /// The public callers are third parties: each of their requests begins a trace of ours, whatever `traceparent` it has.
    #[must_use]
    pub fn without_public_traces(mut self) -> Self {
        self.public_traces = false;
        self
    }

    /// Adds work beside the requests.
    #[must_use]
    pub fn background(
        mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        self.background.push(Background { name, work: Box::pin(work) });
        self
    }

    /// Adds a readiness check; `what` names to people what it asks.
    #[must_use]
    pub fn ready(mut self, what: &'static str, check: Check) -> Self {
        self.ready = Some(Named { what, check });
        self
    }
}

/// Work beside the requests.
pub struct Background {
    /// Names the work in the log.
    pub name: &'static str,
    /// Runs until the process goes down; if it ends before, the process ends.
    pub work: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
}

/// One route, as documented and tested.
#[derive(Debug, Clone)]
pub struct RouteDoc {
    /// `public` or `internal`.
    pub listener: &'static str,
    /// HTTP method.
    pub method: String,
    /// The path template, e.g. `/v1/accounts/{id}`.
    pub path: String,
    /// Who may call, as the handler's type says: `Caller<transfers:write>`, `Peer<broker>`, `Public`.
    pub guard: String,
    /// The class of routes that it belongs to: which layers stand before it.
    pub policy: &'static str,
    /// Those layers, in their order.
    pub layers: Vec<&'static str>,
    /// One line about it.
    pub summary: String,
    /// What it takes and answers, as its policy and its handler's types say.
    pub describe: fn(&mut Operation),
}
