//! `ledger restored`: what an operator does after a database was restored, in this order: `list`, `book` each, `open`.

use anyhow::{Context as _, Result, bail, ensure};
use api::Id;
use chrono::{DateTime, SecondsFormat, Utc};
use runtime::{Clients, Clock as _, SystemClock};
use serde_json::json;
use storage::Pool;

use super::book::{self, Line};
use super::compare::{Comparison, compare};
use super::store;
use crate::config::Config;
use crate::payouts::partner::Partner;
use crate::providers::PayoutProviders;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// List orders that partners have and the books do not, and those in suspense, a line of JSON each
    List {
        /// Orders since then: the point that was restored to, and an hour before it
        #[arg(long, value_name = "TIME")]
        since: DateTime<Utc>,
    },
    /// Book one of them, once
    Book {
        /// As for list
        #[arg(long, value_name = "TIME")]
        since: DateTime<Utc>,
        /// The order
        #[arg(long)]
        id: Id,
        /// The account that it was for; without one it is booked off suspense
        #[arg(long, value_name = "ID")]
        account: Option<Id>,
    },
    /// Take customers' orders again, once all that was found is booked
    Open {
        /// As for list, and not after the last order that the books know; where they know none, 1970-01-01T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: DateTime<Utc>,
        /// A partner that cannot list its orders, and whose a person has compared
        #[arg(long, value_name = "PROVIDER")]
        compared: Vec<String>,
    },
}

pub async fn run(config: &Config, action: Action) -> Result<()> {
    let poster = storage::pool(&crypto::files::read_secret_text(&config.poster_url_file)?, 2)?;
    let providers = PayoutProviders::new(&config.broker_url, &config.payout_provider, &config.payout_providers)?;
    let client = Clients::new(config.common.internal.clone()).internal("broker")?;
    let partner = Partner { client, providers };
    match action {
        Action::List { since } => list(&partner, &poster, since).await,
        Action::Book { since, id, account } => book(&partner, &poster, since, id, account).await,
        Action::Open { since, compared } => open(config, &partner, &poster, since, &compared).await,
    }
}

#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn list(partner: &Partner, poster: &Pool, since: DateTime<Utc>) -> Result<()> {
    let Comparison { found, unlisted, .. } = compare(partner, poster, since).await?;
    for order in found {
        let line = json!({
            "state": "not_booked", "provider": order.provider, "id": order.id, "paid": order.paid, "amount": order.amount.to_string(),
            "currency": order.amount.currency().code(), "creditor_name": order.creditor_name, "reference": order.reference,
        });
        println!("{line}");
    }
    let mut db = storage::connection(poster).await?;
    for item in store::unclaimed(&mut db).await? {
        let amount = item.money()?;
        let line = json!({
            "state": "in_suspense", "id": item.id, "amount": amount.to_string(), "currency": amount.currency().code(),
            "creditor_name": item.counterparty, "reference": item.reference,
        });
        println!("{line}");
    }
    for provider in unlisted {
        println!("{}", json!({ "state": "not_compared", "provider": provider }));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn book(partner: &Partner, poster: &Pool, since: DateTime<Utc>, id: Id, account: Option<Id>) -> Result<()> {
    let now = SystemClock.unix_millis();
    let (wanted, account) = (id.into(), account.map(Into::into));
    let mut db = storage::connection(poster).await?;
    let (there, unclaimed) = (store::is_there(&mut db, wanted).await?, store::unclaimed(&mut db).await?);
    drop(db);
    let booked = if let Some(item) = unclaimed.into_iter().find(|item| item.id == wanted) {
        let account = account.context("it is in suspense already: say with --account whose it was")?;
        let line =
            Line { id: wanted, amount: item.money()?, creditor_name: item.counterparty, reference: item.reference };
        book::claim(poster, now, &line, account).await?
    } else {
        ensure!(!there, "the books have {id} already");
        let found = compare(partner, poster, since).await?.found.into_iter().find(|found| found.id == wanted);
        let Some(found) = found else { bail!("no partner has an order {id} that the books lack") };
        let line =
            Line { id: wanted, amount: found.amount, creditor_name: found.creditor_name, reference: found.reference };
        book::found(poster, now, &line, account).await?
    };
    println!("{id}: booked as {}", booked.id);
    Ok(())
}

/// Under the role that migrates: nothing that serves can do it.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
async fn open(
    config: &Config,
    partner: &Partner,
    poster: &Pool,
    since: DateTime<Utc>,
    compared: &[String],
) -> Result<()> {
    let mut books = storage::connection(poster).await?;
    let last = store::last_order(&mut books).await?;
    drop(books);
    let says = last.to_rfc3339_opts(SecondsFormat::Secs, true);
    ensure!(
        since <= last,
        "the last order that the books know is of {says}, and what was forgotten came after it: compare since then, or an hour before"
    );
    let Comparison { found, known, unlisted } = compare(partner, poster, since).await?;
    let missing: Vec<String> = found.iter().map(|found| found.id.to_string()).collect();
    ensure!(missing.is_empty(), "partners have orders that the books lack: {}", missing.join(", "));
    let left: Vec<String> = unlisted.into_iter().filter(|provider| !compared.contains(provider)).collect();
    ensure!(left.is_empty(), "nobody has compared the books with those of {} (--compared)", left.join(", "));
    let migrator = config.common.database.as_ref().and_then(|database| database.migrator_url_file.as_ref());
    let migrator = migrator.context("database.migrator_url_file: the books are opened by the role that migrates")?;
    let migrator = storage::pool(&crypto::files::read_secret_text(migrator)?, 1)?;
    // Before they are open: then they are sent.
    let mut books = storage::connection(poster).await?;
    store::had(&mut books, &known).await?;
    store::doubt(&mut books).await?;
    drop(books);
    let mut db = storage::connection(&migrator).await?;
    store::open(&mut db).await?;
    println!("the books are open");
    Ok(())
}
