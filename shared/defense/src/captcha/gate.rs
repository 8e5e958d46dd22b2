//! What the layer and the handlers ask: how much is asked of whom, does what came do, and what has become of it.

use std::sync::Arc;

use runtime::Clock;

use super::budget::Budgets;
use super::siteverify::{Asks, Siteverify, SiteverifyConfig};
use super::work::{self, Effort, LIFETIME, Work};
use super::{Attempt, CaptchaConfig, Level, Outcome, Reason, Tried, Widget};
use crate::stores::{Claim, Claimed, Counters, Once, OnceClass};

/// Asks for captchas, and takes them. One for the layer and the handlers of a service.
pub struct Gate {
    budgets: Budgets,
    proof: Proof,
    used: Arc<dyn Once>,
}

/// What is asked for.
enum Proof {
    Work(Work),
    Siteverify(Siteverify),
}

/// An answer that is yet to be looked at as closely as costs something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// To a genuine challenge of ours: the work.
    Work(work::Pending),
    /// A vendor's token.
    Token(String),
}

impl Pending {
    /// What it is known by, and the last second in which it would be accepted.
    fn once(&self, now: i64) -> (Vec<u8>, i64) {
        match self {
            Self::Work(pending) => (pending.key.clone(), pending.until),
            // A token that was given this second is good for as long.
            Self::Token(token) => (Siteverify::key(token), now.saturating_add(LIFETIME)),
        }
    }
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
        Ok(Self { budgets: Budgets::new(counters, config, clock)?, proof: Proof::Work(Work::new(key)), used })
    }

    /// Takes a vendor's captchas in the place of ours.
    ///
    /// # Errors
    ///
    /// The configuration would let anything pass.
    pub fn with_siteverify(self, config: SiteverifyConfig, asks: Box<dyn Asks>) -> Result<Self, &'static str> {
        Ok(Self { proof: Proof::Siteverify(Siteverify::new(config, asks)?), ..self })
    }

    /// The field of a form in which an answer comes.
    pub fn field(&self) -> &'static str {
        match &self.proof {
            Proof::Work(_) => "altcha",
            Proof::Siteverify(siteverify) => siteverify.vendor().field,
        }
    }

    /// How much is asked of somebody who tries this now.
    pub(crate) async fn level(&self, attempt: &Attempt) -> Result<Level, &'static str> {
        self.budgets.level(attempt).await
    }

    /// What is shown to have an answer of that level; nothing where nothing is asked.
    pub(crate) fn challenge(&self, attempt: &Attempt, level: Level, now: i64) -> Option<Widget> {
        let effort = Effort::of(attempt, level)?;
        match &self.proof {
            Proof::Work(work) => {
                let challenge = work.challenge(attempt, effort, now);
                let challenge = challenge.inspect_err(|error| runtime::tracing::error!(cause = %error, "no challenge"));
                challenge.ok().map(Widget::Work)
            }
            Proof::Siteverify(siteverify) => Some(Widget::Vendor {
                vendor: siteverify.vendor(),
                site_key: siteverify.site_key().to_owned(),
                action: attempt.action.name(),
            }),
        }
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
        let answer = answer.ok_or(Reason::Missing)?;
        Ok(Some(match &self.proof {
            Proof::Work(work) => Pending::Work(work.examine(attempt, effort, answer, now)?),
            Proof::Siteverify(_) => {
                Siteverify::examine(answer)?;
                Pending::Token(answer.to_owned())
            }
        }))
    }

    /// Uses the answer up, and then looks at it closely: so a challenge costs us one derivation, whatever is sent with it, and a token one question.
    pub(crate) async fn claim(&self, attempt: &Attempt, pending: &Pending, now: i64) -> Result<(), Not> {
        let (near, (key, until)) = (attempt.near(), pending.once(now));
        let claim = Claim { class: OnceClass::Captcha, owner: near.as_bytes(), key: &key, until, now };
        match self.used.claim(&claim).await {
            Claimed::First => self.holds(attempt, pending, now).await,
            Claimed::Again => Err(Not::Good(Reason::Replayed)),
            Claimed::Unknown(reason) => Err(Not::Known(reason)),
        }
    }

    async fn holds(&self, attempt: &Attempt, pending: &Pending, now: i64) -> Result<(), Not> {
        match (pending, &self.proof) {
            (Pending::Work(pending), _) if pending.holds() => Ok(()),
            (Pending::Token(token), Proof::Siteverify(siteverify)) => {
                siteverify.ask(attempt, token, now).await.map_err(Not::Known)?.map_err(Not::Good)
            }
            _ => Err(Not::Good(Reason::Wrong)),
        }
    }

    /// Takes the price of a failure before it is known whether it is one. If by now more is asked than was answered, takes nothing and says how much.
    pub(crate) async fn reserve(&self, tried: &Tried) -> Result<Option<Level>, &'static str> {
        match self.budgets.reserve(&tried.attempt, tried.level).await? {
            Ok(reserved) => {
                tried.reserved.replace(Some(reserved));
                Ok(None)
            }
            Err(asked) => Ok(Some(asked)),
        }
    }

    /// Gives back what was reserved for an attempt of which nothing has become, through no fault of theirs.
    pub(crate) async fn give_back(&self, tried: &Tried) {
        let reserved = tried.reserved.take();
        if let Some(reserved) = reserved {
            told(self.budgets.give_back(&tried.attempt, &reserved, None).await);
        }
    }

    /// Counts what has become of an attempt. If it has failed: what is shown for the next one like it, if that is asked for an answer.
    pub async fn settle(&self, tried: &Tried, outcome: Outcome, now: i64) -> Option<Widget> {
        let attempt = &tried.attempt;
        let reserved = tried.reserved.take();
        told(match (reserved, outcome) {
            // What was reserved is the price.
            (Some(_), Outcome::Failed) => Ok(()),
            (Some(reserved), Outcome::Passed) => self.budgets.give_back(attempt, &reserved, Some(outcome)).await,
            // The layer's word does not count here.
            (None, _) => self.budgets.charge(attempt, outcome).await,
        });
        match outcome {
            Outcome::Passed => None,
            // What cannot be told now is told by the layer at the next attempt.
            Outcome::Failed => self.challenge(attempt, self.level(attempt).await.ok()?, now),
        }
    }
}

fn told(counted: Result<(), &'static str>) {
    if let Err(reason) = counted {
        runtime::tracing::warn!(reason, "an attempt was not counted as it came out");
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
