//! `auth second-factor`: what somebody has lost, in the operator's hands.

use anyhow::Result;
use api::internal::{RemoveSecondFactor, SecondFactorRemoved};
use runtime::Service as _;
use runtime::operator::{Operator, ask};

use crate::Auth;
use crate::config::Config;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Remove app, passkeys and recovery codes of somebody who has lost them
    Remove {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// The address that the person logs in with
        #[arg(long)]
        email: String,
    },
}

pub async fn run(config: &Config, action: Action) -> Result<()> {
    match action {
        Action::Remove { operator, email } => {
            let internal = &config.common.internal;
            let (client, url) = operator.client(Auth::NAME, internal, "/internal/v1/second-factor-removals")?;
            ask::<SecondFactorRemoved>(client.post(url).json(&RemoveSecondFactor { email })).await
        }
    }
}
