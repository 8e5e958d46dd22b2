//! The subcommands that write secrets. They run as the migrator: the serving process cannot write what it reads.

use anyhow::{Context as _, Result, bail};
use chrono::DateTime;
use crypto::envelope::FileKek;
use runtime::{Clock as _, SystemClock};
use storage::Pool;

use super::place::Place;
use super::seal::{self, Writer};
use crate::config::Config;

/// Names and help.
pub const COMMANDS: [(&str, &str); 2] = [
    ("seal-secret", "store a third party's secret: --provider P --id ID --file FILE"),
    ("retire-secret", "destroy a secret's versions up to one: --provider P --id ID --version N"),
];

/// Runs one of them.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub async fn run(config: &Config, command: &str, arguments: &[String]) -> Result<()> {
    let place = place(config, option(arguments, "--provider")?, option(arguments, "--id")?)?;
    let now = DateTime::from_timestamp_millis(SystemClock.unix_millis()).context("the clock")?;
    let kek = FileKek::from_file(&config.vault.kek_file)?;
    let pool = migrator(config)?;
    let writer = Writer { pool: &pool, kek: &kek, floor_file: &config.vault.floor_file, now };
    let Place { provider, id, origin, .. } = &place;
    match command {
        "seal-secret" => {
            let secret = crypto::files::read_secret_text(option(arguments, "--file")?)?;
            let version = seal::seal(writer, &place, &secret).await?;
            println!("{provider}/{id}: version {version} is live for {origin}");
            println!("the one before it stays live if it opens for this place; older ones are destroyed");
        }
        "retire-secret" => {
            let version = option(arguments, "--version")?.parse().context("--version is not a number")?;
            let count = seal::retire(writer, &place, version).await?;
            println!("{provider}/{id}: {count} versions destroyed");
        }
        other => bail!("there is no subcommand `{other}`"),
    }
    Ok(())
}

/// What the secret is for in this deployment.
fn place(config: &Config, provider: &str, id: &str) -> Result<Place> {
    let catalogue = crate::load_catalogue(config)?;
    let served = catalogue.provider(provider);
    let served = served.with_context(|| format!("`{provider}` is not served: there is no [providers.{provider}]"))?;
    Place::of(served, id).with_context(|| format!("the manifest of `{provider}` names no secret `{id}`"))
}

fn migrator(config: &Config) -> Result<Pool> {
    let database = config.common.database.as_ref().context("the configuration has no [database]")?;
    let file = database
        .migrator_url_file
        .as_ref()
        .context("secrets are written as the migrator: set database.migrator_url_file")?;
    Ok(storage::pool(&crypto::files::read_secret_text(file)?, 1)?)
}

/// The value after `--name`.
fn option<'a>(arguments: &'a [String], name: &str) -> Result<&'a str> {
    let found = arguments.chunks(2).find_map(|pair| match pair {
        [key, value] if key == name => Some(value.as_str()),
        _ => None,
    });
    found.with_context(|| format!("{name} is missing"))
}
