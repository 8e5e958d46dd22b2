//! `broker webhooks`: what is in the inbox, for an operator. It runs as the service's own role, which can neither change a message nor delete one, and
//! beside the running broker, which takes what is due from the database.

use anyhow::{Context as _, Result, bail, ensure};
use chrono::DateTime;
use runtime::{Clock as _, SystemClock, option};
use serde_json::json;
use storage::Pool;
use uuid::Uuid;

use super::store;
use crate::config::Config;

/// Its name.
pub const NAME: &str = "webhooks";
/// Its help.
pub const HELP: &str = "list [--state rejected|pending|delivered|ignored] [--limit N] [--after ID] | redeliver --id ID: what came in, and a rejected \
                        one once more";

/// Messages of a page, unless it is said otherwise.
const PAGE: i64 = 100;
/// Messages of a page at most.
const MAX_PAGE: i64 = 1_000;

/// Runs it.
pub async fn run(config: &Config, arguments: &[String]) -> Result<()> {
    let (action, options) = arguments.split_first().context("say `list` or `redeliver`")?;
    match action.as_str() {
        "list" => list(&pool(config)?, options).await,
        "redeliver" => redeliver(&pool(config)?, options).await,
        other => bail!("`webhooks {other}` is neither `webhooks list` nor `webhooks redeliver`"),
    }
}

/// One line of JSON a message, oldest first, without the message itself.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn list(pool: &Pool, options: &[String]) -> Result<()> {
    // Default: what waits for a person.
    let state = option(options, "--state").unwrap_or("rejected");
    ensure!(
        ["rejected", "pending", "delivered", "ignored"].contains(&state),
        "--state is none of rejected, pending, delivered, ignored"
    );
    let limit = option(options, "--limit").map_or(Ok(PAGE), str::parse).context("--limit is not a number")?;
    ensure!((1..=MAX_PAGE).contains(&limit), "--limit is not between 1 and {MAX_PAGE}");
    let after = option(options, "--after").map_or(Ok(Uuid::nil()), str::parse).context("--after is not an id")?;
    let mut db = storage::connection(pool).await?;
    for message in store::list(&mut db, state, after, limit).await? {
        let line = json!({
            "id": message.id,
            "provider": message.provider,
            "event_id": message.event_id,
            "kind": message.kind,
            "state": message.state,
            "attempts": message.attempts,
            "reopened": message.reopened,
            "received_at": message.received_at,
            "settled_at": message.settled_at,
            "last_error": message.last_error,
        });
        println!("{line}");
    }
    Ok(())
}

/// Puts a rejected message back into the queue, however often that was done before.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn redeliver(pool: &Pool, options: &[String]) -> Result<()> {
    let id: Uuid = option(options, "--id").context("--id is missing")?.parse().context("--id is not an id")?;
    let now = DateTime::from_timestamp_millis(SystemClock.unix_millis()).context("the clock")?;
    let mut db = storage::connection(pool).await?;
    ensure!(store::reopen(&mut db, id, i32::MAX, now).await?, "there is no rejected webhook {id}");
    println!("{id}: back in the queue");
    Ok(())
}

fn pool(config: &Config) -> Result<Pool> {
    let database = config.common.database.as_ref().context("the configuration has no [database]")?;
    Ok(storage::pool(&crypto::files::read_secret_text(&database.url_file)?, 1)?)
}
