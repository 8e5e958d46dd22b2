//! The command line of every service: `serve | migrate | healthcheck | config | openapi`, and its own subcommands.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::service::Service;
use crate::{Clients, SystemClock, config, http, openapi, server, shutdown, telemetry};

/// Runs a service's binary: `fn main() -> ExitCode { runtime::run::<ledger::Ledger>() }`.
#[expect(clippy::print_stderr, reason = "the last word of a process that cannot go on")]
pub fn run<S: Service>() -> ExitCode {
    // Help and what cannot be understood end the process here.
    let matches = CommandLine::<S::Command>::command().name(S::NAME).after_help(environment(S::NAME)).get_matches();
    let outcome = CommandLine::from_arg_matches(&matches).map_err(Into::into).and_then(|arguments| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // Requests run on actix's workers; here are database sockets, background work and telemetry.
            .worker_threads(2)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(execute::<S>(arguments));
        // Work that ignored the shutdown does not keep the process.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", S::NAME);
            ExitCode::FAILURE
        }
    }
}

#[derive(Parser)]
struct CommandLine<C: Subcommand> {
    /// Configuration; the file may also be named by `REDOUBT_CONFIG`
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command<C>,
}

#[derive(Subcommand)]
enum Command<C: Subcommand> {
    /// Run the service
    Serve,
    /// Bring its database to this version
    Migrate,
    /// Exit 0 if the running service is ready
    Healthcheck,
    /// Print the configuration that would be used
    Config,
    /// Print the API of its public listener, or of its internal one, as `OpenAPI` 3.1
    Openapi {
        /// That of the internal listener
        #[arg(long)]
        internal: bool,
    },
    #[command(flatten)]
    Own(C),
}

fn environment(service: &str) -> String {
    let variable = service.to_uppercase().replace('-', "_");
    format!("An environment variable sets one key of the configuration: {variable}__SECTION__KEY.")
}

#[expect(clippy::print_stdout, reason = "the output of subcommands")]
async fn execute<S: Service>(arguments: CommandLine<S::Command>) -> Result<()> {
    if let Command::Openapi { internal } = arguments.command {
        let listener = if internal { "internal" } else { "public" };
        println!("{}", openapi::document(S::NAME, listener, &S::describe())?);
        return Ok(());
    }
    let config: S::Config = config::load(S::NAME, arguments.config.as_deref())?;
    match arguments.command {
        Command::Serve => serve::<S>(config).await?,
        Command::Migrate => migrate::<S>(&config).await?,
        Command::Healthcheck => healthcheck::<S>(&config).await?,
        Command::Config => print!("{}", config::print(&config)?),
        Command::Openapi { .. } => (),
        Command::Own(command) => S::command(config, command).await?,
    }
    Ok(())
}

async fn serve<S: Service>(config: S::Config) -> Result<()> {
    let common = S::common(&config).clone();
    let guard = telemetry::init(S::NAME, &common.telemetry)?;
    let outcome = serve_until_asked::<S>(config, common.exit_with_parent).await;
    if let Err(error) = &outcome {
        tracing::error!(cause = format!("{error:#}"), "the process ends");
    }
    guard.flush().await;
    outcome
}

async fn serve_until_asked<S: Service>(config: S::Config, with_parent: bool) -> Result<()> {
    // Listened to before the start, so that a signal during it is not lost.
    let asked = tokio::spawn(shutdown::asked_to_stop(with_parent));
    let mut running = server::start::<S>(config, Arc::new(SystemClock)).await?;
    let failure = tokio::select! {
        reason = asked => {
            tracing::info!(reason = reason??, "stopping");
            None
        }
        reason = running.failed() => Some(reason),
    };
    running.stop().await?;
    match failure {
        Some(reason) => Err(anyhow!(reason)),
        None => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn migrate<S: Service>(config: &S::Config) -> Result<()> {
    let (Some(migrations), Some(database)) = (S::migrations(), &S::common(config).database) else {
        println!("{} has no database", S::NAME);
        return Ok(());
    };
    let file = database.migrator_url_file.as_ref().context("`migrate` needs database.migrator_url_file")?;
    let applied = storage::migrate(&crypto::files::read_secret_text(file)?, migrations).await?;
    println!("{}: {applied} migrations applied", S::NAME);
    Ok(())
}

/// Asks the running process over its internal listener, as itself: what a container's health check runs.
async fn healthcheck<S: Service>(config: &S::Config) -> Result<()> {
    let internal = &S::common(config).internal;
    let client = Clients::new(internal.clone()).internal(S::NAME)?;
    let url = format!("{}/health/ready", internal.url.trim_end_matches('/'));
    let answer = client.get(&url).send().await.map_err(|error| anyhow!("{url}: {}", http::cause(&error)))?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    match answer.json::<api::problem::Problem>().await {
        Ok(api::problem::Problem { detail: Some(reason), .. }) => bail!("not ready: {reason}"),
        Ok(problem) => bail!("{url}: {status} {}", problem.code),
        Err(error) => bail!("{url}: {status}, and no word why: {}", http::cause(&error)),
    }
}
