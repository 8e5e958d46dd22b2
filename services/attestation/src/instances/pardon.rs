//! `attestation pardon JKT --reason TEXT`: an instance that was decoyed is judged anew.
//!
//! For the genuine phone that a defect made a liar of. It runs as the migrator: the serving process can mark an instance, and cannot take the
//! mark back. A pardon is no belief: an instance whose evidence was not accepted has to attest anew.
//!
//! It leaves a line in the audit log and a row in `pardons`, which the database writes in the same transaction.

use anyhow::{Context as _, Result, ensure};
use api::text::Flaw;
use identity::Thumbprint;
use runtime::{Service as _, telemetry};

use super::store;
use crate::Attestation;
use crate::config::Config;

/// What an operator can do to an instance.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Have a decoyed instance judged anew (as the migrator)
    Pardon {
        /// The thumbprint of its device key
        // One in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        jkt: Thumbprint,
        /// Why: for the audit log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
}

/// Most characters of a reason, as in the table.
const REASON_LIMIT: usize = 500;
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub(crate) async fn run(config: &Config, Command::Pardon { jkt, reason }: Command) -> Result<()> {
    let database = config.common.database.as_ref().context("the configuration has no [database]")?;
    let file = database.migrator_url_file.as_ref();
    let file = file.context("instances are pardoned as the migrator: set database.migrator_url_file")?;
    let pool = storage::pool(&crypto::files::read_secret_text(file)?, 1)?;
    let telemetry = telemetry::init(Attestation::NAME, &config.common.telemetry)?;
    let pardoned = store::pardon(&mut *storage::connection(&pool).await?, &jkt, &reason).await?;
    if pardoned {
        runtime::audit!("pardoned", layer = "evidence", jkt = jkt.as_str(), reason = reason.as_str());
    }
    telemetry.flush().await;
    ensure!(pardoned, "there is no decoyed instance {jkt}");
    println!("{jkt}: judged anew from now on");
    Ok(())
}

/// It ends up in a log that people read.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match Flaw::of(text) {
        _ if text.is_empty() => Err("it says nothing".to_owned()),
        _ if text.chars().count() > REASON_LIMIT => Err(format!("it has more than {REASON_LIMIT} characters")),
        Some(flaw) => Err(flaw.to_string()),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches as _, Subcommand as _};

    use super::Command;

    #[test]
    fn a_thumbprint_that_begins_with_a_hyphen_is_no_option() {
        let jkt = format!("-h{}", "A".repeat(41));
        let command = Command::augment_subcommands(clap::Command::new("attestation"));
        let matches = command.try_get_matches_from(["attestation", "pardon", &jkt, "--reason", "why"]).unwrap();
        let Command::Pardon { jkt: read, .. } = Command::from_arg_matches(&matches).unwrap();
        assert_eq!(read.as_str(), jkt);
    }
}
