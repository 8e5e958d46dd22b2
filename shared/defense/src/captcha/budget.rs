//! How many have failed: of what somebody says who they are, of a network, of a device.

use std::sync::Arc;

use runtime::Clock;

use super::{Action, Attempt, CaptchaConfig, Level, Outcome};
use crate::rate::{Allowance, Demand, Limit, LimitClass, SteadyClock};
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
        let demands: Vec<Demand<'_>> = keys
            .iter()
            .flat_map(|key| [&key.pair.first, &key.pair.second].map(|limit| Demand::left(limit, &key.bytes)))
            .collect();
        let readings = match self.counters.examine(&demands, self.clock.now()).await {
            Allowance::Within(_) => return Ok(Level::Nothing),
            Allowance::Exceeded(readings) => readings,
            Allowance::Unknown(reason) => return Err(reason),
        };
        let harder = readings
            .iter()
            .any(|reading| reading.is_exceeded() && keys.iter().any(|key| reading.limit == key.pair.second));
        Ok(if harder { Level::Harder } else { Level::Captcha })
    }

    /// Takes what an outcome costs.
    pub(super) async fn charge(&self, attempt: &Attempt, outcome: Outcome) -> Result<(), &'static str> {
        let units = match (attempt.action, outcome) {
            (Action::LogIn, Outcome::Passed) => PASSED,
            (_, Outcome::Failed) | (Action::Register, Outcome::Passed) => FAILED,
        };
        // Of what is typed only failures count: else whoever has failed with an address sees whether its owner logs in meanwhile.
        let told = |key: &Key<'_>| outcome == Outcome::Failed || !std::ptr::eq(key.pair, &raw const self.identifier);
        let keys = self.keys(attempt);
        let demands: Vec<Demand<'_>> = keys
            .iter()
            .filter(|key| told(key))
            .flat_map(|key| [&key.pair.first, &key.pair.second].map(|limit| Demand::units(limit, &key.bytes, units)))
            .collect();
        self.counters.charge(&demands, self.clock.now()).await
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
