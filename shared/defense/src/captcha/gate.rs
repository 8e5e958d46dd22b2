//! What the layer and the handlers ask: how much is asked of whom, does what came do, and what has become of it.

use std::sync::Arc;

use runtime::Clock;

use super::budget::Budgets;
use super::work::{Effort, Pending, Work};
use super::{Attempt, CaptchaConfig, Level, Outcome, Reason};
use crate::stores::{Claim, Claimed, Counters, Once, OnceClass};

/// Asks for captchas, and takes them. One for the layer and the handlers of a service.
pub struct Gate {
    budgets: Budgets,
    work: Work,
    used: Arc<dyn Once>,
}

/// What came does not do, or it cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Not {
    /// It does not do.
    Good(Reason),
    /// It cannot be told, for this reason.
    Known(&'static str),
}

impl Gate {
    /// Signs under `key`, counts in `counters`, and remembers in `used` what was used.
    ///
    /// # Errors
    ///
    /// A rate of the configuration is none.
    pub fn new(
        config: &CaptchaConfig,
        key: &[u8],
        counters: Arc<dyn Counters>,
        used: Arc<dyn Once>,
        clock: &dyn Clock,
    ) -> Result<Self, &'static str> {
        Ok(Self { budgets: Budgets::new(counters, config, clock)?, work: Work::new(key), used })
    }

    /// How much is asked of somebody who tries this now.
    pub(crate) async fn level(&self, attempt: &Attempt) -> Result<Level, &'static str> {
        self.budgets.level(attempt).await
    }

    /// A challenge of that level; none where nothing is asked.
    pub(crate) fn challenge(&self, attempt: &Attempt, level: Level, now: i64) -> Option<String> {
        let challenge = self.work.challenge(attempt, Effort::of(attempt, level)?, now);
        challenge.inspect_err(|error| runtime::tracing::error!(cause = %error, "no challenge")).ok()
    }

    /// Looks at an answer, as far as that costs little; nothing to look at where nothing is asked.
    pub(crate) fn examine(
        &self,
        attempt: &Attempt,
        level: Level,
        answer: Option<&str>,
        now: i64,
    ) -> Result<Option<Pending>, Reason> {
        let Some(effort) = Effort::of(attempt, level) else { return Ok(None) };
        self.work.examine(attempt, effort, answer.ok_or(Reason::Missing)?, now).map(Some)
    }

    /// Uses the challenge up, and then looks at the work: so a challenge costs us one derivation, whatever is sent with it.
    pub(crate) async fn claim(&self, attempt: &Attempt, pending: &Pending, now: i64) -> Result<(), Not> {
        let near = attempt.near();
        let claim =
            Claim { class: OnceClass::Captcha, owner: near.as_bytes(), key: &pending.key, until: pending.until, now };
        match self.used.claim(&claim).await {
            Claimed::First if pending.holds() => Ok(()),
            Claimed::First => Err(Not::Good(Reason::Wrong)),
            Claimed::Again => Err(Not::Good(Reason::Replayed)),
            Claimed::Unknown(reason) => Err(Not::Known(reason)),
        }
    }

    /// Counts what has become of an attempt. If it has failed: the challenge that the next one like it is asked for, if it is asked for one.
    pub async fn settle(&self, attempt: &Attempt, outcome: Outcome, now: i64) -> Option<String> {
        if let Err(reason) = self.budgets.charge(attempt, outcome).await {
            runtime::tracing::warn!(reason, "an attempt was not counted");
        }
        match outcome {
            Outcome::Passed => None,
            // What cannot be told now is told by the layer at the next attempt.
            Outcome::Failed => self.challenge(attempt, self.level(attempt).await.ok()?, now),
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
