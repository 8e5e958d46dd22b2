//! The keys that fields are sealed to on their way here, and `ledger sealing-key`, which makes one and shows their public halves.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use crypto::agreement::AgreementKey;
use crypto::files::{read_secret, write_new_secret};
use identity::Jwk;
use identity::sealed_field::OpeningKeys;

use crate::config::Config;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a key in a new file, and print its public half
    Make {
        /// Where it will be (mode 0600)
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the public halves of the configured ones: what `attestation` is to give out
    Public,
}

/// Reads the keys that the configuration names.
pub(crate) fn read(files: &[PathBuf]) -> Result<OpeningKeys> {
    let keys: Vec<AgreementKey> = files.iter().map(|file| key(file)).collect::<Result<_>>()?;
    OpeningKeys::new(keys).context("sealing_key_files")
}

fn key(file: &Path) -> Result<AgreementKey> {
    let der = read_secret(file).context("sealing_key_files")?;
    AgreementKey::from_pkcs8(der.expose()).with_context(|| format!("{} is no PKCS#8 P-256 key", file.display()))
}

/// Does it.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub(crate) fn run(config: &Config, action: &Action) -> Result<()> {
    match action {
        Action::Make { out } => {
            let key = AgreementKey::generate();
            write_new_secret(out, key.to_pkcs8()?.expose())?;
            println!("{}", Jwk::from(key.public()).to_value());
        }
        Action::Public => {
            for key in read(&config.sealing_key_files)?.public() {
                println!("{}", key.to_value());
            }
        }
    }
    Ok(())
}
