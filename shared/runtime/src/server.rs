//! The running process: two listeners, background work, and an orderly end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use anyhow::{Context as _, Result, anyhow, bail};
use rustls::crypto::CryptoProvider;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::config::{Common, Database};
use crate::credentials::{self, Credentials};
use crate::health::{self, LeansOn, Readiness};
use crate::listener::{DRAIN, Server, Settings, serve};
use crate::middleware::{Side, Treatment};
use crate::service::{App, Background, Configure, Context, Service};
use crate::shutdown::ShutdownTrigger;
use crate::{Clients, Clock, Shutdown, metrics, middleware, tls};

/// How long the listeners may take beyond that to end the rest.
const CLOSE: Duration = Duration::from_secs(2);
/// How long background work, all of it together, may take to end.
const END: Duration = Duration::from_secs(10);

/// A service that runs: its listeners, its background work and its end.
pub struct Running {
    /// Where the public listener listens, if there is one.
    pub public: Option<SocketAddr>,
    /// Where the internal listener listens.
    pub internal: SocketAddr,
    servers: Vec<Server>,
    background: Vec<JoinHandle<()>>,
    ended: mpsc::Receiver<String>,
    readiness: Arc<Readiness>,
    trigger: ShutdownTrigger,
}

/// Starts a service in this process: TLS, pool, `build`, listeners, background work. Port 0 takes a free port.
pub async fn start<S: Service>(config: S::Config, clock: Arc<dyn Clock>) -> Result<Running> {
    // For code that asks for "the" provider, such as a client that a test makes; ours is always named.
    drop(CryptoProvider::clone(&tls::provider()).install_default());
    let common = S::common(&config).clone();
    let (trigger, shutdown) = Shutdown::channel();
    let pool = common.database.as_ref().map(open_pool::<S>).transpose()?;
    if let Some(pool) = &pool {
        metrics::observe_pool(pool.clone());
    }
    let shown = Shown::load(&common)?;
    let clients = Clients::showing(common.internal.clone(), Arc::clone(&shown.internal));
    let leans_on = LeansOn::default();
    let context = Context {
        clock: Arc::clone(&clock),
        pool: pool.clone(),
        clients,
        leans_on: leans_on.clone(),
        shutdown: shutdown.clone(),
    };
    let mut app = S::build(config, context).await?;
    app.background.push(shown.looked_after(shutdown));
    let version = S::migrations().as_ref().map(storage::newest).transpose()?.flatten();
    let database = pool.map(|pool| health::Database { pool, version });
    let readiness = Arc::new(Readiness::new(database, app.ready.clone(), leans_on));
    let servers = listen::<S>(&common, &app, shown, &readiness, &clock)?;
    let (background, ended) = spawn(app.background);
    let mut addresses = servers.iter().map(|server| server.address);
    let internal = addresses.next().ok_or_else(|| anyhow!("no listener"))?;
    Ok(Running { internal, public: addresses.next(), servers, background, ended, readiness, trigger })
}

impl Running {
    /// Waits for background work that ends although nobody asked it to, and says which.
    pub async fn failed(&mut self) -> String {
        match self.ended.recv().await {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// Ends in order: not ready any more, requests drain, background work is told. Within 22 s, whatever hangs: who stops a process
    /// waits for 30 as a rule before it kills.
    pub async fn stop(mut self) -> Result<()> {
        self.readiness.drain();
        let servers = std::mem::take(&mut self.servers);
        for server in &servers {
            // Queued here, awaited below: both listeners drain at the same time.
            drop(server.handle.stop(true));
        }
        let listeners_end = Instant::now() + DRAIN + CLOSE;
        for server in servers {
            if let Ok(ended) = timeout_at(listeners_end, server.task).await {
                ended??;
            } else {
                tracing::error!(listener = %server.address, "a listener did not end in time");
            }
        }
        self.trigger.request();
        let background_ends = Instant::now() + END;
        for task in std::mem::take(&mut self.background) {
            if timeout_at(background_ends, task).await.is_err() {
                tracing::warn!("background work did not end in time");
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that fails must not leave its listeners behind.
        for server in &self.servers {
            drop(server.handle.stop(false));
        }
        self.trigger.request();
    }
}

fn open_pool<S: Service>(database: &Database) -> Result<storage::Pool> {
    if database.migrator_url_file.is_some() {
        // Whoever takes this process over would own the tables, and with them every guard that stands on them.
        let variable = format!("{}__DATABASE__MIGRATOR_URL_FILE", S::NAME.to_uppercase());
        bail!(
            "`serve` must not know database.migrator_url_file: name it to `migrate` only, by {variable} or a file of its own"
        );
    }
    let url = crypto::files::read_secret_text(&database.url_file)?;
    let pool = storage::pool(&url, database.max_connections);
    pool.with_context(|| format!("database.url_file ({})", database.url_file.display()))
}

/// What the listeners show; the clients of other services show the internal one.
struct Shown {
    internal: Arc<Credentials>,
    public: Option<Arc<Credentials>>,
}

impl Shown {
    fn load(common: &Common) -> Result<Self> {
        let public = common.public.as_ref().map(|listener| Credentials::load(&listener.certificate, &listener.key));
        let internal = Credentials::load(&common.internal.certificate, &common.internal.key)?;
        Ok(Self { internal, public: public.transpose()? })
    }

    fn looked_after(&self, shutdown: Shutdown) -> Background {
        let all = std::iter::once(&self.internal).chain(&self.public).map(Arc::clone).collect();
        let work = async move {
            credentials::watch(all, shutdown).await;
            Ok(())
        };
        Background { name: "renewal of certificates", work: Box::pin(work) }
    }
}

/// The internal listener first, then the public one.
fn listen<S: Service>(
    common: &Common,
    app: &App,
    shown: Shown,
    readiness: &Arc<Readiness>,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Server>> {
    // Default: one, where nobody knows.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
    // Default: a worker for each core.
    let workers = common.workers.unwrap_or(cores);
    let (inner, readiness) = (Arc::clone(&app.internal), Arc::clone(readiness));
    let with_health: Configure = Arc::new(move |config| {
        config.app_data(web::Data::from(Arc::clone(&readiness)));
        inner(config);
    });
    let deadline = S::REQUEST_DEADLINE;
    let described = S::describe();
    middleware::count_from_nothing(Side::Internal, &described);
    let treatment = Treatment { side: Side::Internal, traces: true, deadline };
    let connections = common.connections;
    let at = Settings { service: S::NAME, treatment, address: common.internal.listen, workers, connections };
    let tls = tls::internal_server(&common.internal, shown.internal)?;
    let mut servers = vec![serve(at, tls, with_health, Arc::clone(clock))?];
    match (common.public.as_ref().zip(shown.public), &app.public) {
        (Some((listener, shown)), Some(routes)) => {
            middleware::count_from_nothing(Side::Public, &described);
            let treatment = Treatment { side: Side::Public, traces: app.public_traces, deadline };
            let at = Settings { service: S::NAME, treatment, address: listener.listen, workers, connections };
            servers.push(serve(at, tls::public_server(shown)?, Arc::clone(routes), Arc::clone(clock))?);
        }
        (None, None) => (),
        (Some(_), None) => {
            return Err(anyhow!("{} has no public routes: remove [public] from its configuration", S::NAME));
        }
        (None, Some(_)) => return Err(anyhow!("{} needs a [public] section in its configuration", S::NAME)),
    }
    Ok(servers)
}

fn spawn(background: Vec<Background>) -> (Vec<JoinHandle<()>>, mpsc::Receiver<String>) {
    let (sender, ended) = mpsc::channel(background.len().max(1));
    let tasks = background.into_iter().map(|Background { name, work }| {
        let sender = sender.clone();
        tokio::spawn(watched(name, work, sender))
    });
    (tasks.collect(), ended)
}

/// Reports the end of a piece of background work, also when it panics.
async fn watched(
    name: &'static str,
    work: Pin<Box<dyn Future<Output = Result<()>> + Send>>,
    sender: mpsc::Sender<String>,
) {
    let reason = match tokio::spawn(work).await {
        Ok(Ok(())) => format!("{name} has ended"),
        Ok(Err(error)) => format!("{name} failed: {error:#}"),
        Err(error) => format!("{name} panicked: {error}"),
    };
    // Nobody reads it when the process is going down anyway.
    drop(sender.send(reason).await);
}
