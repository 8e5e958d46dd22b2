//! *Who* calls: the `OpenID` provider of the house.
//!
//! Clients push a request, a person answers it in a browser and the client redeems the answer ([`authorizations`], [`people`],
//! [`tokens`]). One device key goes through all of it: attestation, pushed request, code, tokens.
//!
//! Invariants:
//! - confidential clients only (FAPI 2.0 §5.3.2.1): the attested app, or a server with a key ([`client_auth`]);
//! - nothing about a request travels through the browser but its name;
//! - every token is bound to a key, a server's refresh token to that server's own; whatever lets its holder in is stored as a hash;
//! - what is single use is used up by one conditional statement: request, code, client assertion, `DPoP` proof;
//! - a refusal says the same for all reasons that a thief could learn from; the audit log has the reason.

pub mod authorizations;
pub mod client_auth;
pub mod clients;
pub mod config;
pub mod discovery;
pub mod dpop;
pub mod error;
mod forget;
pub mod form;
pub mod forms;
pub mod grants;
mod http;
pub mod ids;
pub mod keys;
pub mod ledger;
pub mod opaque;
pub mod pages;
pub mod paths;
pub mod people;
mod provider;
mod refusals;
pub mod routes;
mod schema;
pub mod scopes;
pub mod second_factors;
mod signals;
mod store;
pub mod support;
mod throttle;
pub mod tokens;
pub mod userinfo;
pub mod webauthn;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use anyhow::{Context as _, ensure};
use crypto::envelope::FileKek;
use crypto::files;
use crypto::password::Hasher;
use defense::captcha::Gate;
use defense::stores::Once;
use defense::{AudienceKeySource, Keyed, Stack};
use identity::TokenError;
use runtime::pages::RefusalPages;
use runtime::places::Places;
use runtime::{App, Common, Context, Courier, RouteDoc, Service, Teller};
use storage::EmbeddedMigrations;
use url::Url;

use crate::clients::Clients;
use crate::config::Config;
use crate::dpop::Proofs;
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::pages::http::captcha::LoginForms;
use crate::people::{Directory, Passwords};
pub use crate::provider::Provider;
use crate::signals::Signals;
pub use crate::signals::Watching;
use crate::signals::courier::Telling;
use crate::webauthn::RelyingParty;

/// The tables of this service.
pub const MIGRATIONS: EmbeddedMigrations = diesel_migrations::embed_migrations!();

/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The service.
pub struct Auth;

impl Service for Auth {
    const NAME: &'static str = "auth";
    type Config = Config;
    type Command = Command;

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn migrations() -> Option<EmbeddedMigrations> {
        Some(MIGRATIONS)
    }

    fn describe() -> Vec<RouteDoc> {
        routes::docs()
    }

    async fn command(config: Config, command: Command) -> anyhow::Result<()> {
        match command {
            Command::EndSessions => grants::command::end_sessions(&config).await,
            Command::SecondFactor(action) => support::command::run(&config, action).await,
        }
    }

    async fn build(config: Config, context: Context) -> anyhow::Result<App> {
        let stack = Stack::of(Self::NAME, &config.defense, &config.common, &context)?;
        let gate = stack.captcha_gate(&config.captcha)?;
        let provider = web::Data::new(provider(&config, &context, Arc::clone(&gate), stack.used())?);
        let forms = Arc::new(LoginForms::new(provider.clone()));
        let (public, internal) = (provider.clone(), provider);
        let defense = stack.apps(Keyed::Perhaps)?.captcha(gate, forms).build()?;
        let (public_routes, internal_routes) = (
            routes::public().documented(Self::NAME, &config.common)?.behind(&defense)?,
            routes::internal().behind(&defense)?,
        );
        let telling = telling(&config, &context)?;
        let forget = forget::always(context.database()?, context.clock.clone(), context.shutdown.clone());
        let app = App::internal(move |service| {
            service.app_data(internal.clone());
            internal_routes.configure(service);
        })
        .public(move |service| {
            service.app_data(public.clone());
            service.app_data(RefusalPages(http::refusal_page));
            public_routes.configure(service);
        })
        .background("forget", forget);
        Ok(match telling {
            Some(telling) => {
                let watching = Watching { pool: telling.job.pool.clone() };
                let app = app.background("outbox courier", telling.run(context.shutdown.clone()));
                app.background("watching", watching.run(context.shutdown.clone()))
            }
            None => app,
        })
    }
}

/// What an operator can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// End every session, after the database was restored
    EndSessions,
    /// Second factors of people who have lost theirs
    #[command(subcommand)]
    SecondFactor(support::command::Action),
}

fn provider(config: &Config, context: &Context, captcha: Arc<Gate>, used: Arc<dyn Once>) -> anyhow::Result<Provider> {
    let pepper = files::read_secret(&config.pepper_file)?;
    let hasher = Hasher::new(config.password.params, &config.password.retired_params, pepper).context("[password]")?;
    // Default: a machine that does not tell its cores has one for us, and the configuration may say better.
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // Default: one for each core (`config.rs`).
    let concurrency = config.password.concurrency.map_or(cores, NonZeroUsize::get);
    let max_wait = Duration::from_millis(config.password.max_wait_millis);
    let passwords = Passwords::new(hasher, concurrency, max_wait);
    passwords.observe();
    runtime::metrics::alarm_may_come("client_attestation", TokenError::Decoy.reason());
    runtime::metrics::alarm_may_come("second_factor", webauthn::Refused::Counter.reason());
    let attestation = context.clients.internal("attestation")?;
    let issuer = issuer(config.common.public_origin()?)?;
    Ok(Provider {
        relying_party: RelyingParty::of(&issuer)?,
        issuer,
        clock: context.clock.clone(),
        pool: context.database()?,
        clients: Clients::new(&config.clients)?,
        keys: Keys::load(&config.signing_key_file, &config.published_key_files)?,
        audience_keys: Arc::new(AudienceKeySource::new(attestation, &config.attestation_url)),
        proofs: Proofs::new(used),
        passwords,
        captcha,
        signals: Signals { heard: config.behavior_url.is_some() },
        places: Places::open(&config.places)?,
        ledger: Ledger::new(context.clients.internal("ledger")?, &config.ledger_url)?,
        directory: Directory::new(FileKek::from_file(&config.kek_file)?, files::read_key(&config.lookup_key_file)?),
    })
}

/// Who tells behavior what happens at the door, if anybody is to be told.
fn telling(config: &Config, context: &Context) -> anyhow::Result<Option<Courier<Telling>>> {
    let Some(url) = &config.behavior_url else { return Ok(None) };
    let teller = Teller::new(context.clients.internal("behavior")?, url);
    let job = Telling { pool: context.database()?, clock: context.clock.clone(), teller };
    // Nobody rings: what happened may be learned a moment later.
    Ok(Some(Courier { job, bell: Arc::default(), poll: LOOK }))
}

/// RFC 8414 §2: `https`, without query or fragment; and without a path, because it is also our origin.
fn issuer(url: &str) -> anyhow::Result<String> {
    let parsed = Url::parse(url).with_context(|| format!("public.url {url}"))?;
    let origin = parsed.origin().ascii_serialization();
    ensure!(
        parsed.scheme() == "https" && url.trim_end_matches('/') == origin,
        "public.url is the issuer: write it as {origin}, https and nothing after the port"
    );
    Ok(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_an_https_origin() {
        assert_eq!(issuer("https://localhost:7001").unwrap(), "https://localhost:7001");
        assert_eq!(issuer("https://auth.redoubt.example/").unwrap(), "https://auth.redoubt.example");
        for wrong in [
            "http://localhost:7001",
            "https://localhost:7001/auth",
            "https://localhost/?x",
            "localhost",
            "https://localhost:443",
        ] {
            assert!(issuer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_path_is_registered_twice_with_one_method() {
        let mut rows: Vec<_> = routes::docs().into_iter().map(|row| (row.listener, row.method, row.path)).collect();
        let all = rows.len();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), all);
    }
}
