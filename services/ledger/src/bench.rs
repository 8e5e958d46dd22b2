//! The posting engine under load, in process: no HTTP, no tokens, everything else as in production (roles, triggers, row-level security,
//! idempotency). `cargo xtask bench ledger` and `examples/bench.rs` print what it finds beside pgbench.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chrono::DateTime;
use crypto::SecretString;
use money::{Currency, Money};
use runtime::{Clock, Shutdown, SystemClock};
use serde::{Deserialize, Serialize};
use storage::Pool;
use tokio::task::JoinSet;

use crate::accounts::store::{self, NewAccount};
use crate::config::Posting;
use crate::error::Error;
use crate::ids::{AccountId, IdempotencyKey, Owner, Subject};
use crate::posting::committer::{SIDE_LANES, Sizes};
use crate::posting::{
    Actor, Answer, Command, Committer, Extra, Fingerprint, Kind, Order, Outcome, Purpose, system_account,
};

/// Accounts of one owner: as many as the database lets one have.
const PER_OWNER: usize = 1_000;
/// What each account starts with, in cents.
const START: i64 = 1_000_000_000;

/// What is driven, and how hard.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    pub accounts: usize,
    /// Transfers that wait for their answer at any moment (closed loop).
    pub in_flight: usize,
    /// Seconds that are measured, after a fifth as much that is not.
    pub seconds: u64,
    /// Every transfer debits one and the same account, instead of any.
    pub hot: bool,
    pub posting: Posting,
}

impl Default for Load {
    fn default() -> Self {
        Self { accounts: 10_000, in_flight: 256, seconds: 10, hot: false, posting: Posting::default() }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub load: Load,
    /// Transfers that were posted while it was measured.
    pub transfers: u64,
    /// How long that took.
    pub seconds: f64,
    /// Transfers per second.
    pub per_second: f64,
    /// Middle of the time from order to answer.
    pub p50_millis: f64,
    /// One in a hundred waited longer.
    pub p99_millis: f64,
    /// CPU time of this process while it was measured; PostgreSQL's is its own.
    pub cpu_seconds: f64,
    /// All invariants hold afterwards, counted by the database.
    pub invariants_hold: bool,
}

/// Drives the engine against a migrated database and reports. `app_url` opens the accounts, `poster_url` posts.
pub async fn engine(app_url: &SecretString, poster_url: &SecretString, load: Load) -> Result<Report> {
    ensure!(load.accounts >= 2 && load.in_flight >= 1, "a bench needs two accounts and one transfer in flight");
    let poster = storage::pool(poster_url, load.posting.lanes + SIDE_LANES + 1)?;
    let accounts = Arc::new(open(&storage::pool(app_url, 1)?, load.accounts).await?);
    let sizes =
        Sizes { queue: load.in_flight.max(load.posting.queue), batch: load.posting.batch, lanes: load.posting.lanes };
    let (committer, work) = Committer::new(poster.clone(), Arc::new(SystemClock), sizes);
    let (stop, shutdown) = Shutdown::channel();
    let working = tokio::spawn(work.run(shutdown));
    fund(&committer, &accounts).await?;
    drive(&committer, &accounts, &load, Duration::from_millis(load.seconds * 200)).await?;
    let cpu = cpu_seconds();
    let measured = drive(&committer, &accounts, &load, Duration::from_secs(load.seconds)).await?;
    let cpu_seconds = cpu_seconds() - cpu;
    stop.request();
    working.await??;
    // As long as it takes, but not for ever.
    let patience = Duration::from_mins(5);
    let found = crate::invariants::store::count(&mut *storage::connection(&poster).await?, patience).await?;
    ensure!(found.checked_transfers >= found.transfers, "the books could not be checked to the end: {found:?}");
    Ok(measured.report(load, cpu_seconds, found.hold))
}

struct Measured {
    seconds: f64,
    micros: Vec<u64>,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn report(mut self, load: Load, cpu_seconds: f64, invariants_hold: bool) -> Report {
        self.micros.sort_unstable();
        // Default: nothing was measured.
        let at = |part: usize| self.micros.get(self.micros.len() * part / 100).map_or(0.0, |us| *us as f64 / 1000.0);
        let transfers = self.micros.len() as u64;
        Report {
            load,
            transfers,
            seconds: self.seconds,
            per_second: transfers as f64 / self.seconds,
            p50_millis: at(50),
            p99_millis: at(99),
            cpu_seconds,
            invariants_hold,
        }
    }
}

/// Closed loop: as many tasks as transfers in flight, each sends its next when it has its answer.
async fn drive(committer: &Committer, accounts: &Arc<Vec<Account>>, load: &Load, time: Duration) -> Result<Measured> {
    let begin = now();
    let mut senders = JoinSet::new();
    for sender in 0..load.in_flight {
        let (committer, accounts, hot) = (committer.clone(), Arc::clone(accounts), load.hot);
        senders.spawn(async move {
            let mut micros = Vec::new();
            let mut random = Random::new(sender as u64);
            while begin.elapsed() < time {
                let (Some(from), Some(to)) = pair(&accounts, hot, &mut random) else { bail!("there are no accounts") };
                let sent = now();
                post(&committer, Kind::Transfer, Actor::Customer(from.owner.clone()), from.id, to.id, 1).await?;
                // Default: longer than any run.
                micros.push(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            Ok::<_, anyhow::Error>(micros)
        });
    }
    let mut micros = Vec::new();
    while let Some(ended) = senders.join_next().await {
        micros.extend(ended??);
    }
    Ok(Measured { seconds: begin.elapsed().as_secs_f64(), micros })
}

fn pair<'a>(accounts: &'a [Account], hot: bool, random: &mut Random) -> (Option<&'a Account>, Option<&'a Account>) {
    let count = accounts.len();
    let from = if hot { 0 } else { random.below(count) };
    let to = (from + 1 + random.below(count - 1)) % count;
    (accounts.get(from), accounts.get(to))
}

async fn post(
    committer: &Committer,
    kind: Kind,
    actor: Actor,
    from: AccountId,
    to: AccountId,
    minor: i64,
) -> Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let key = format!("{}-{}", crypto::random::token(12), NEXT.fetch_add(1, Ordering::Relaxed));
    let owner = match &actor {
        Actor::Customer(subject) => subject.into(),
        Actor::House => Owner::of("bench"),
    };
    let order = Order {
        owner,
        key: IdempotencyKey::of(&key),
        fingerprint: Fingerprint::of(&[from.as_bytes(), to.as_bytes()]),
        command: Command::between(kind, actor, from, to, Money::new(minor, Currency::EUR))?,
        reference: "bench".to_owned(),
        counterparty: String::new(),
        extra: Extra::Nothing,
    };
    match committer.submit(order).await? {
        Answer::Decided(Outcome::Posted(_)) => Ok(()),
        other => bail!("a transfer was answered {other:?}"),
    }
}

/// An account and whose it is.
struct Account {
    id: AccountId,
    owner: Subject,
}

async fn open(pool: &Pool, count: usize) -> Result<Vec<Account>> {
    let opened_at = DateTime::from_timestamp_millis(SystemClock.unix_millis()).context("the clock")?;
    // Owners of this run's own: those of the one before have as many accounts as one may have.
    let run = crypto::random::token(8);
    let account = |number: usize| Account {
        id: storage::ids::new(opened_at.timestamp_millis()).into(),
        owner: Subject::of(&format!("bench-{run}-{}", number / PER_OWNER)),
    };
    let accounts: Vec<Account> = (0..count).map(account).collect();
    for accounts in accounts.chunks(PER_OWNER) {
        let Some(Account { owner, .. }) = accounts.first() else { bail!("an owner without accounts") };
        storage::subject_transaction(pool, "bench.open", owner.as_str(), async |db| {
            let row =
                |account: &Account| NewAccount { id: account.id, currency: "EUR", owner, name: "bench", opened_at };
            let rows: Vec<NewAccount<'_>> = accounts.iter().map(row).collect();
            Ok::<_, Error>(store::insert(db, &rows).await?)
        })
        .await?;
    }
    Ok(accounts)
}

async fn fund(committer: &Committer, accounts: &[Account]) -> Result<()> {
    let settlement = system_account(Purpose::Settlement, Currency::EUR);
    for accounts in accounts.chunks(512) {
        let deposits = accounts.iter().map(|to| post(committer, Kind::Deposit, Actor::House, settlement, to.id, START));
        futures_util::future::try_join_all(deposits).await?;
    }
    Ok(())
}

/// xorshift: which account comes next need not be a secret.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // Default: any number will do; on 64 bits it fits.
        usize::try_from(self.0 >> 16).unwrap_or(0) % limit.max(1)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is what measures")]
fn now() -> Instant {
    Instant::now()
}

/// User and system time of this process, from Linux; zero elsewhere.
fn cpu_seconds() -> f64 {
    // Lost: where there is no such file.
    // Default: no time.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the command's name, which may have spaces: fields 14 and 15 of proc(5), in ticks of 10 ms.
    // Default: likewise.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
