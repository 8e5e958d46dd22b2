//! `broker webhooks`: what is in the inbox, for an operator. It runs as the service's own role, which can neither change a message nor delete one, and
//! beside the running broker, which takes what is due from the database.

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use runtime::{Clock as _, SystemClock};
use serde_json::json;
use storage::Pool;

use super::store::{self, MessageState};
use crate::config::Config;
use crate::ids::MessageId;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// List messages, oldest first, a line of JSON each
    List {
        /// Those that wait for a person, unless it is said otherwise
        #[arg(long, value_enum, default_value_t = MessageState::Rejected)]
        state: MessageState,
        /// How many of them
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1_000))]
        limit: i64,
        /// Those after this one
        #[arg(long, value_name = "ID", default_value_t = MessageId::from_bytes([0; 16]), hide_default_value = true)]
        after: MessageId,
    },
    /// Await those once more that were delivered, for a ledger whose database was restored: what their providers send again goes to it again
    AwaitAgain {
        /// Those that were delivered since then, whenever they came
        #[arg(long, value_name = "TIME")]
        since: DateTime<Utc>,
    },
    /// Put a rejected one back into the queue
    Redeliver {
        /// The message
        #[arg(long)]
        id: MessageId,
    },
}
pub async fn run(config: &Config, action: Action) -> Result<()> {
    let pool = pool(config)?;
    match action {
        Action::List { state, limit, after } => list(&pool, state, limit, after).await,
        Action::AwaitAgain { since } => await_again(&pool, since).await,
        Action::Redeliver { id } => redeliver(&pool, id).await,
    }
}

/// One line of JSON a message, oldest first, without the message itself.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn list(pool: &Pool, state: MessageState, limit: i64, after: MessageId) -> Result<()> {
    let mut db = storage::connection(pool).await?;
    for message in store::list(&mut db, state, after, limit).await? {
        let line = json!({
            "id": message.id,
            "provider": message.provider,
            "event_id": message.event_id,
            "kind": message.kind,
            "state": message.state.0.as_ref(),
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
async fn redeliver(pool: &Pool, id: MessageId) -> Result<()> {
    let now = DateTime::from_timestamp_millis(SystemClock.unix_millis()).context("the clock")?;
    let mut db = storage::connection(pool).await?;
    ensure!(store::reopen(&mut db, id, i32::MAX, now).await?, "there is no rejected webhook {id}");
    println!("{id}: back in the queue");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn await_again(pool: &Pool, since: DateTime<Utc>) -> Result<()> {
    let mut db = storage::connection(pool).await?;
    println!("{} are awaited once more", store::await_again(&mut db, since).await?);
    Ok(())
}

fn pool(config: &Config) -> Result<Pool> {
    let database = config.common.database.as_ref().context("the configuration has no [database]")?;
    Ok(storage::pool(&crypto::files::read_secret_text(&database.url_file)?, 1)?)
}
