//! The subcommands that write secrets. They run under a role that can do nothing else: the serving process cannot write what it reads.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use crypto::envelope::FileKek;
use runtime::{Clock as _, SystemClock};
use storage::Pool;

use super::place::SecretPlace;
use super::seal::{self, Writer};
use crate::config::Config;
use crate::ids::{ProviderName, SecretId};

/// What can be done to a secret.
#[derive(Debug, clap::Subcommand)]
pub enum Change {
    /// Store a third party's secret
    SealSecret {
        /// Which
        #[command(flatten)]
        name: Name,
        /// The file that holds it
        #[arg(long)]
        file: PathBuf,
    },
    /// Destroy a secret's versions up to one
    RetireSecret {
        /// Which
        #[command(flatten)]
        name: Name,
        /// The last one of them
        #[arg(long, value_name = "N")]
        version: u32,
    },
}

/// Which secret.
#[derive(Debug, clap::Args)]
pub struct Name {
    /// The third party
    #[arg(long)]
    provider: ProviderName,
    /// Its name in the manifest
    #[arg(long)]
    id: SecretId,
}
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub async fn run(config: &Config, change: Change) -> Result<()> {
    let (Change::SealSecret { name, .. } | Change::RetireSecret { name, .. }) = &change;
    let place = place(config, &name.provider, &name.id)?;
    let now = DateTime::from_timestamp_millis(SystemClock.unix_millis()).context("the clock")?;
    let kek = FileKek::from_file(&config.vault.kek_file)?;
    let pool = sealer(config)?;
    let writer = Writer { pool: &pool, kek: &kek, floor_file: &config.vault.floor_file, now };
    let SecretPlace { provider, id, origin, .. } = &place;
    match change {
        Change::SealSecret { file, .. } => {
            let secret = crypto::files::read_secret_text(&file)?;
            let version = seal::seal(writer, &place, &secret).await?;
            println!("{provider}/{id}: version {version} is live for {origin}");
            println!("the one before it stays live if it opens for this place; older ones are destroyed");
        }
        Change::RetireSecret { version, .. } => {
            let count = seal::retire(writer, &place, version).await?;
            println!("{provider}/{id}: {count} versions destroyed");
        }
    }
    Ok(())
}

/// What the secret is for in this deployment.
fn place(config: &Config, provider: &ProviderName, id: &SecretId) -> Result<SecretPlace> {
    let catalogue = crate::load_catalogue(config)?;
    let served = catalogue.provider(provider);
    let served = served.with_context(|| format!("`{provider}` is not served: there is no [providers.{provider}]"))?;
    SecretPlace::of(served, id).with_context(|| format!("the manifest of `{provider}` names no secret `{id}`"))
}

fn sealer(config: &Config) -> Result<Pool> {
    let file = config.vault.sealer_url_file.as_ref();
    let file = file.context("secrets are written by a role of their own: set vault.sealer_url_file")?;
    Ok(storage::pool(&crypto::files::read_secret_text(file)?, 1)?)
}
