//! The subcommands that write secrets. They run as the migrator: the serving process cannot write what it reads.

use anyhow::{Context as _, Result, bail};
use chrono::DateTime;
use crypto::envelope::FileKek;
use runtime::{Clock as _, SystemClock};
use storage::Pool;

use super::seal::{self, Name};
use crate::config::Config;

/// Names and help.
pub const COMMANDS: [(&str, &str); 2] = [
    ("seal-secret", "store a third party's secret: --provider P --id ID --file FILE"),
    ("retire-secret", "destroy a secret's versions up to one: --provider P --id ID --version N"),
];

/// Runs one of them.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub async fn run(config: &Config, command: &str, arguments: &[String]) -> Result<()> {
    let name = Name { provider: option(arguments, "--provider")?, id: option(arguments, "--id")? };
    let now = DateTime::from_timestamp_millis(SystemClock.unix_millis()).context("the clock")?;
    let pool = migrator(config)?;
    match command {
        "seal-secret" => {
            let secret = crypto::files::read_secret_text(option(arguments, "--file")?)?;
            let kek = FileKek::from_file(&config.vault.kek_file)?;
            let version = seal::seal(&pool, &kek, name, &secret, now).await?;
            println!(
                "{}/{}: version {version} is live; the one before it too, older ones are destroyed",
                name.provider, name.id
            );
        }
        "retire-secret" => {
            let version = option(arguments, "--version")?.parse().context("--version is not a number")?;
            let count = seal::retire(&pool, name, version, now).await?;
            println!("{}/{}: {count} versions destroyed", name.provider, name.id);
        }
        other => bail!("there is no subcommand `{other}`"),
    }
    Ok(())
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
