//! The command line of every service: `serve | migrate | healthcheck | config | openapi`, and its own subcommands.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::service::Service;
use crate::{Clients, SystemClock, config, http, openapi, server, shutdown, telemetry};

/// Runs a service's binary: `fn main() -> ExitCode { runtime::run::<ledger::Ledger>() }`.
#[expect(clippy::print_stderr, reason = "the last word of a process that cannot go on")]
pub fn run<S: Service>() -> ExitCode {
    let outcome = arguments().and_then(|command| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // Requests run on actix's workers; here are database sockets, background work and telemetry.
            .worker_threads(2)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(execute::<S>(command));
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

struct Command {
    name: String,
    config: Option<PathBuf>,
    rest: Vec<String>,
}

/// `[SUBCOMMAND] [--config FILE] [ARGUMENTS…]`
fn arguments() -> Result<Command> {
    let mut command = Command { name: String::new(), config: None, rest: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            let file = arguments.next().ok_or_else(|| anyhow!("--config needs the name of a file"))?;
            command.config = Some(PathBuf::from(file));
        } else if let Some(file) = argument.strip_prefix("--config=") {
            command.config = Some(PathBuf::from(file));
        } else if command.name.is_empty() {
            command.name = argument;
        } else {
            command.rest.push(argument);
        }
    }
    Ok(command)
}

/// The value after `--name` among a subcommand's arguments, which are pairs.
pub fn option<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    arguments.chunks(2).find_map(|pair| match pair {
        [key, value] if key == name => Some(value.as_str()),
        _ => None,
    })
}

#[expect(clippy::print_stdout, reason = "the output of subcommands")]
async fn execute<S: Service>(command: Command) -> Result<()> {
    match command.name.as_str() {
        "" | "help" | "--help" | "-h" => {
            print!("{}", usage::<S>());
            return Ok(());
        }
        "openapi" => {
            println!("{}", openapi::document(S::NAME, &S::describe())?);
            return Ok(());
        }
        _ => (),
    }
    let config: S::Config = config::load(S::NAME, command.config.as_deref())?;
    match command.name.as_str() {
        "serve" => serve::<S>(config).await,
        "migrate" => migrate::<S>(&config).await,
        "healthcheck" => healthcheck::<S>(&config).await,
        "config" => {
            print!("{}", config::print(&config)?);
            Ok(())
        }
        name if S::COMMANDS.iter().any(|(known, _)| *known == name) => S::command(config, name, command.rest).await,
        name => bail!("there is no subcommand `{name}`\n{}", usage::<S>()),
    }
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
    // Default: why it said nothing.
    bail!("{url}: {} {}", answer.status(), answer.text().await.unwrap_or_else(|error| http::cause(&error)))
}

fn usage<S: Service>() -> String {
    let mut text = format!(
        "usage: {} SUBCOMMAND [--config FILE]\n\n  \
         serve        run the service\n  \
         migrate      bring its database to this version\n  \
         healthcheck  exit 0 if the running service is ready\n  \
         config       print the configuration that would be used\n  \
         openapi      print its API as OpenAPI 3.1\n",
        S::NAME
    );
    let own = S::COMMANDS.iter().map(|(name, help)| format!("  {name:<12} {help}\n"));
    text.extend(own);
    let variable = S::NAME.to_uppercase().replace('-', "_");
    text + &format!("\nThe file may also be named by REDOUBT_CONFIG; {variable}__SECTION__KEY sets one key.\n")
}
