//! How many have failed: of what somebody says who they are, of a network, of a device.

use std::sync::Arc;

use runtime::Clock;

use super::{Action, Attempt, CaptchaConfig, Level, Outcome};
use crate::rate::{Allowance, Demand, Limit, LimitClass, Moment, Reading, SteadyClock, Taken};
use crate::stores::Counters;

/// Units of a failure. It drains a budget four times as fast as a success does.
const FAILED: u32 = 4;
/// Units of a success. Many that succeed from one network are no household either.
const PASSED: u32 = 1;

/// One budget in two sizes.
struct Pair {
    first: Limit,
    second: Limit,
}

pub(super) struct Budgets {
    counters: Arc<dyn Counters>,
    identifier: Pair,
    network: Pair,
    device: Pair,
    clock: SteadyClock,
}

/// What was taken of an attempt's budgets before it was known what becomes of it, in the order in which [`both`] has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reserved(Vec<Taken>);

/// A key of an attempt: the bytes that it is counted under.
struct Key<'a> {
    pair: &'a Pair,
    bytes: Vec<u8>,
}

impl Budgets {
    pub(super) fn new(
        counters: Arc<dyn Counters>,
        config: &CaptchaConfig,
        clock: &dyn Clock,
    ) -> Result<Self, &'static str> {
        let limit =
            |name, class, rate: crate::config::Rate| Ok::<_, &str>(Limit::new(name, class, rate.quota()?).hidden());
        let (identifier, network, device) = (LimitClass::Identifier, LimitClass::AddressNetwork, LimitClass::Instance);
        Ok(Self {
            counters,
            identifier: Pair {
                first: limit("captcha", identifier, config.identifier)?,
                second: limit("captcha-harder", identifier, config.identifier_harder)?,
            },
            network: Pair {
                first: limit("captcha", network, config.network)?,
                second: limit("captcha-harder", network, config.network_harder)?,
            },
            device: Pair {
                first: limit("captcha", device, config.device)?,
                second: limit("captcha-harder", device, config.device_harder)?,
            },
            clock: SteadyClock::of(clock),
        })
    }

    /// How much is asked of somebody who tries this now.
    pub(super) async fn level(&self, attempt: &Attempt) -> Result<Level, &'static str> {
        let keys = self.keys(attempt);
        let demands = both(&keys, |limit, key| Demand::left(limit, &key.bytes));
        asked(&keys, self.counters.examine(&demands, self.clock.now()).await)
    }

    /// Takes the price of a failure from whoever has answered what that level asks, before it is known whether they fail, and says what that was: nothing
    /// of a budget that is as deep in debt as can be. If more is asked by now, takes nothing and says how much: so of many that try at once no more pass
    /// than would one after the other.
    pub(super) async fn reserve(
        &self,
        attempt: &Attempt,
        level: Level,
    ) -> Result<Result<Reserved, Level>, &'static str> {
        let (keys, now) = (self.keys(attempt), self.clock.now());
        // Whose budget is spent has answered for it, and goes into debt.
        let taken = match level {
            Level::Nothing => self.take(&keys, &both(&keys, failure), now).await?,
            Level::Captcha => {
                let there = second(&keys, failure);
                match self.take(&keys, &there, now).await? {
                    Ok(of_second) => Ok(self.take_first_too(&keys, &there, of_second, now).await?),
                    more => more,
                }
            }
            Level::Harder => Ok(self.counters.charge(&both(&keys, failure), now).await?),
        };
        Ok(taken.map(Reserved).map_err(|more| more.max(level)))
    }

    /// What was taken of these, if all of it is there; else how much is asked.
    async fn take(
        &self,
        keys: &[Key<'_>],
        demands: &[Demand<'_>],
        now: Moment,
    ) -> Result<Result<Vec<Taken>, Level>, &'static str> {
        match self.counters.take(demands, now).await {
            Allowance::Within(readings) => Ok(Ok(readings.into_iter().map(|reading| reading.taken).collect())),
            Allowance::Exceeded(readings) => Ok(Err(level_of(keys, &readings))),
            Allowance::Unknown(reason) => Err(reason),
        }
    }

    /// The price is taken of the second of each pair. It is of the first, too, or goes back: both or nothing.
    async fn take_first_too(
        &self,
        keys: &[Key<'_>],
        there: &[Demand<'_>],
        of_second: Vec<Taken>,
        now: Moment,
    ) -> Result<Vec<Taken>, &'static str> {
        match self.counters.charge(&first(keys, failure), now).await {
            Ok(of_first) => Ok(of_first.into_iter().zip(of_second).flat_map(<[Taken; 2]>::from).collect()),
            Err(reason) => {
                let refunds = there.iter().zip(of_second).map(|(demand, taken)| demand.refund(taken));
                self.counters.give_back(&refunds.collect::<Vec<_>>(), now).await?;
                Err(reason)
            }
        }
    }

    /// Gives back what was reserved, but for what the outcome costs.
    pub(super) async fn give_back(
        &self,
        attempt: &Attempt,
        reserved: &Reserved,
        outcome: Option<Outcome>,
    ) -> Result<(), &'static str> {
        let keys = self.keys(attempt);
        let owed = |limit: &Limit, key: &Key<'_>| {
            // Default: of what has no outcome nothing is owed.
            let units = outcome.map_or(0, |outcome| self.price(attempt, outcome, key));
            // Default: all that there can be, which leaves nothing to give back.
            limit.quota().time_of(units).unwrap_or(i64::MAX)
        };
        let demands = both(&keys, |limit, key| (failure(limit, key), owed(limit, key)));
        let refunds = demands.iter().zip(&reserved.0).map(|((demand, owed), taken)| demand.refund(taken.less(*owed)));
        let refunds: Vec<_> = refunds.collect();
        self.counters.give_back(&refunds, self.clock.now()).await
    }

    /// Takes what an outcome costs of which nothing was reserved.
    pub(super) async fn charge(&self, attempt: &Attempt, outcome: Outcome) -> Result<(), &'static str> {
        let keys = self.keys(attempt);
        let demands = both(&keys, |limit, key| Demand::units(limit, &key.bytes, self.price(attempt, outcome, key)));
        self.counters.charge(&demands, self.clock.now()).await.map(drop)
    }

    fn price(&self, attempt: &Attempt, outcome: Outcome, key: &Key<'_>) -> u32 {
        match (attempt.action, outcome) {
            (_, Outcome::Failed) => FAILED,
            // Of what is typed only failures count: else whoever has failed with an address sees whether its owner logs in meanwhile.
            _ if std::ptr::eq(key.pair, &raw const self.identifier) => 0,
            (Action::LogIn, Outcome::Passed) => PASSED,
            (Action::Register, Outcome::Passed) => FAILED,
        }
    }

    /// Of an attested device its own failures count, and nobody else's: who attacks its owner does not trouble it.
    fn keys(&self, attempt: &Attempt) -> Vec<Key<'_>> {
        if let Some(instance) = &attempt.instance {
            return vec![Key { pair: &self.device, bytes: instance.as_str().as_bytes().to_vec() }];
        }
        let identifier = [attempt.action.name().as_bytes(), &attempt.identifier].concat();
        vec![
            Key { pair: &self.identifier, bytes: identifier },
            Key { pair: &self.network, bytes: attempt.network().as_bytes().to_vec() },
        ]
    }
}

/// The price of a failure, which is demanded before it is known whether it is one.
fn failure<'a>(limit: &'a Limit, key: &'a Key<'_>) -> Demand<'a> {
    Demand::reserved(limit, &key.bytes, FAILED)
}

/// Of each key the first of its pair, and then the second.
fn both<'a, T>(keys: &'a [Key<'a>], demand: impl Fn(&'a Limit, &'a Key<'a>) -> T) -> Vec<T> {
    keys.iter().flat_map(|key| [demand(&key.pair.first, key), demand(&key.pair.second, key)]).collect()
}

fn first<'a>(keys: &'a [Key<'a>], demand: impl Fn(&'a Limit, &'a Key<'a>) -> Demand<'a>) -> Vec<Demand<'a>> {
    keys.iter().map(|key| demand(&key.pair.first, key)).collect()
}

fn second<'a>(keys: &'a [Key<'a>], demand: impl Fn(&'a Limit, &'a Key<'a>) -> Demand<'a>) -> Vec<Demand<'a>> {
    keys.iter().map(|key| demand(&key.pair.second, key)).collect()
}

/// What it means that budgets are there or not.
fn asked(keys: &[Key<'_>], allowance: Allowance) -> Result<Level, &'static str> {
    match allowance {
        Allowance::Within(_) => Ok(Level::Nothing),
        Allowance::Exceeded(readings) => Ok(level_of(keys, &readings)),
        Allowance::Unknown(reason) => Err(reason),
    }
}

/// How much is asked where not all of it is there.
fn level_of(keys: &[Key<'_>], readings: &[Reading]) -> Level {
    let is_second = |limit| keys.iter().any(|key| limit == key.pair.second);
    let harder = readings.iter().any(|reading| reading.is_exceeded() && is_second(reading.limit));
    if harder { Level::Harder } else { Level::Captcha }
}
