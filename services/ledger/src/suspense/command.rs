//! `ledger suspense`: what waits for its owner, in the operator's hands.

use anyhow::Result;
use api::Id;
use api::internal::{Allocate, SuspensePage};
use api::transfers::Transfer;
use runtime::Service as _;
use runtime::operator::{Operator, ask};

use crate::Ledger;
use crate::config::Config;

const PATH: &str = "/internal/v1/suspense";

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// List it, oldest first
    List {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// What waits, or what has found its owner
        #[arg(long, default_value = "open", value_parser = ["open", "allocated"])]
        state: String,
        /// How many of them
        #[arg(long)]
        limit: Option<u32>,
        /// Those after this one
        #[arg(long, value_name = "ID")]
        after: Option<Id>,
    },
    /// Credit one to its owner, once
    Allocate {
        /// Who asks
        #[command(flatten)]
        operator: Operator,
        /// The item
        #[arg(long)]
        id: Id,
        /// The owner's account
        #[arg(long, value_name = "ID")]
        account: Id,
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
            ask::<SuspensePage>(client.get(format!("{url}?state={state}{query}"))).await
        }
        Action::Allocate { operator, id, account: account_id } => {
            let (client, url) = operator.client(Ledger::NAME, internal, PATH)?;
            ask::<Transfer>(client.post(format!("{url}/{id}/allocate")).json(&Allocate { account_id })).await
        }
    }
}
