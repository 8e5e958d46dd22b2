//! The __name__ service: keeps notes, which an operator writes and reads ([`notes`]).
//!
//! Invariants:
//! - a note is written once: the same again changes nothing, and another text under its id is refused;
//! - nothing of a note changes afterwards, and the database has no right for it to give;
//! - a statement sees the one note whose id its transaction names.

pub mod config;
pub mod error;

mod ids;
mod notes;
mod routes;
mod state;

use std::convert::Infallible;

use actix_web::web;
use defense::Stack;
use diesel_migrations::embed_migrations;
use runtime::{App, Common, Context, RouteDoc, Service};
use storage::EmbeddedMigrations;

pub use config::Config;

/// The migrations, for tests that bring their own database.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The service.
pub struct __Name__;

impl Service for __Name__ {
    const NAME: &'static str = "__name__";
    type Config = Config;
    /// None: there is nothing that people do beside the running service.
    type Command = Infallible;

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn migrations() -> Option<EmbeddedMigrations> {
        Some(MIGRATIONS)
    }

    fn describe() -> Vec<RouteDoc> {
        routes::internal().docs()
    }

    async fn command(_: Config, command: Self::Command) -> anyhow::Result<()> {
        match command {}
    }

    async fn build(config: Config, context: Context) -> anyhow::Result<App> {
        let state = web::Data::new(state::State::new(&config, &context)?);
        let defense = Stack::of(Self::NAME, &config.defense, &config.common, &context)?.build()?;
        let internal = routes::internal().behind(&defense)?;
        Ok(App::internal(move |routes| {
            routes.app_data(state.clone());
            internal.configure(routes);
        }))
    }
}
