//! Load: many transfers at once over HTTPS, each with everything that a phone sends, for `cargo xtask bench ledger`.
//!
//! The senders are hooked phones, so that the load generator is thin: they make both proofs and the signature of every
//! request and do not check the answers' signatures. It shares the machine with what it measures and reports its own CPU
//! time, so that a reader can take it off.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use api::Amount;
use api::accounts::Account;
use api::transfers::PostTransfer;
use mobile_sdk::IdempotencyKey;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use testkit::phone::android::DeviceProfile;
use testkit::pki::Pki;
use tokio::task::JoinSet;

use crate::browser::Person;
use crate::hooked::Hooked;
use crate::journey;
use crate::phone::Phone;
use crate::stack::Stack;

/// People, each with a phone and an account; every transfer goes from one of them to another.
const PEOPLE: usize = 8;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Transfers that wait for their answer at any moment (closed loop), on as many connections.
    pub in_flight: usize,
    /// Seconds that are measured, after a fifth as much that is not.
    pub seconds: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Transfers that were answered as posted, also before it was measured.
    pub all_transfers: usize,
    /// Those while it was measured.
    pub transfers: usize,
    /// Transfers per second.
    pub per_second: f64,
    /// Middle of the time from the first byte of the request to the whole answer, the making of proofs not included.
    pub p50_millis: f64,
    /// One in a hundred waited longer.
    pub p99_millis: f64,
    /// CPU time of this process while it was measured.
    pub cpu_seconds: f64,
}

/// A person's phone in the hands of somebody who sends with it as fast as they can.
struct Sender {
    http: reqwest::Client,
    hooked: Hooked,
    account: Account,
}

/// Drives the running system and reports; anything but a posted transfer ends it.
pub async fn drive(load: &Load) -> Result<Report> {
    ensure!(load.in_flight >= 1 && load.seconds >= 1, "a load needs a transfer in flight and a second");
    let stack = Stack::from_environment()?;
    let senders = Arc::new(senders(&stack).await?);
    let warm = closed_loop(&senders, load.in_flight, Duration::from_millis(load.seconds * 200)).await?;
    let (began, cpu) = (crate::instant(), cpu_seconds());
    let mut micros = closed_loop(&senders, load.in_flight, Duration::from_secs(load.seconds)).await?;
    let (seconds, cpu_seconds) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    micros.sort_unstable();
    let at = |part: usize| micros.get(micros.len() * part / 100).map_or(0.0, |micros| f64::from(*micros) / 1e3);
    Ok(Report {
        all_transfers: warm.len() + micros.len(),
        transfers: micros.len(),
        per_second: f64::from(u32::try_from(micros.len())?) / seconds,
        p50_millis: at(50),
        p99_millis: at(99),
        cpu_seconds,
    })
}

async fn senders(stack: &Stack) -> Result<Vec<Sender>> {
    let http = testkit::server::app_client(&Pki::create(&stack.pki)?)?;
    let mut senders = Vec::new();
    for number in 0..PEOPLE {
        let person = Person {
            email: format!("load-{number}-{}@example.com", crypto::random::token(6).to_lowercase()),
            password: format!("{} battery staple", crypto::random::token(12)),
            name: format!("Load {number}"),
            registers: true,
        };
        let (phone, device) = Phone::android(stack, DeviceProfile::genuine(), person)?;
        phone.client.enroll().await?;
        phone.client.login().await?;
        let account = journey::open(&phone, "Load", "EUR").await?;
        journey::receive(stack, &phone, &account, "100000.00").await?;
        let key = device.device_key().context("the phone has no device key")?;
        let hooked = Hooked::take_over(stack, http.clone(), key, device.app(), &*phone.store).await?;
        senders.push(Sender { http: http.clone(), hooked, account });
    }
    Ok(senders)
}

/// As many tasks as transfers in flight; each sends its next when it has its answer. Microseconds of each.
async fn closed_loop(senders: &Arc<Vec<Sender>>, in_flight: usize, time: Duration) -> Result<Vec<u32>> {
    let began = crate::instant();
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        let senders = Arc::clone(senders);
        tasks.spawn(async move {
            let mut micros = Vec::new();
            while began.elapsed() < time {
                micros.push(transfer(&senders, number, micros.len()).await?);
            }
            Ok::<_, anyhow::Error>(micros)
        });
    }
    let mut micros = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        micros.extend(ended??);
    }
    Ok(micros)
}

async fn transfer(senders: &[Sender], number: usize, turn: usize) -> Result<u32> {
    let (from, step) = (number % senders.len(), 1 + (number + turn) % (senders.len() - 1));
    let (Some(from), Some(to)) = (senders.get(from), senders.get((from + step) % senders.len())) else {
        bail!("there is nobody to send");
    };
    let order = PostTransfer {
        from_account: from.account.id,
        to_account: to.account.id,
        amount: Amount::new("0.01", "EUR"),
        reference: "load".to_owned(),
    };
    let (order, key): (Value, _) = (serde_json::to_value(order)?, IdempotencyKey::new());
    let request = from.hooked.forge(Method::POST, "/v1/transfers", Some(&order), Some(key.as_str())).await?;
    let sent = crate::instant();
    let seen = request.send(&from.http).await?;
    ensure!(seen.status == 201, "a transfer was answered {seen}");
    Ok(u32::try_from(sent.elapsed().as_micros())?)
}

/// User and system time of this process, from Linux; zero elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the command's name, which may have spaces: fields 14 and 15 of proc(5), in ticks of 10 ms.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
