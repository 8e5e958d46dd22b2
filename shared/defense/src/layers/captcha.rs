//! Layer *captcha*: have too many failed here before, and does somebody take the trouble? Where nobody has failed it says nothing.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::StatusCode;
use api::problem::code;
use futures_util::future::LocalBoxFuture;
use runtime::pages::wants_json;
use runtime::{Problem, Refusal};

use crate::captcha::{Attempt, Filled, Forms, Gate, Level, NOWHERE, Not, Reason, Tried};
use crate::{Facts, Finding, Inbound, Layer, LayerId, Outgoing, Verdict};

/// Asks on risk.
pub struct CaptchaLayer {
    gate: Arc<Gate>,
    forms: Arc<dyn Forms>,
}

impl CaptchaLayer {
    /// Before these forms.
    pub fn new(gate: Arc<Gate>, forms: Arc<dyn Forms>) -> Self {
        Self { gate, forms }
    }

    async fn look(&self, request: &Inbound, facts: &Facts) -> Finding {
        let Filled { action, identifier, instance, answer } = match self.forms.read(request).await {
            Ok(Some(filled)) => filled,
            Ok(None) => return Verdict::Pass.into(),
            Err(reason) => return Verdict::Unknown(reason).into(),
        };
        // Default: where no layer says where it comes from, it comes from where all do.
        let address = facts.address.unwrap_or(NOWHERE);
        let attempt = Attempt { action, address, identifier, instance };
        let level = match self.gate.level(&attempt).await {
            Ok(level) => level,
            Err(reason) => return Verdict::Unknown(reason).into(),
        };
        let looked = self.gate.examine(&attempt, level, answer.as_deref(), request.now);
        let attempt = Rc::new(attempt);
        match looked {
            Ok(pending) => learned(Verdict::Pass, Tried { pending, ..Tried::new(attempt, level) }),
            Err(reason) => refused(reason, attempt, level),
        }
    }

    async fn use_up(&self, request: &Inbound, facts: &Facts) -> Finding {
        let Some(tried) = &facts.captcha else { return Verdict::Pass.into() };
        let attempt = &tried.attempt;
        if let Some(pending) = &tried.pending {
            match self.gate.claim(attempt, pending, request.now).await {
                Ok(()) => (),
                Err(Not::Good(reason)) => {
                    let level = self.gate.level(attempt).await;
                    // Default: the least that is asked, where it cannot be told; the next attempt is looked at anew.
                    return refused(reason, Rc::clone(attempt), level.unwrap_or(Level::Captcha).max(Level::Captcha));
                }
                Err(Not::Known(reason)) => return Verdict::Unknown(reason).into(),
            }
        }
        match self.gate.reserve(tried).await {
            Ok(None) => Verdict::Pass.into(),
            // Others have failed since it was looked at.
            Ok(Some(level)) => {
                let reason = if tried.pending.is_some() { Reason::Easy } else { Reason::Missing };
                refused(reason, Rc::clone(attempt), level)
            }
            Err(reason) => Verdict::Unknown(reason).into(),
        }
    }

    /// What the handler has not settled when it answers is nobody's failed attempt: a later layer has refused it, it fails for a fault of ours, or it was sent
    /// twice. Whoever hangs up has made one.
    async fn ended(&self, facts: &Facts) {
        if let Some(tried) = &facts.captcha {
            self.gate.give_back(tried).await;
        }
    }

    /// People get the page again, with a challenge; whoever asks for JSON, the problem.
    async fn show(&self, request: &Inbound, facts: &Facts, mut answer: Outgoing) -> Outgoing {
        let Some(Tried { attempt, asked: Some(level), .. }) = facts.captcha.as_ref().filter(|_| answer.refused) else {
            return answer;
        };
        if wants_json(&request.headers) {
            return answer;
        }
        if let Some(widget) = self.gate.challenge(attempt, *level, request.now)
            && let Some(page) = self.forms.page(request, &widget).await
        {
            answer.response = page;
        }
        answer
    }
}

fn learned(verdict: Verdict, tried: Tried) -> Finding {
    Finding { verdict, facts: Facts { captcha: Some(tried), ..Facts::default() } }
}

fn refused(reason: Reason, attempt: Rc<Attempt>, level: Level) -> Finding {
    let problem = Problem::new(StatusCode::FORBIDDEN, code::CAPTCHA_REQUIRED);
    let refusal = Refusal::new(LayerId::Captcha.name(), reason.word(), problem);
    let verdict = if reason.is_honest() { Verdict::Challenge(refusal) } else { Verdict::Refuse(refusal) };
    learned(verdict, Tried { asked: Some(level), ..Tried::new(attempt, level) })
}

impl Layer for CaptchaLayer {
    fn id(&self) -> LayerId {
        LayerId::Captcha
    }

    fn most(&self) -> usize {
        self.forms.most()
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(self.look(request, facts))
    }

    fn claim<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(self.use_up(request, facts))
    }

    fn answered<'a>(
        &'a self,
        request: &'a Inbound,
        facts: &'a Facts,
        answer: Outgoing,
    ) -> LocalBoxFuture<'a, Result<Outgoing, Refusal>> {
        Box::pin(async {
            self.ended(facts).await;
            Ok(self.show(request, facts, answer).await)
        })
    }
}

#[cfg(test)]
#[path = "captcha_tests.rs"]
mod tests;
