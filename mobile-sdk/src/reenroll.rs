//! Enrolling anew by itself, when this phone's instance is refused again and again (ADR 0016).
//!
//! The servers give no reasons, so the phone cannot know whether its instance is not believed, whether the servers have a bad hour, or
//! whether somebody on the way writes the refusals himself: they are not signed, since what a signature would be made with is what was
//! refused. Therefore nothing is given up on the strength of a refusal. The new instance is a *candidate*: calls go on under the
//! old one, and a login, which alone shows that a server accepts the candidate, makes it the current one.
//!
//! Invariants:
//! - at most one try a day by the phone's clock, whatever is thought of it and however many calls wait for it; a try that had no signed
//!   answer has failed on the way, and the next one may follow after an hour;
//! - no try while there is a candidate that nobody has refused: it would have to give way to what may come to nothing;
//! - nothing here depends on whether evidence was believed, which the phone cannot tell.

use std::sync::atomic::Ordering;

use api::problem::code::INSTANCE_UNKNOWN;

use crate::Error;
use crate::client::Client;
use crate::instances::{Held, Instance, Instances};
use crate::trace::Trace;

/// Seconds from one try to the next, when the first had a signed answer.
const DAY: i64 = 86_400;
/// The same, when it had none: it was lost, or the service or the phone's vendor had a bad hour.
const HOUR: i64 = 3_600;

/// How an instance was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Without a reason.
    Generic,
    /// The attestation service says that it does not know it.
    Unknown,
}

impl Refusal {
    /// Whether `error` is a refusal of the instance itself.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Refused(problem) if problem.code == INSTANCE_UNKNOWN => Some(Self::Unknown),
            // draft-ietf-oauth-attestation-based-client-auth: the authorization server's word for it.
            Error::OAuth(code) if code == "invalid_client_attestation" => Some(Self::Generic),
            _ => None,
        }
    }
}

impl Instances {
    /// Counts a refusal of `held`; whether it is time to enrol anew. `limit` refusals in a row are enough.
    fn refuse(&mut self, held: &Held, refusal: Refusal, limit: u32, now: i64) -> bool {
        // Of a former instance a refusal says nothing any more.
        if !self.is_current(&held.instance) {
            return false;
        }
        // Calls that were under way together have met one bad moment of the servers, not many.
        if refusal == Refusal::Generic && self.refusals == held.begun.refusals {
            self.refusals = self.refusals.saturating_add(1);
        }
        // A candidate that was refused is not here any more.
        (refusal == Refusal::Unknown || self.refusals >= limit) && self.may_try(now) && self.candidate.is_none()
    }

    /// A time in the future is none: the clock was set back. It counts as now, so that the wait ends a day from now at the latest, and
    /// setting the clock back never gains a try.
    fn may_try(&mut self, now: i64) -> bool {
        self.tried_at = self.tried_at.map(|tried_at| tried_at.min(now));
        let wait = if self.answered { DAY } else { HOUR };
        self.tried_at.is_none_or(|tried_at| now.saturating_sub(tried_at) >= wait)
    }

    /// Written before anything is made, so that a process that ends on the way does not begin again at once.
    fn begin_try(&mut self, now: i64) {
        self.tried_at = Some(now);
        self.answered = false;
    }
}

impl Client {
    /// What `error` means for the caller, if it is a refusal of `held`.
    pub(crate) async fn after_error(&self, held: &Held, error: Error) -> Error {
        match Refusal::of(&error) {
            Some(refusal) => self.after_refusal(held, refusal, error).await,
            None => error,
        }
    }

    /// Counts the refusal and, when it is time, enrols anew: [`Error::LoginRequired`] if there is a candidate to log in under.
    ///
    /// Otherwise it stays what it was, `error`. Why there is no candidate is not this caller's concern; the observer learns it.
    pub(crate) async fn after_refusal(&self, held: &Held, refusal: Refusal, error: Error) -> Error {
        match self.find_candidate(held, refusal).await {
            Ok(true) => Error::LoginRequired,
            Ok(false) | Err(_) => error,
        }
    }

    async fn find_candidate(&self, held: &Held, refusal: Refusal) -> Result<bool, Error> {
        let one_at_a_time = self.enrolling.lock().await;
        // Not the servers' time: whoever is on the way could move it.
        let now = self.platform.clock.unix();
        // What was accepted last is not what runs now, which is reason enough for a refusal.
        let is_updated = held.instance.software != self.software();
        let limit = if is_updated { 1 } else { self.config.reenroll_after };
        let is_time = self.change(|known| known.refuse(held, refusal, limit, now)).await?;
        if is_time && self.tries.load(Ordering::Acquire) == held.begun.tries {
            let trace = Trace::start();
            let made = self.make_instance(&trace, |known| known.begin_try(now));
            let made = Box::pin(self.observe("reenroll", &trace, made)).await;
            self.tries.fetch_add(1, Ordering::Release);
            drop(one_at_a_time);
            if let Err(error) = made {
                self.sweep().await;
                return Err(error);
            }
        }
        let known = self.instances().await?;
        Ok(known.is_current(&held.instance) && known.candidate.is_some())
    }

    /// An answer that only the servers can have made, so a signed one: `held` is not refused, and nobody needs to take its place.
    pub(crate) async fn after_success(&self, held: &Held) {
        if held.is_doubted {
            // The call has succeeded, whatever comes of this; the next one tries again.
            self.trust(held).await.unwrap_or_default();
        }
    }

    async fn trust(&self, held: &Held) -> Result<(), Error> {
        let no_login_under_way = self.logins.try_write();
        let software = self.software();
        let trust = |known: &mut Instances| {
            let Some(current) = known.current.as_mut().filter(|current| current.is(&held.instance)) else { return };
            current.software = software;
            known.refusals = 0;
            if no_login_under_way.is_ok() {
                known.drop_candidate();
            }
        };
        self.change(trust).await?;
        self.sweep().await;
        Ok(())
    }

    /// The candidate is of no use: a server has refused it, too, or its key is gone.
    pub(crate) async fn abandon(&self, candidate: &Instance) -> Result<(), Error> {
        let forget = |known: &mut Instances| {
            if known.is_candidate(candidate) {
                known.drop_candidate();
            }
        };
        self.change(forget).await?;
        self.sweep().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crypto::p256::SigningKey;

    use crate::instances::{CallStart, Software};
    use crate::platform::KeySlot;

    use super::*;

    fn held(slot: KeySlot) -> Held {
        let signer = Arc::new(SigningKey::generate());
        let software = Software { build: 1_u64.into(), system: "16".to_owned() };
        Held {
            instance: Instance::new(slot, &*signer, software),
            signer,
            begun: CallStart::default(),
            is_doubted: false,
        }
    }

    #[test]
    fn a_refusal_of_a_former_instance_says_nothing_of_the_present_one() {
        let (former, present) = (held(KeySlot::First), held(KeySlot::First));
        let mut known = Instances { current: Some(present.instance.clone()), ..Instances::default() };
        let before = known.clone();
        assert!(!known.refuse(&former, Refusal::Unknown, 1, 0) && !known.refuse(&former, Refusal::Generic, 1, 0));
        assert_eq!(known, before);
        assert!(known.refuse(&present, Refusal::Generic, 1, 0));
    }

    #[test]
    fn a_candidate_that_nobody_has_refused_is_reason_enough_not_to_try() {
        let (present, candidate) = (held(KeySlot::First), held(KeySlot::Second));
        let current = Some(present.instance.clone());
        let mut known = Instances { current, candidate: Some(candidate.instance), ..Instances::default() };
        assert!(!known.refuse(&present, Refusal::Unknown, 1, 0));
        known.drop_candidate();
        assert!(known.refuse(&present, Refusal::Unknown, 1, 0));
    }

    fn tried_at(tried_at: Option<i64>) -> Instances {
        Instances { tried_at, answered: true, ..Instances::default() }
    }

    #[test]
    fn an_hour_lies_between_a_try_without_a_signed_answer_and_the_next() {
        let mut known = tried_at(None);
        known.begin_try(1000);
        assert!(!known.may_try(1000 + HOUR - 1));
        assert!(known.may_try(1000 + HOUR));
        known.take_answer(None);
        assert!(!known.may_try(1000 + DAY - 1));
        assert!(known.may_try(1000 + DAY));
    }

    #[test]
    fn a_day_lies_between_two_tries() {
        assert!(tried_at(None).may_try(0));
        assert!(!tried_at(Some(1000)).may_try(1000));
        assert!(!tried_at(Some(1000)).may_try(1000 + DAY - 1));
        assert!(tried_at(Some(1000)).may_try(1000 + DAY));
        assert!(tried_at(Some(i64::MIN)).may_try(i64::MAX));
    }

    #[test]
    fn a_clock_that_was_set_back_costs_a_day_and_gains_no_try() {
        let mut known = tried_at(Some(i64::MAX));
        assert!(!known.may_try(1000));
        assert!(!known.may_try(999), "further back");
        assert!(!known.may_try(999 + DAY - 1));
        assert!(known.may_try(999 + DAY));
    }
}
