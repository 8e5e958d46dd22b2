//! What the handlers work with.

use std::sync::Arc;

use runtime::Clock;
use storage::Pool;
use tokio::sync::Notify;

use crate::error::Error;
use crate::exchanges::Rates;
use crate::posting::{Answer, Committer, Order, Outcome, Posted};

/// One per process.
pub struct State {
    /// Reads, under row-level security, and opening accounts (role `ledger_app`).
    pub pool: Pool,
    /// What has no user: payouts, invariants (role `ledger_poster`).
    pub poster: Pool,
    /// Everything that moves money.
    pub committer: Committer,
    /// Reference rates, through the broker.
    pub rates: Rates,
    /// Open accounts that one owner may have.
    pub max_accounts: u32,
    /// Rung when a payout waits to be submitted.
    pub payouts: Arc<Notify>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A posting and whether it is the answer to a repetition.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// The posting.
    pub posted: Posted,
    /// It was there before.
    pub replayed: bool,
}

impl State {
    /// Posts an order; a refusal is an error, the same one every time.
    pub async fn post(&self, order: Order) -> Result<Receipt, Error> {
        let kind = order.command.kind;
        let (outcome, replayed) = match self.committer.submit(order).await? {
            Answer::Decided(outcome) => (outcome, false),
            Answer::Replayed(outcome) => (outcome, true),
            Answer::KeyReused => return Err(Error::KeyReused),
        };
        match outcome {
            Outcome::Posted(posted) => Ok(Receipt { posted, replayed }),
            Outcome::Rejected(rejection) => Err(Error::Rejected { rejection, kind, replayed }),
        }
    }
}
