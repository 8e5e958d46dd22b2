//! `auth end-sessions`: every session ends, because a database that was restored has brought back those that somebody had ended.

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use runtime::{Clock as _, SystemClock};

use super::store;
use crate::config::Config;

/// Runs it, under the role that migrates: the service sees nobody's grants but those of the person that a request is about.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub(crate) async fn end_sessions(config: &Config) -> Result<()> {
    let migrator = config.common.database.as_ref().and_then(|database| database.migrator_url_file.as_ref());
    let migrator = migrator.context("database.migrator_url_file: sessions are ended by the role that migrates")?;
    let pool = storage::pool(&crypto::files::read_secret_text(migrator)?, 1)?;
    let now: DateTime<Utc> = DateTime::from_timestamp(SystemClock.unix(), 0).context("the clock")?;
    let mut db = storage::connection(&pool).await?;
    println!("{} sessions have ended", store::end_all(&mut db, now).await?);
    Ok(())
}
