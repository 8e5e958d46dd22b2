//! A store that processes share, with a memory of this process beside it: for routes that go on where the store cannot tell.
//!
//! What is used up at the store is noted here, too, and first. So a process that is left alone knows all that was used at it, which is what it would know had there never
//! been a store (docs/adr/0004). What is counted here begins when the store is gone: each process then gives what it may give, and no more.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::redis::RedisStore;
use super::{Claim, Claimed, Counters, MemoryCounters, MemoryOnce, Once};
use crate::rate::{Allowance, Demand, Moment, Reading, Refund, Taken};

/// Both.
pub struct Beside {
    shared: Arc<RedisStore>,
    used_here: Arc<MemoryOnce>,
    counted_here: Arc<MemoryCounters>,
}

impl Beside {
    /// The store, and what this process remembers.
    pub fn new(shared: Arc<RedisStore>, used_here: Arc<MemoryOnce>, counted_here: Arc<MemoryCounters>) -> Self {
        Self { shared, used_here, counted_here }
    }

    /// What the store says, and what this process. First this one: what it knows to be used is used, whatever a store says that was away, or has
    /// forgotten; and who hangs up meanwhile leaves nothing that only the store knows.
    async fn use_up(&self, claim: &Claim<'_>) -> (Claimed, Claimed) {
        match self.used_here.claim(claim).await {
            Claimed::Again => (Claimed::Again, Claimed::Again),
            here => (self.shared.claim(claim).await, here),
        }
    }
}

impl Once for Beside {
    fn claim<'a>(&'a self, claim: &'a Claim<'a>) -> BoxFuture<'a, Claimed> {
        Box::pin(async { self.use_up(claim).await.0 })
    }

    fn claim_alone<'a>(&'a self, claim: &'a Claim<'a>) -> BoxFuture<'a, Claimed> {
        Box::pin(async {
            match self.use_up(claim).await {
                (Claimed::Unknown(_), here) => here,
                (shared, _) => shared,
            }
        })
    }
}

impl Counters for Beside {
    fn examine<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        self.shared.examine(demands, now)
    }

    fn take<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        self.shared.take(demands, now)
    }

    fn examine_alone<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        Box::pin(async move {
            match self.shared.examine(demands, now).await {
                Allowance::Unknown(_) => self.counted_here.examine(demands, now).await,
                told => told,
            }
        })
    }

    fn take_alone<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        Box::pin(async move {
            match self.shared.take(demands, now).await {
                Allowance::Unknown(_) => alone(self.counted_here.take(demands, now).await),
                told => told,
            }
        })
    }

    /// What the store cannot note is noted here, where those look who go on alone.
    fn charge<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Result<Vec<Taken>, &'static str>> {
        Box::pin(async move {
            match self.shared.charge(demands, now).await {
                Err(_) => {
                    let taken = self.counted_here.charge(demands, now).await?;
                    Ok(taken.into_iter().map(Taken::alone).collect())
                }
                noted => noted,
            }
        })
    }

    /// Each goes back to where it was taken: the other one would be given what nobody has taken of it.
    fn give_back<'a>(&'a self, refunds: &'a [Refund<'a>], now: Moment) -> BoxFuture<'a, Result<(), &'static str>> {
        Box::pin(async move {
            let (here, there): (Vec<_>, Vec<_>) = refunds.iter().copied().partition(|refund| refund.taken.is_alone());
            if !here.is_empty() {
                self.counted_here.give_back(&here, now).await?;
            }
            if there.is_empty() { Ok(()) } else { self.shared.give_back(&there, now).await }
        })
    }
}

/// What was taken of these was taken in the memory of the process.
fn alone(allowance: Allowance) -> Allowance {
    let of = |readings: Vec<Reading>| {
        readings.into_iter().map(|reading| Reading { taken: reading.taken.alone(), ..reading }).collect()
    };
    match allowance {
        Allowance::Within(readings) => Allowance::Within(of(readings)),
        other => other,
    }
}
