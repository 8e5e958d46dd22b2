//! `ledger payouts`: payouts in the operator's hands.

use anyhow::Result;
use api::Id;
use api::payouts::Payout;
use runtime::Service as _;
use runtime::operator::{Operator, ask};

use crate::Ledger;
use crate::config::Config;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Take back one that nobody has begun to send, in its payer's stead: it is held, or its payer is stopped
    Withdraw {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// The payout
        #[arg(long)]
        id: Id,
    },
}

pub async fn run(config: &Config, Action::Withdraw { operator, id }: Action) -> Result<()> {
    let path = format!("/internal/v1/payouts/{id}/withdrawal");
    let (client, url) = operator.client(Ledger::NAME, &config.common.internal, &path)?;
    ask::<Payout>(client.post(url)).await
}
