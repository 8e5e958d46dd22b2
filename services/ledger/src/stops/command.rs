//! `ledger stops`: customers whose orders are not posted, in the operator's hands.

use anyhow::Result;
use api::Id;
use api::internal::{EndStop, NewStop, Stop, StopPage};
use runtime::Service as _;
use runtime::operator::{Operator, ask};

use crate::Ledger;
use crate::config::Config;

const PATH: &str = "/internal/v1/stops";

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// List them, oldest first
    List {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// Those that hold, or that have ended
        #[arg(long, default_value = "open", value_parser = ["open", "ended"])]
        state: String,
        /// How many of them
        #[arg(long)]
        limit: Option<u32>,
        /// Those after this one
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Stop a customer: nothing that they order is posted, and nothing is sent that nobody has begun to send
    Begin {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// The subject of their access tokens
        #[arg(long)]
        customer: String,
        /// Why, for those who look at it later
        #[arg(long)]
        reason: String,
    },
    /// End a stop
    End {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// Of the stop
        #[arg(long)]
        id: Id,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

pub async fn run(config: &Config, action: Action) -> Result<()> {
    let internal = &config.common.internal;
    match action {
        Action::List { operator, state, limit, after } => {
            let (client, url) = operator.client(Ledger::NAME, internal, PATH)?;
            let limit = limit.map(|limit| format!("&limit={limit}"));
            let after = after.map(|after| format!("&after={after}"));
            let query: String = limit.into_iter().chain(after).collect();
            ask::<StopPage>(client.get(format!("{url}?state={state}{query}"))).await
        }
        Action::Begin { operator, customer, reason } => {
            let (client, url) = operator.client(Ledger::NAME, internal, PATH)?;
            ask::<Stop>(client.post(url).json(&NewStop { customer, reason })).await
        }
        Action::End { operator, id, reason } => {
            let (client, url) = operator.client(Ledger::NAME, internal, PATH)?;
            ask::<Stop>(client.post(format!("{url}/{id}/end")).json(&EndStop { reason })).await
        }
    }
}
