//! `ledger verify`: the books from the first entry to the last, as long as it takes.

use anyhow::{Result, ensure};

use super::store;
use crate::config::Config;

/// Runs it. An error if something does not hold.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub async fn run(config: &Config) -> Result<()> {
    let pool = storage::pool(&crypto::files::read_secret_text(&config.poster_url_file)?, 1)?;
    let mut db = storage::connection(&pool).await?;
    let found = store::count_again(&mut db).await?;
    println!("{}", serde_json::to_string(&found)?);
    ensure!(found.hold, "the books are wrong");
    Ok(())
}
