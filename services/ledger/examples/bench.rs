//! `cargo run --release -p ledger --example bench -- APP_URL_FILE POSTER_URL_FILE ['{"in_flight":64,"hot":true}' …]`
//!
//! Drives the posting engine against a migrated database, once per load (JSON, see `ledger::bench::Load`), and prints one JSON object a line.

use anyhow::{Context as _, Result};
use ledger::bench::{self, Load};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "give two files: one with the app role's URL, one with the poster's (mode 0600)";
    let app = crypto::files::read_secret_text(arguments.next().context(usage)?)?;
    let poster = crypto::files::read_secret_text(arguments.next().context(usage)?)?;
    let mut loads = arguments.map(|load| serde_json::from_str(&load)).collect::<Result<Vec<Load>, _>>()?;
    if loads.is_empty() {
        loads = vec![Load::default(), Load { hot: true, ..Load::default() }];
    }
    for load in loads {
        let report = bench::engine(&app, &poster, load).await?;
        #[expect(clippy::print_stdout, reason = "its output")]
        {
            println!("{}", serde_json::to_string(&report)?);
        }
    }
    Ok(())
}
