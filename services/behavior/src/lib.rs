//! The behavior service: how does this user act, and does this payment look like it?
//!
//! The engine is pure: it folds what happened into [`profiles`], looks at a payment beside them ([`features`]), and judges what it sees by a trained
//! [`model`] and by [`rules`] that people write, with a score and with reasons in words. Around it stand the rooms that have to do with the world: what
//! is told ([`intake`]), what is asked ([`scoring`]), what was decided ([`decisions`]), what turned out ([`labels`]), and the profiles in memory ([`state`]).
//!
//! Invariants:
//! - a payment is looked at beside what was known *before* it, and learned afterwards;
//! - a profile is bounded: nobody makes it grow by paying often, and nobody makes it usual at once by paying much;
//! - what became known of fraud counts from the moment when it became known, never from the payment on;
//! - a model or a rule that asks for what this build does not know is refused when it is read, with both versions named;
//! - a score is no verdict: it asks, or it delays. Money is never refused because of it alone;
//! - an event is learned once, however often it comes, and every process learns all of them in one order, which is the log's;
//! - a decision that was answered is stored, with all that is needed to make it anew.

pub mod action;
pub mod backtest;
pub mod config;
pub mod decisions;
pub mod error;
pub mod events;
pub mod export;
pub mod features;
pub mod judgement;
pub mod model;
pub mod profiles;
pub mod rules;
pub mod scoring;

mod desk;
mod dry_run;
mod ids;
mod input;
mod intake;
mod labels;
mod places;
mod retention;
mod routes;
mod said;
mod state;

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::web;
use defense::Stack;
use diesel_migrations::embed_migrations;
use runtime::pages::RefusalPages;
use runtime::{App, Common, Context, RouteDoc, Service};
use storage::EmbeddedMigrations;

pub use config::Config;

/// The migrations, for tests that bring their own database.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The service.
pub struct Behavior;

impl Service for Behavior {
    const NAME: &'static str = "behavior";
    type Config = Config;
    /// None: people use `behaviorctl`.
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
        let (handle, writer) = decisions::writer::open();
        let state = web::Data::new(state::State::new(&config, &context, handle)?);
        let defense = Stack::of(Self::NAME, &config.defense, &config.common, &context)?.build()?;
        let internal = routes::internal().behind(&defense)?;
        let (pool, live) = (state.pool.clone(), Arc::clone(&state.live));
        let fold = state::follow::follow(pool.clone(), Arc::clone(&live), context.shutdown.clone());
        Ok(App::internal(move |routes| {
            routes.app_data(state.clone()).app_data(RefusalPages(desk::http::refusal));
            internal.configure(routes);
        })
        .ready("the profiles", state::follow::check(&live))
        .background("fold of what happens", fold)
        .background("forget what is old", retention::always(pool.clone(), context.shutdown.clone()))
        .background("writer of decisions", writer.run(pool, context.shutdown)))
    }
}
