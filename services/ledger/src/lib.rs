//! The ledger: accounts, transfers, exchanges, payouts and statements. The only place where money moves.
//!
//! Invariants, each kept by the code *and* by the database:
//! - every transfer's entries sum to zero in each currency; entries are never changed or deleted;
//! - an account's balance is the sum of its entries and never below its floor; its entries are numbered without a gap;
//! - a key has one outcome, for ever: a request that is sent again moves nothing again ([`posting`]);
//! - money that has arrived is booked: where it was meant to go, or to suspense until an operator allocates it ([`suspense`]);
//! - the IBAN of a payee is read here and nowhere before ([`payees::unseal`]), and no answer repeats it;
//! - a payment above the low value is posted with its payer's approval of exactly it, once ([`approvals`]);
//! - an instance of the app that is new to its user moves little to others, unless a second factor of before vouches for it ([`approvals::new_instance`]);
//! - a payout goes to a payee that its owner has added and not removed ([`payees`]);
//! - nothing goes out that a stopped customer orders ([`stops`]);
//! - a caller touches own accounts only; another's looks like none ([`posting::fold`], row-level security);
//! - what may have happened is never reported as failed ([`error`]).
//!
//! Roles in PostgreSQL: `ledger_app` reads under row-level security and opens accounts, `ledger_poster` appends postings; neither can set a
//! balance. `ledger_owner` owns, and nobody signs in as it; `ledger_migrator` acts as it while it migrates.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use anyhow::{Context as _, Result};
use api::service::{LEDGER_AUDIENCE, LEDGER_RESOURCE};
use defense::{AudienceKeySource, JwksSource, Keyed, Stack, Tokens};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use runtime::places::Places;
use runtime::{App, Check, Common, Context, Courier, RouteDoc, Service, Shutdown, Teller};
use storage::Pool;
use tokio::sync::Notify;

pub mod accounts;
pub mod alarm;
pub mod amounts;
pub mod approvals;
pub mod bench;
pub mod config;
pub mod deposits;
pub mod error;
pub mod exchanges;
pub mod idempotent;
pub mod ids;
pub mod input;
pub mod invariants;
pub mod outbox;
pub mod page;
pub mod payees;
pub mod payouts;
pub mod posting;
mod problems;
pub mod providers;
pub mod restored;
pub mod risk;
pub mod routes;
mod schema;
pub mod sealing_keys;
pub mod state;
pub mod stops;
pub mod suspense;
pub mod transfers;
pub mod watching;

use crate::approvals::low_value::LowValue;
use crate::approvals::new_instance::NewInstances;
use crate::config::{Behavior, Config};
use crate::exchanges::Rates;
use crate::outbox::courier::Telling;
use crate::payees::names::Names;
use crate::payees::terms::Terms;
use crate::payouts::courier::Submissions;
use crate::payouts::partner::Partner;
use crate::posting::Committer;
use crate::posting::committer::{SIDE_LANES, Sizes};
use crate::providers::PayoutProviders;
use crate::risk::Asker;
use crate::state::State;
use crate::watching::Watching;

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Poster connections beside the committer's: the payouts' courier, the outbox', the operator, what is watched, and who asks about payments.
const SPARE_CONNECTIONS: usize = 5 + risk::CALLS;

pub struct Ledger;

impl Service for Ledger {
    const NAME: &'static str = "ledger";
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
        let stack = Stack::of(Self::NAME, &config.defense, &config.common, &context)?.apps(Keyed::Always)?;
        let defense = stack.tokens(tokens(&config, &context)?)?.build()?;
        let (public_routes, internal_routes) = (
            routes::public().documented(Self::NAME, &config.common)?.behind(&defense)?,
            routes::internal().behind(&defense)?,
        );
        let poster_url = crypto::files::read_secret_text(&config.poster_url_file)?;
        let poster = storage::pool(&poster_url, config.posting.lanes + SIDE_LANES + SPARE_CONNECTIONS);
        let poster = poster.with_context(|| format!("poster_url_file ({})", config.poster_url_file.display()))?;
        let sizes = Sizes { queue: config.posting.queue, batch: config.posting.batch, lanes: config.posting.lanes };
        let (committer, work) = Committer::new(poster.clone(), Arc::clone(&context.clock), sizes);
        let broker = context.clients.internal("broker")?;
        let payout_providers =
            PayoutProviders::new(&config.broker_url, &config.payout_provider, &config.payout_providers)?;
        let (risk, asking) = asking(&config, &context, &poster)?.unzip();
        let state = Arc::new(State {
            pool: context.database()?,
            poster: poster.clone(),
            committer,
            risk,
            places: Places::open(&config.places)?,
            rates: Rates::new(broker.clone(), &config.broker_url, &config.rates, config.max_rate_age_days)?,
            payout_providers: payout_providers.clone(),
            opening_keys: sealing_keys::read(&config.sealing_key_files)?,
            max_accounts: config.max_accounts_per_owner,
            new_payees: Terms::read(&config.payees)?,
            names: names(&config, &broker)?,
            low_value: LowValue::read(&config.approval)?,
            new_instances: NewInstances::read(&config.limits.new_instance)?,
            approval_lifetime: config.approval.lifetime()?,
            payouts: Arc::new(Notify::new()),
            clock: Arc::clone(&context.clock),
        });
        let poll = Duration::from_millis(config.payouts.poll_ms.max(10).into());
        let watching = watching(&config, &context, &poster);
        let job = Submissions {
            state: Arc::clone(&state),
            partner: Partner { client: broker, providers: payout_providers },
            settings: config.payouts,
        };
        let telling = config.behavior.as_ref().map(|behavior| telling(behavior, &context, &poster)).transpose()?;
        let courier = Courier { job, bell: Arc::clone(&state.payouts), poll };
        let (public, internal) = (web::Data::from(Arc::clone(&state)), web::Data::from(state));
        let app = App::internal(move |config| {
            config.app_data(internal.clone());
            internal_routes.configure(config);
        });
        let app = app.public(move |config| {
            config.app_data(public.clone());
            public_routes.configure(config);
        });
        let app = app
            .background("committer", work.run(context.shutdown.clone()))
            .background("forget approvals", approvals::forget::always(context.database()?, context.shutdown.clone()))
            .background("payout courier", courier.run(context.shutdown.clone()))
            .background("watching", watching.run(context.shutdown.clone()));
        let app = beside_payments(app, telling, asking, context.shutdown);
        Ok(app.ready("the database, as the poster", asks_as(poster)))
    }

    async fn command(config: Config, command: Command) -> Result<()> {
        match command {
            Command::Verify => invariants::command::run(&config).await,
            Command::Restored(action) => restored::command::run(&config, action).await,
            Command::Suspense(action) => suspense::command::run(&config, action).await,
            Command::Stops(action) => stops::command::run(&config, action).await,
            Command::Payouts(action) => payouts::command::run(&config, action).await,
            Command::SealingKey(action) => sealing_keys::run(&config, &action),
        }
    }
}

/// What an operator can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check the books from the first transfer on, and print what was found
    Verify,
    /// The books after their database was restored, compared with what partners have
    #[command(subcommand)]
    Restored(restored::command::Action),
    /// Money that could not be credited
    #[command(subcommand)]
    Suspense(suspense::command::Action),
    /// Customers whose orders are not posted
    #[command(subcommand)]
    Stops(stops::command::Action),
    /// Payouts, in the operator's hands
    #[command(subcommand)]
    Payouts(payouts::command::Action),
    /// What phones seal fields to
    #[command(subcommand)]
    SealingKey(sealing_keys::Action),
}

/// Who is asked whose accounts are.
fn names(config: &Config, broker: &reqwest::Client) -> Result<Option<Names>> {
    let Some(check) = &config.payees.check else {
        tracing::warn!("nobody is configured to say whose accounts are (payees.check): no payee's name is checked");
        return Ok(None);
    };
    Names::new(broker.clone(), &config.broker_url, check).map(Some)
}

/// Who shows in the metrics how the books are.
fn watching(config: &Config, context: &Context, poster: &Pool) -> Watching {
    Watching { poster: poster.clone(), clock: Arc::clone(&context.clock), tells: config.behavior.is_some() }
}

/// Who tells behavior what has been paid.
fn telling(behavior: &Behavior, context: &Context, poster: &Pool) -> Result<Courier<Telling>> {
    let job = Telling {
        poster: poster.clone(),
        clock: Arc::clone(&context.clock),
        teller: Teller::new(context.clients.internal("behavior")?, &behavior.url),
    };
    // Nobody rings: what was paid may be learned a moment later.
    let poll = Duration::from_millis(behavior.poll_ms.max(10).into());
    Ok(Courier { job, bell: Arc::default(), poll })
}

/// What runs where behavior is configured.
fn beside_payments(app: App, telling: Option<Courier<Telling>>, asking: Option<risk::Work>, shutdown: Shutdown) -> App {
    let app = match telling {
        Some(telling) => app.background("outbox courier", telling.run(shutdown.clone())),
        None => app,
    };
    match asking {
        Some(asking) => app.background("asker of behavior", asking.run(shutdown)),
        None => app,
    }
}

/// Whether the database answers this role.
fn asks_as(role: Pool) -> Check {
    Arc::new(move || {
        let role = role.clone();
        Box::pin(async move { storage::ping(&role).await.map_err(|error| error.to_string()) })
    })
}

/// Who asks behavior about payments.
fn asking(config: &Config, context: &Context, poster: &Pool) -> Result<Option<(Asker, risk::Work)>> {
    let Some(behavior) = &config.behavior else { return Ok(None) };
    let client = context.clients.internal("behavior")?;
    Ok(Some(Asker::new(client, behavior, poster.clone())?))
}

/// Whose tokens are taken.
fn tokens(config: &Config, context: &Context) -> Result<Tokens> {
    let attestation = context.clients.internal("attestation")?;
    Ok(Tokens {
        audience_keys: Arc::new(AudienceKeySource::new(attestation, &config.attestation_url)),
        attestation_audience: LEDGER_AUDIENCE,
        issuer: config.issuer.clone(),
        jwks: Arc::new(JwksSource::new(context.clients.internal("auth")?, &config.auth_url)),
        resource: LEDGER_RESOURCE,
    })
}
