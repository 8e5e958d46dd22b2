//! Takes payouts to the broker, and asks where they stand.
//!
//! A claim is a lease: it is committed before the broker is asked, no transaction is open meanwhile, and a process that dies in between
//! leaves the payout to the next one, as one that the partner may have ([`super::history`]). One that is slow holds up nobody else.

use std::sync::Arc;
use std::time::Duration;

use api::broker::OrderOutcome;
use api::internal::PayoutOutcome;
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Shutdown, trace};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::history::{Conclusion, Standing, conclude};
use super::partner::Partner;
use super::store::{self, Claimed, Payout};
use super::{events, watch};
use crate::config;
use crate::error::Error;
use crate::posting::Word;
use crate::state::State;

/// Payouts that are worked on at a time.
const AT_ONCE: usize = 16;
/// How long a claim holds: longer than the claim itself, a question and an order may take (15, 10 and 10 seconds).
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// The longest pause between two attempts to order.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// The longest pause between two questions.
const MAX_SILENCE: TimeDelta = TimeDelta::hours(1);

/// Submits payouts.
pub struct Courier {
    /// The ledger.
    pub state: Arc<State>,
    /// The partner bank.
    pub partner: Partner,
    /// How often to look, to ask, to alarm.
    pub settings: config::Payouts,
}

impl Courier {
    /// Works until the process goes down; what is under way then is left to its lease.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let courier = Arc::new(self);
        let bell = Arc::clone(&courier.state.payouts);
        let poll = Duration::from_millis(courier.settings.poll_ms.max(10).into());
        let mut under_way = JoinSet::new();
        let mut watch = watch::Watch::default();
        while !shutdown.is_requested() {
            watch.look(&courier.state, &courier.settings, courier.now()?).await;
            let mut found = 0;
            // Default: no room is nothing to claim.
            match courier.claim(AT_ONCE.saturating_sub(under_way.len())).await {
                Ok(claimed) => {
                    found = claimed.len();
                    for payout in claimed {
                        let courier = Arc::clone(&courier);
                        under_way.spawn(async move { courier.deliver(payout).await });
                    }
                }
                Err(error) => tracing::warn!(cause = %error, "due payouts cannot be read"),
            }
            tokio::select! {
                () = shutdown.requested() => (),
                Some(ended) = under_way.join_next() => report(ended),
                () = bell.notified(), if found == 0 => (),
                () = tokio::time::sleep(poll) => (),
            }
        }
        Ok(())
    }

    async fn claim(&self, limit: usize) -> Result<Vec<Claimed>, Error> {
        let Ok(limit @ 1..) = i64::try_from(limit) else { return Ok(Vec::new()) };
        let now = self.now()?;
        storage::transaction(&self.state.poster, "payouts.claim", async |db| {
            Ok(store::claim(db, limit, now, LEASE).await?)
        })
        .await
    }

    /// One attempt, in the trace of the request that ordered the payout.
    async fn deliver(&self, claimed: Claimed) -> Result<(), Error> {
        let payout = &claimed.payout;
        let span = tracing::info_span!("payout.submit", otel.kind = "consumer", payout = %payout.id, attempt = payout.attempts);
        trace::continue_from(&span, payout.traceparent.as_deref());
        async {
            match payout.standing()? {
                Standing::Pending if !claimed.unsure_before => self.order(payout, false).await,
                // It may be there, so it is asked for first; that it may be nowhere is the reason to repeat the order.
                Standing::Pending | Standing::Submitted if self.ask(payout).await? => Ok(()),
                Standing::Pending => self.order(payout, true).await,
                Standing::Submitted => self.postpone(payout, self.silence(payout)?).await,
                Standing::Paid | Standing::Failed | Standing::Returned => Ok(()),
            }
        }
        .instrument(span)
        .await
    }

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
                self.postpone(payout, pause(payout.attempts)).await
            }
            Conclusion::Unsure(said) => {
                tracing::warn!(reason = said, "whether the partner has a payout is not known; it will be asked");
                self.postpone(payout, pause(payout.attempts)).await
            }
        }
    }

    /// Asks where it stands; true if the partner has said so and it is done.
    async fn ask(&self, payout: &Payout) -> Result<bool, Error> {
        let (outcome, partner_id) = match self.partner.ask(payout).await? {
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
        events::take(&self.state, &payout.provider, payout.id, end, Word::Status).await?;
        Ok(true)
    }

    async fn submitted(&self, payout: &Payout, partner_id: &str) -> Result<(), Error> {
        let ask_at = self.now()? + self.silence(payout)?;
        let mut db = storage::connection(&self.state.poster).await?;
        Ok(store::submitted(&mut db, payout.id, partner_id, ask_at).await?)
    }

    async fn postpone(&self, payout: &Payout, pause: TimeDelta) -> Result<(), Error> {
        let at = self.now()? + pause;
        let mut db = storage::connection(&self.state.poster).await?;
        Ok(store::postpone(&mut db, payout.id, at).await?)
    }

    /// How long to wait for a webhook before asking: half of the payout's age, so that questions become rarer.
    fn silence(&self, payout: &Payout) -> Result<TimeDelta, Error> {
        let least = TimeDelta::milliseconds(self.settings.ask_after_ms.into());
        Ok(((self.now()? - payout.created_at) / 2).clamp(least, MAX_SILENCE.max(least)))
    }

    fn now(&self) -> Result<DateTime<Utc>, Error> {
        DateTime::from_timestamp_millis(self.state.clock.unix_millis()).ok_or(Error::Invariant("the clock"))
    }
}

fn report(ended: Result<Result<(), Error>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => (),
        Ok(Err(error)) => {
            tracing::warn!(cause = %error, "a payout's outcome was not stored; it will be looked at again");
        }
        Err(error) => tracing::error!(cause = %error, "the work on a payout ended badly; it will be looked at again"),
    }
}

/// 0.5, 1, 2 … seconds, at most five minutes, and up to a quarter more.
fn pause(attempts: i32) -> TimeDelta {
    // Default: before the first attempt there is nothing to double.
    let doubling = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    let base = (TimeDelta::milliseconds(500) * 2_i32.pow(doubling)).min(MAX_PAUSE);
    let [jitter] = crypto::random::bytes::<1>();
    base + base * i32::from(jitter) / 1024
}
