//! Load: many calls at once over HTTPS, each with everything that a phone sends, for `cargo xtask bench`.
//!
//! The senders are hooked phones, so that the load generator is thin: they make both proofs and the signature of every
//! request and do not check the answers' signatures. It shares the machine with what it measures and reports its own CPU
//! time, so that a reader can take it off.

mod judging;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use api::Amount;
use api::accounts::Account;
use api::attestation::App;
use api::transfers::PostTransfer;
use crypto::p256::SigningKey;
use mobile_sdk::{IdempotencyKey, Store};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use testkit::browser::Person;
use testkit::phone::android::DeviceProfile;
use testkit::pki::Pki;
use tokio::task::JoinSet;
use url::Url;

pub use judging::{Bare, Judge, Pace, Scores, Told};

use crate::hooked::{Forged, Hooked};
use crate::journey;
use crate::phone::Phone;
use crate::stack::Stack;

/// People, each with a phone and an account; every transfer goes from one of them to another.
const PEOPLE: usize = 8;
/// Bytes of what a phone signs for a `DPoP` proof, about.
const PROOF: usize = 600;

/// What is measured; one on each line of the input.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// Calls to the ledger.
    Calls(Load),
    /// Payments that behavior is told of.
    Told(Told),
    /// Payments that behavior is asked about.
    Scores(Scores),
    /// The same calls to behavior with nothing to do: whether it is ready.
    Bare(Bare),
    /// What verifying one ES256 signature costs here, on all cores at once.
    Verification {
        /// Seconds that are measured.
        seconds: u64,
    },
}

/// Calls of one kind.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Which.
    pub call: Call,
    /// Calls that wait for their answer at any moment (closed loop), on as many connections.
    pub in_flight: usize,
    /// Seconds that are measured, after a fifth as much that is not.
    pub seconds: u64,
    /// Past the edge, if there is one: to the ledger's own listener.
    #[serde(default)]
    pub direct: bool,
}

/// A kind of call.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `POST /v1/transfers`.
    Transfer,
    /// `GET /v1/accounts/{id}`.
    Read,
}

/// What came of a load.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Calls that were answered as they should, also before it was measured.
    pub all_calls: usize,
    /// Those while it was measured.
    pub calls: usize,
    /// Calls per second.
    pub per_second: f64,
    /// Middle of the time from the first byte of the request to the whole answer, the making of proofs not included.
    pub p50_millis: f64,
    /// One in a hundred waited longer.
    pub p99_millis: f64,
    /// CPU time of this process while it was measured.
    pub cpu_seconds: f64,
}

/// People who send as fast as they can.
pub struct Crowd {
    stack: Stack,
    http: reqwest::Client,
    people: Vec<Owner>,
}

/// Somebody with a phone, which is in their hands.
struct Owner {
    key: Arc<SigningKey>,
    app: App,
    store: Arc<dyn Store>,
    account: Account,
}

/// What all that are in flight share.
struct Senders {
    http: reqwest::Client,
    load: Load,
    /// The ledger's own listener, where the edge is passed by.
    direct: Option<Url>,
    people: Vec<(Hooked, Account)>,
}

impl Crowd {
    /// Enrolls phones, opens accounts, and fills them.
    pub async fn gather(stack: Stack) -> Result<Self> {
        let http = testkit::server::app_client(&Pki::create(&stack.pki)?)?;
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let person = Person {
                email: format!("load-{number}-{}@example.com", crypto::random::token(6).to_lowercase()),
                password: format!("{} battery staple", crypto::random::token(12)),
                name: format!("Load {number}"),
                registers: true,
            };
            let (phone, device) = Phone::android(&stack, DeviceProfile::genuine(), person)?;
            phone.client.enroll().await?;
            phone.client.login().await?;
            let account = journey::open(&phone, "Load", "EUR").await?;
            journey::receive(&stack, &phone, &account, "100000.00").await?;
            let key = device.device_key().context("the phone has no device key")?;
            people.push(Owner { key, app: device.app(), store: phone.store, account });
        }
        Ok(Self { stack, http, people })
    }

    /// Drives the running system and reports; an answer that is not the ordinary one ends it.
    pub async fn drive(&self, load: Load) -> Result<Report> {
        ensure!(load.in_flight >= 1 && load.seconds >= 1, "a load needs a call in flight and a second");
        let senders = Arc::new(self.senders(load).await?);
        report(load.in_flight, load.seconds, move |number, turn| {
            let senders = Arc::clone(&senders);
            async move { senders.call(number, turn).await }
        })
        .await
    }

    /// With fresh tokens: they live five minutes.
    async fn senders(&self, load: Load) -> Result<Senders> {
        let mut people = Vec::new();
        for Owner { key, app, store, account } in &self.people {
            let (key, http) = (Arc::clone(key), self.http.clone());
            let hooked = Hooked::take_over(&self.stack, http, key, app.clone(), &**store).await?;
            people.push((hooked, account.clone()));
        }
        let direct = load.direct.then(|| Url::parse(&self.stack.ledger_direct_url)).transpose()?;
        Ok(Senders { http: self.http.clone(), load, direct, people })
    }
}

/// Microseconds of CPU time for each of as many signatures as all cores verify in this time, as they do when they carry a load.
pub async fn verification(seconds: u64) -> Result<f64> {
    let key = SigningKey::generate();
    let message = [7; PROOF];
    let (public, signature) = (key.public(), key.sign(&message));
    let cores = std::thread::available_parallelism()?.get();
    let (began, cpu) = (crate::instant(), cpu_seconds());
    let mut threads = JoinSet::new();
    for _ in 0..cores {
        let public = public.clone();
        threads.spawn_blocking(move || {
            let mut count = 0_u32;
            while began.elapsed() < Duration::from_secs(seconds) {
                public.verify(black_box(&message), black_box(&signature))?;
                count += 1;
            }
            Ok::<_, anyhow::Error>(count)
        });
    }
    let mut count = 0;
    while let Some(ended) = threads.join_next().await {
        count += ended??;
    }
    Ok((cpu_seconds() - cpu) * 1e6 / f64::from(count))
}

/// What comes of as many calls as are in flight, for these seconds and a fifth as many before, that count for nothing.
async fn report<C, A>(in_flight: usize, seconds: u64, call: C) -> Result<Report>
where
    C: Fn(usize, usize) -> A + Clone + Send + 'static,
    A: Future<Output = Result<u32>> + Send,
{
    let warm = closed_loop(in_flight, Duration::from_millis(seconds * 200), call.clone()).await?;
    let (began, cpu) = (crate::instant(), cpu_seconds());
    let micros = closed_loop(in_flight, Duration::from_secs(seconds), call).await?;
    let (seconds, cpu_seconds) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    summary(warm.len() + micros.len(), micros, seconds, cpu_seconds)
}

fn summary(all_calls: usize, mut micros: Vec<u32>, seconds: f64, cpu_seconds: f64) -> Result<Report> {
    micros.sort_unstable();
    let at = |part: usize| micros.get(micros.len() * part / 100).map_or(0.0, |micros| f64::from(*micros) / 1e3);
    Ok(Report {
        all_calls,
        calls: micros.len(),
        per_second: f64::from(u32::try_from(micros.len())?) / seconds,
        p50_millis: at(50),
        p99_millis: at(99),
        cpu_seconds,
    })
}

/// What comes of so many calls a second, each begun when it is due, whether the ones before have their answers or not; a call's time counts from then, so that one
/// who is slow does not keep the others from being counted as slow.
async fn paced<C, A>(per_second: u32, seconds: u64, call: C) -> Result<Report>
where
    C: Fn(usize, usize) -> A + Clone + Send + 'static,
    A: Future<Output = Result<u32>> + Send + 'static,
{
    let calls = usize::try_from(u64::from(per_second) * seconds)?;
    let (began, cpu) = (tokio::time::Instant::now(), cpu_seconds());
    let mut tasks = JoinSet::new();
    for number in 0..calls {
        let due = began + Duration::from_secs_f64(f64::from(u32::try_from(number)?) / f64::from(per_second));
        tokio::time::sleep_until(due).await;
        let call = call(number, 0);
        tasks.spawn(async move {
            call.await?;
            Ok::<_, anyhow::Error>(u32::try_from(due.elapsed().as_micros())?)
        });
    }
    let mut micros = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        micros.push(ended??);
    }
    let seconds = began.elapsed().as_secs_f64();
    summary(calls, micros, seconds, cpu_seconds() - cpu)
}

/// As many tasks as calls in flight; each makes its next when it has its answer. Microseconds of each.
async fn closed_loop<C, A>(in_flight: usize, time: Duration, call: C) -> Result<Vec<u32>>
where
    C: Fn(usize, usize) -> A + Clone + Send + 'static,
    A: Future<Output = Result<u32>> + Send,
{
    let began = crate::instant();
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        let call = call.clone();
        tasks.spawn(async move {
            let mut micros = Vec::new();
            while began.elapsed() < time {
                micros.push(call(number, micros.len()).await?);
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

impl Senders {
    async fn call(&self, number: usize, turn: usize) -> Result<u32> {
        let (from, step) = (number % self.people.len(), 1 + (number + turn) % (self.people.len() - 1));
        let (Some(from), Some(to)) = (self.people.get(from), self.people.get((from + step) % self.people.len())) else {
            bail!("there is nobody to send");
        };
        let (request, expected) = match self.load.call {
            Call::Transfer => (transfer(from, &to.1).await?, 201),
            Call::Read => {
                let path = format!("/v1/accounts/{}", from.1.id);
                (from.0.forge(Method::GET, &path, None, None).await?, 200)
            }
        };
        let request = self.address(request);
        let sent = crate::instant();
        let seen = request.send(&self.http).await?;
        ensure!(seen.status == expected, "a call was answered {seen}");
        Ok(u32::try_from(sent.elapsed().as_micros())?)
    }

    /// To where it is sent. What is signed stays: the name by which the world knows the ledger.
    fn address(&self, mut request: Forged) -> Forged {
        let Some(direct) = &self.direct else { return request };
        let (mut url, authority) = (direct.clone(), request.url.authority().to_owned());
        url.set_path(request.url.path());
        request.url = url;
        request.with("host", authority)
    }
}

async fn transfer((from, account): &(Hooked, Account), to: &Account) -> Result<Forged> {
    let order = PostTransfer {
        from_account: account.id,
        to_account: to.id,
        amount: Amount::new("0.01", "EUR"),
        reference: "load".to_owned(),
    };
    let (order, key) = (serde_json::to_value(order)?, IdempotencyKey::new());
    from.forge(Method::POST, "/v1/transfers", Some(&order), Some(key.as_str())).await
}

/// User and system time of this process, from Linux; zero elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the command's name, which may have spaces: fields 14 and 15 of proc(5), in ticks of 10 ms.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
