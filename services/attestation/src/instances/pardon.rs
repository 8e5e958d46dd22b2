//! `attestation pardon JKT --reason TEXT`: an instance that was decoyed is judged anew.
//!
//! For the genuine phone that a defect made a liar of. It runs as the migrator: the serving process can mark an instance, and cannot take the
//! mark back. A pardon is no belief: an instance whose evidence was not accepted has to attest anew.
//!
//! It leaves a line in the audit log and a row in `pardons`, which the database writes in the same transaction.

use anyhow::{Context as _, Result, ensure};
use api::text::Flaw;
use identity::Thumbprint;
use runtime::{Service as _, option, telemetry};

use super::store;
use crate::Attestation;
use crate::config::Config;

/// Name and help.
pub(crate) const COMMAND: (&str, &str) =
    ("pardon", "have a decoyed instance judged anew: JKT --reason TEXT (as the migrator)");

/// Most characters of a reason, as in the table.
const REASON_LIMIT: usize = 500;

/// Runs it.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub(crate) async fn run(config: &Config, arguments: &[String]) -> Result<()> {
    let (jkt, options) = arguments.split_first().context("say which instance: pardon JKT --reason TEXT")?;
    let jkt: Thumbprint = jkt.parse().context("JKT is not the thumbprint of a device key")?;
    let reason = option(options, "--reason").map(str::trim).filter(|reason| !reason.is_empty());
    let reason = reason.context("say why: --reason TEXT")?;
    ensure!(reason.chars().count() <= REASON_LIMIT, "--reason has more than {REASON_LIMIT} characters");
    // It ends up in a log that people read.
    if let Some(flaw) = Flaw::of(reason) {
        anyhow::bail!("--reason {}", flaw.as_str());
    }
    let database = config.common.database.as_ref().context("the configuration has no [database]")?;
    let file = database.migrator_url_file.as_ref();
    let file = file.context("instances are pardoned as the migrator: set database.migrator_url_file")?;
    let pool = storage::pool(&crypto::files::read_secret_text(file)?, 1)?;
    let telemetry = telemetry::init(Attestation::NAME, &config.common.telemetry)?;
    let pardoned = store::pardon(&mut *storage::connection(&pool).await?, &jkt, reason).await?;
    if pardoned {
        runtime::audit!("pardoned", layer = "evidence", jkt = jkt.as_str(), reason);
    }
    telemetry.flush().await;
    ensure!(pardoned, "there is no decoyed instance {jkt}");
    println!("{jkt}: judged anew from now on");
    Ok(())
}
