//! What all processes of a service remember together, in Redis or Valkey (5 or newer).
//!
//! Keys, for a service `ledger`; the braces keep them on one node of a cluster, where a script needs them:
//!
//! | Key | Type | Members | Scores | Expires |
//! | --- | --- | --- | --- | --- |
//! | `redoubt:{ledger}:limits:<class>` | sorted set | a key's [`Names`](crate::names) (32 bytes) | when all its units will be there again (µs since 1970) | a minute after its last member |
//! | `redoubt:{ledger}:once:<class>` | sorted set | 8 bytes of the owner's name, 32 of the key's | until when it is remembered (ms since 1970) | likewise |
//! | `redoubt:{ledger}:owners:<class>` | hash | 8 bytes of the owner's name | how many keys of the owner are remembered | likewise |
//!
//! A class is one set, and not a key for each member, because it is to be bounded: how many members there are is then exact, and a full class refuses
//! new ones while everything in it goes on counting. A member that counts no more is forgotten by the calls that come after.
//!
//! Each call is one script (`count.lua`, `claim.lua`), which Redis runs alone, by the server's clock.

mod link;

use std::sync::Arc;
use std::time::Duration;

use crypto::{SecretBytes, SecretString};
use futures_util::future::BoxFuture;
use redis::{IntoConnectionInfo as _, RedisError, Value};
use runtime::health::Standing;

use self::link::{Link, Script, Server};
use super::{Claim, Claimed, Counters, Once};
use crate::names::Names;
use crate::rate::{Allowance, Demand, Limit, Moment, Reading, Refund, Taken};

/// Clocks of the processes differ by no more: for so much longer than its own clock says a claim is remembered, so that nobody whose clock is slow
/// accepts the key again.
const SKEW: Duration = Duration::from_secs(10);
/// One owner may take one of so many parts of a class, as in memory.
const PARTS: usize = 16;

/// Bytes of a key that nobody can try.
const NAME_KEY: usize = 32;

/// Which Redis, and how it is used.
pub struct Settings {
    /// `redis://user:password@host:port/database`.
    pub url: SecretString,
    /// How it proves that it is the one, and we prove who we are. Without, whoever is on the way reads the password.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The service: each has keys of its own.
    pub service: &'static str,
    /// 32 random bytes or more that the service's processes have in common: what they call a key nobody else can work out.
    pub name_key: SecretBytes,
    /// Room for so many keys in each class, of [`OnceClass`](super::OnceClass) and of [`LimitClass`](crate::rate::LimitClass).
    pub capacity: usize,
}

/// What is wrong with [`Settings`].
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The URL.
    #[error("the URL of the shared store: {0}")]
    Url(#[from] RedisError),
    /// The key of the names.
    #[error("the shared store's key of names has {0} bytes, and must have {NAME_KEY} or more")]
    NameKey(usize),
}

/// Both stores, on one connection.
pub struct RedisStore {
    link: Link,
    names: Names,
    service: &'static str,
    capacity: usize,
    /// The caller's clock counts, and not the server's: for tests, which set it.
    #[cfg(test)]
    by_our_clock: bool,
}

impl RedisStore {
    /// Begins to connect, on the tokio runtime that this is called from, and goes on for as long as the store lives: until there is a connection
    /// everything is unknown.
    pub fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let name_key = settings.name_key.expose();
        if name_key.len() < NAME_KEY {
            return Err(SettingsError::NameKey(name_key.len()));
        }
        Ok(Self {
            link: Link::open(Server {
                at: settings.url.expose().as_str().into_connection_info()?,
                tls: settings.tls.clone(),
            }),
            names: Names::under(name_key),
            service: settings.service,
            capacity: settings.capacity,
            #[cfg(test)]
            by_our_clock: false,
        })
    }

    /// Waits until there is a connection.
    pub async fn connected(&self) {
        self.link.connected().await;
    }

    /// Whether there is a connection, or in one sentence why not; for readiness.
    pub fn ready(&self) -> Result<(), String> {
        self.link.state().map_err(|broken| format!("the shared store: {broken}"))
    }

    /// The same, and whether there ever was one.
    pub fn standing(&self) -> Standing {
        match self.ready() {
            Ok(()) => Standing::There,
            Err(why) if self.link.was_there() => Standing::Away(why),
            Err(why) => Standing::NeverThere(why),
        }
    }

    fn key(&self, kind: &str, class: &str) -> String {
        format!("redoubt:{{{}}}:{kind}:{class}", self.service)
    }

    #[cfg(test)]
    fn clock(&self, now: i64) -> Vec<u8> {
        if self.by_our_clock { number(&now) } else { Vec::new() }
    }

    /// Nothing: the server's.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests set the clock")]
    fn clock(&self, _: i64) -> Vec<u8> {
        Vec::new()
    }

    async fn use_up(&self, claim: &Claim<'_>) -> Result<Claimed, &'static str> {
        let left = claim.until.checked_sub(claim.now).ok_or("time_out_of_range")?;
        let Ok(left) = u64::try_from(left) else { return Ok(Claimed::Again) };
        // The last second counts to its end.
        let left = Duration::from_secs(left).saturating_add(Duration::from_secs(1)).saturating_add(SKEW);
        let class = claim.class.name();
        let owner = self.names.name(&[b"owner", class.as_bytes(), claim.owner]);
        let owner = owner.first_chunk::<8>().ok_or("a_name_has_32_bytes")?;
        let key = self.names.name(&[b"once", class.as_bytes(), claim.owner, claim.key]);
        let arguments = [
            owner.to_vec(),
            key.to_vec(),
            number(&left.as_millis()),
            number(&self.capacity),
            number(&self.capacity.div_ceil(PARTS)),
            self.clock(claim.now.saturating_mul(1000)),
        ];
        let keys = [self.key("once", class), self.key("owners", class)];
        let read = |answer| match answer {
            Value::Int(0) => Some(Claimed::First),
            Value::Int(1) => Some(Claimed::Again),
            Value::Int(2) => Some(Claimed::Unknown("once_memory_full")),
            _ => None,
        };
        self.link.call(Script::Claim, &keys, &arguments, read).await
    }

    async fn count(&self, mode: &str, demands: &[Demand<'_>], now: Moment) -> Result<Allowance, &'static str> {
        let mut asked = Asked::default();
        for demand in demands {
            let quota = demand.limit.quota();
            if [EXAMINE, TAKE].contains(&mode) && demand.needs > quota.units() {
                return Err("demand_above_quota");
            }
            let time_of = |units| quota.time_of(units).ok_or("time_out_of_range");
            let (needs, takes) = (time_of(demand.needs)?, time_of(demand.takes)?);
            asked.add(self, demand.limit, demand.key, needs, takes);
        }
        self.run(mode, &asked, now, |answer| allowance(demands, &answer)).await
    }

    async fn run<T>(
        &self,
        mode: &str,
        asked: &Asked,
        now: Moment,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, &'static str> {
        let mut arguments = vec![mode.as_bytes().to_vec(), self.clock(now.micros()), number(&self.capacity)];
        arguments.extend_from_slice(&asked.arguments);
        self.link.call(Script::Count, &asked.keys, &arguments, read).await
    }

    async fn take_anyway(&self, demands: &[Demand<'_>], now: Moment) -> Result<Vec<Taken>, &'static str> {
        match self.count(CHARGE, demands, now).await? {
            Allowance::Unknown(reason) => Err(reason),
            Allowance::Within(readings) | Allowance::Exceeded(readings) => {
                Ok(readings.into_iter().map(|reading| reading.taken).collect())
            }
        }
    }

    async fn refund(&self, refunds: &[Refund<'_>], now: Moment) -> Result<(), &'static str> {
        let mut asked = Asked::default();
        for refund in refunds {
            asked.add(self, refund.limit, refund.key, 0, refund.taken.micros());
        }
        let given = |answer| match answer {
            Value::Array(answer) if answer.first() == Some(&Value::Int(0)) => Some(()),
            _ => None,
        };
        self.run(GIVE_BACK, &asked, now, given).await
    }
}

/// What the script is told of each demand.
#[derive(Default)]
struct Asked {
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

impl Asked {
    fn add(&mut self, store: &RedisStore, limit: &Limit, key: &[u8], needs: i64, takes: i64) {
        self.keys.push(store.key("limits", limit.class().name()));
        self.arguments.push(limit.name_of(key, &store.names).to_vec());
        self.arguments.extend([number(&limit.quota().all()), number(&needs), number(&takes)]);
    }
}

const EXAMINE: &str = "examine";
const TAKE: &str = "take";
const CHARGE: &str = "charge";
const GIVE_BACK: &str = "give_back";

/// What the script returned.
fn allowance(demands: &[Demand<'_>], answer: &Value) -> Option<Allowance> {
    let Value::Array(answer) = answer else { return None };
    let (met, times) = answer.split_first()?;
    if *met == Value::Int(2) {
        return Some(Allowance::Unknown("counters_full"));
    }
    let reading = |(demand, times): (&Demand<'_>, &[Value])| match times {
        [Value::Int(wait), Value::Int(full_in), Value::Int(taken)] => {
            Reading::new(demand, *full_in, *wait, Taken::new(*taken))
        }
        _ => None,
    };
    let readings: Vec<_> = demands.iter().zip(times.chunks(3)).map(reading).collect::<Option<_>>()?;
    match (met, readings.len() == demands.len()) {
        (Value::Int(0), true) => Some(Allowance::Within(readings)),
        (Value::Int(1), true) => Some(Allowance::Exceeded(readings)),
        _ => None,
    }
}

fn number(number: &impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

impl Once for RedisStore {
    fn claim<'a>(&'a self, claim: &'a Claim<'a>) -> BoxFuture<'a, Claimed> {
        Box::pin(async move { self.use_up(claim).await.into() })
    }
}

impl Counters for RedisStore {
    fn examine<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        Box::pin(async move { self.count(EXAMINE, demands, now).await.into() })
    }

    fn take<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        Box::pin(async move { self.count(TAKE, demands, now).await.into() })
    }

    fn charge<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Result<Vec<Taken>, &'static str>> {
        Box::pin(self.take_anyway(demands, now))
    }

    fn give_back<'a>(&'a self, refunds: &'a [Refund<'a>], now: Moment) -> BoxFuture<'a, Result<(), &'static str>> {
        Box::pin(self.refund(refunds, now))
    }
}

#[cfg(test)]
mod agreement_tests;
#[cfg(test)]
pub(crate) mod tests;
