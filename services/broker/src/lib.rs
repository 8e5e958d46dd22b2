//! The broker: the only process that talks to third parties, and the only one that holds their secrets.
//!
//! Invariants:
//! - a caller names an operation and gives typed parameters, never a URL; what may be asked, by whom, and what may come back
//!   stands in a manifest ([`providers`]);
//! - a secret is opened in this process only ([`secrets`]), put into a request only by this process, at a place that the
//!   manifest names, and an answer that holds it never passes ([`operations::scrub`]);
//! - every connection out goes to an address that was looked at, over TLS 1.3 (1.2 where a manifest says so), without redirects or
//!   proxies ([`egress`]);
//! - a webhook is verified over its raw bytes, stored before it is acknowledged, and has its effect once ([`webhooks`]);
//! - what may have happened is never reported as failed ([`error`]).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use anyhow::{Context as _, Result, ensure};
use defense::Stack;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use runtime::{App, Common, Context, Courier, RouteDoc, Service};
use tokio::sync::Notify;

pub mod config;
pub mod egress;
pub mod error;
pub mod ids;
pub mod operations;
pub mod providers;
pub mod routes;
mod schema;
pub mod secrets;
pub mod webhooks;

use crate::config::Config;
use crate::egress::SystemNames;
use crate::operations::Operations;
use crate::providers::Catalogue;
use crate::secrets::Vault;
use crate::webhooks::courier::Deliveries;
use crate::webhooks::receive::Receiver;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The service.
pub struct Broker;

impl Service for Broker {
    const NAME: &'static str = "broker";
    type Config = Config;
    type Command = Command;

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn migrations() -> Option<EmbeddedMigrations> {
        Some(MIGRATIONS)
    }

    fn describe() -> Vec<RouteDoc> {
        [routes::public().docs(), routes::internal().docs()].concat()
    }

    async fn build(config: Config, context: Context) -> Result<App> {
        // Whoever takes this process over would write what it reads.
        ensure!(
            config.vault.sealer_url_file.is_none(),
            "`serve` must not know vault.sealer_url_file: name it to `seal-secret` and `retire-secret` only, by \
             BROKER__VAULT__SEALER_URL_FILE or a file of its own"
        );
        let pool = context.database()?;
        let catalogue = Arc::new(load_catalogue(&config)?);
        let vault = Arc::new(Vault::new(pool.clone(), &config.vault, Arc::clone(&context.clock))?);
        let names = Arc::new(SystemNames::read());
        let operations = Operations::new(&catalogue, Arc::clone(&vault), Arc::clone(&context.clock), &names)?;
        let wake = Arc::new(Notify::new());
        let job = Deliveries {
            pool: pool.clone(),
            client: context.clients.internal("ledger")?,
            ledger_url: config.delivery.ledger_url,
            catalogue: Arc::clone(&catalogue),
            clock: Arc::clone(&context.clock),
        };
        let courier = Courier {
            job,
            bell: Arc::clone(&wake),
            poll: Duration::from_millis(config.delivery.poll_ms.max(10).into()),
        };
        let forgetting = Arc::clone(&vault).forget(context.shutdown.clone());
        let defense = Stack::of(Self::NAME, &config.defense, &config.common, &context)?.build()?;
        let receiver = Receiver { catalogue, vault, pool, clock: context.clock, wake };
        let (operations, receiver) = (web::Data::new(operations), web::Data::new(receiver));
        let (public, internal) = (
            routes::public().documented(Self::NAME, &config.common)?.behind(&defense)?,
            routes::internal().behind(&defense)?,
        );
        let app = App::internal(move |config| {
            config.app_data(operations.clone());
            internal.configure(config);
        });
        let app = app.without_public_traces().public(move |config| {
            config.app_data(receiver.clone());
            public.configure(config);
        });
        let app = app.background("forgetting secrets", forgetting);
        Ok(app.background("webhook courier", courier.run(context.shutdown)))
    }

    async fn command(config: Config, command: Command) -> Result<()> {
        match command {
            Command::Secret(change) => secrets::command::run(&config, change).await,
            Command::Webhooks(action) => webhooks::command::run(&config, action).await,
        }
    }
}

/// What an operator can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// To a secret
    #[command(flatten)]
    Secret(secrets::command::Change),
    /// What came in
    #[command(subcommand)]
    Webhooks(webhooks::command::Action),
}

/// The manifests that the configuration names, compiled for the providers that it serves.
pub(crate) fn load_catalogue(config: &Config) -> Result<Catalogue> {
    let manifests =
        config.manifests.iter().map(|path| Ok(Catalogue::parse(&path.display().to_string(), &read(path)?)?));
    Ok(Catalogue::new(manifests.collect::<Result<_>>()?, &config.providers)?)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("manifest {}", path.display()))
}
