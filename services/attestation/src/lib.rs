//! The attestation service says *what* calls: which app, on which device, with a key that lives how deep in which hardware.
//!
//! It examines platform evidence ([`evidence`]) and issues, to whoever asks, an answer of one shape: a client attestation for the
//! authorization server, an attestation token for each API, and a session key sealed to the phone. Whoever's evidence is not
//! believed gets decoys, which no verifier accepts, whose use is an alarm, and no phone can tell.
//!
//! Invariants:
//! - one challenge, one request; one piece of evidence, one instance; one counter value, one renewal;
//! - an answer depends on the verdict in nothing but the secret it is made with;
//! - an instance that lied gets decoys until an operator pardons it; one whose evidence was refused otherwise renews nothing until it shows
//!   better;
//! - production trusts the pinned roots of Google and Apple only;
//! - the decoy master never leaves this process, and nobody gets another audience's keys.

pub mod config;
pub mod error;
pub mod evidence;

mod alarm;
mod api_keys;
mod attestations;
mod audience_keys;
mod challenges;
mod examiner;
mod ids;
mod instances;
mod routes;
mod schema;
mod state;
mod verdicts;

use std::sync::Arc;

use actix_web::web;
use defense::{Keyed, Stack};
use diesel_migrations::embed_migrations;
use runtime::{App, Common, Context, RouteDoc, Service};
use storage::EmbeddedMigrations;

pub use config::Config;

/// The migrations, for tests that bring their own database.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// What an operator can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// To an instance
    #[command(flatten)]
    Instances(instances::pardon::Command),
    /// Make an API key for an app, and print it with its entry for the register
    ApiKey(api_keys::NewKey),
}

/// The service.
pub struct Attestation;

impl Service for Attestation {
    const NAME: &'static str = "attestation";
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

    async fn command(config: Config, command: Self::Command) -> anyhow::Result<()> {
        match command {
            Command::Instances(action) => instances::pardon::run(&config, action).await,
            Command::ApiKey(wanted) => api_keys::run(&config, &wanted),
        }
    }

    async fn build(config: Config, context: Context) -> anyhow::Result<App> {
        let state = web::Data::new(state::State::new(&config, &context)?);
        let stack = Stack::of(Self::NAME, &config.defense, &config.common, &context)?;
        let defense = stack.apps(Keyed::Always)?.build()?;
        let (public, internal) = (
            routes::public().documented(Self::NAME, &config.common)?.behind(&defense)?,
            routes::internal().behind(&defense)?,
        );
        let (for_public, for_internal) = (state.clone(), state.clone());
        let sweep = challenges::sweep(state.pool.clone(), Arc::clone(&state.clock), context.shutdown.clone());
        let fresh = Arc::clone(&state.examiner).keep_fresh(context.shutdown);
        alarm::may_come();
        Ok(App::internal(move |routes| {
            internal.configure(routes.app_data(for_internal.clone()));
        })
        .public(move |routes| public.configure(routes.app_data(for_public.clone())))
        .background("sweep of expired challenges", sweep)
        .background("revocation list", fresh))
    }
}
