//! `ledger verify`: the books from the first entry to the last, as long as it takes.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::store;
use crate::config::Config;

/// Name and help.
pub const COMMAND: (&str, &str) = ("verify", "check the books from the first transfer on, and print what was found");

/// How long until it says how far it is.
const ROUND: Duration = Duration::from_secs(10);

/// Runs it. An error if something does not hold.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub async fn run(config: &Config) -> Result<()> {
    let pool = storage::pool(&crypto::files::read_secret_text(&config.poster_url_file)?, 1)?;
    let mut db = storage::connection(&pool).await?;
    store::begin_again(&mut db).await?;
    loop {
        let found = store::count(&mut db, ROUND).await?;
        println!("{}", serde_json::to_string(&found)?);
        ensure!(found.hold, "the books are wrong");
        if found.checked_transfers >= found.transfers {
            return Ok(());
        }
    }
}
