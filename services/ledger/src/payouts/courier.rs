//! Takes payouts to the broker, and asks where they stand.
//!
//! A claim is a lease ([`runtime::courier`]): a process that dies in between leaves the payout to the next one, as one that the partner may have
//! ([`super::history`]).

use std::sync::Arc;
use std::time::Duration;

use api::broker::OrderOutcome;
use api::internal::PayoutOutcome;
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Job, courier};
use tracing::Span;

use super::events;
use super::history::{Conclusion, Standing, Word, conclude};
use super::partner::Partner;
use super::store::{self, Claimed, Payout, QUEUE};
use super::watch::Watch;
use crate::config;
use crate::error::Error;
use crate::state::State;

/// How long a claim holds: longer than the claim itself, a question and an order may take (15, 10 and 10 seconds).
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// The pause after the first attempt to order.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two questions.
const MAX_SILENCE: TimeDelta = TimeDelta::hours(1);

pub struct Submissions {
    pub state: Arc<State>,
    pub partner: Partner,
    /// How often to look, to ask, to alarm.
    pub settings: config::Payouts,
}

impl Job for Submissions {
    type Piece = Claimed;
    type Memory = Watch;
    type Error = Error;

    const PIECE: &'static str = "a payout";

    async fn claim(&self, limit: i64) -> Result<Vec<Claimed>, Error> {
        Ok(QUEUE.claim(&self.state.poster, limit, self.now()?, LEASE).await?)
    }

    fn span(Claimed { payout, .. }: &Claimed) -> (Span, Option<&str>) {
        let span = tracing::info_span!("payout.submit", otel.kind = "consumer", payout = %payout.id, attempt = payout.attempts);
        (span, payout.traceparent.as_deref())
    }

    async fn carry_out(&self, Claimed { payout, unsure_before }: Claimed) -> Result<(), Error> {
        let payout = &payout;
        match payout.standing()? {
            Standing::Pending if !unsure_before => self.order(payout, false).await,
            // It may be there, so it is asked for first; that it may be nowhere is the reason to repeat the order.
            Standing::Pending | Standing::Submitted if self.ask(payout).await? => Ok(()),
            Standing::Pending => self.order(payout, true).await,
            Standing::Submitted => self.postpone(payout, self.now()? + self.ask_delay(payout)?).await,
            Standing::Paid | Standing::Failed | Standing::Returned => Ok(()),
        }
    }

    async fn maintain(&self, watch: &mut Watch) -> Result<(), Error> {
        watch.check(&self.state, &self.settings, self.now()?).await;
        Ok(())
    }
}

impl Submissions {
    async fn order(&self, payout: &Payout, unsure_before: bool) -> Result<(), Error> {
        match conclude(unsure_before, self.partner.order(payout).await?) {
            Conclusion::Submitted(partner_id) => self.submitted(payout, &partner_id).await,
            Conclusion::Refused(said) => {
                runtime::audit!("payout", outcome = "refused", reason = said, payout = %payout.id);
                events::refuse(&self.state, payout.id).await
            }
            Conclusion::Untouched(said) => {
                tracing::warn!(reason = said, "a payout was not sent yet");
                let mut db = storage::connection(&self.state.poster).await?;
                store::untouched(&mut db, payout.id, payout.attempts).await?;
                drop(db);
                self.postpone(payout, self.now()? + courier::pause(PAUSE, payout.attempts)).await
            }
            Conclusion::Unsure(said) => {
                tracing::warn!(reason = said, "whether the partner has a payout is not known; it will be asked");
                self.postpone(payout, self.now()? + courier::pause(PAUSE, payout.attempts)).await
            }
        }
    }

    /// Asks where it stands; true if the partner has said so and it is done.
    async fn ask(&self, payout: &Payout) -> Result<bool, Error> {
        let (outcome, partner_id) = match self.partner.ask(&payout.provider, payout.id).await? {
            Ok(word) => word,
            Err(said) => {
                tracing::info!(reason = said, "the partner has no word on a payout");
                return Ok(false);
            }
        };
        let end = match outcome {
            OrderOutcome::Accepted if payout.standing()? == Standing::Pending => {
                self.submitted(payout, &partner_id).await?;
                return Ok(true);
            }
            OrderOutcome::Accepted => return Ok(false),
            OrderOutcome::Paid => PayoutOutcome::Paid,
            OrderOutcome::Failed => PayoutOutcome::Failed,
            OrderOutcome::Returned => PayoutOutcome::Returned,
        };
        runtime::audit!("payout", outcome = "asked", standing = ?outcome, payout = %payout.id);
        events::apply(&self.state, &payout.provider, payout.id, end, Word::Status).await?;
        Ok(true)
    }

    // Text: the partner's name for the order, which is nothing but kept.
    async fn submitted(&self, payout: &Payout, partner_id: &str) -> Result<(), Error> {
        let ask_at = self.now()? + self.ask_delay(payout)?;
        let mut db = storage::connection(&self.state.poster).await?;
        Ok(store::submitted(&mut db, payout.id, partner_id, ask_at).await?)
    }

    async fn postpone(&self, payout: &Payout, at: DateTime<Utc>) -> Result<(), Error> {
        let mut db = storage::connection(&self.state.poster).await?;
        Ok(store::postpone(&mut db, payout.id, at).await?)
    }

    /// How long to wait for a webhook before asking: half of the time since it could be sent, so that questions become rarer.
    fn ask_delay(&self, payout: &Payout) -> Result<TimeDelta, Error> {
        let least = TimeDelta::milliseconds(self.settings.ask_after_ms.into());
        Ok(((self.now()? - payout.released_at()) / 2).clamp(least, MAX_SILENCE.max(least)))
    }

    fn now(&self) -> Result<DateTime<Utc>, Error> {
        DateTime::from_timestamp_millis(self.state.clock.unix_millis()).ok_or(Error::Invariant("the clock"))
    }
}
