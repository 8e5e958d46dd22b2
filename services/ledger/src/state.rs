//! What the handlers work with.

use std::sync::Arc;
use std::time::Duration;

use identity::sealed_field::OpeningKeys;
use runtime::Clock;
use runtime::places::Places;
use storage::Pool;
use tokio::sync::Notify;

use crate::approvals::low_value::LowValue;
use crate::approvals::new_instance::NewInstances;
use crate::exchanges::Rates;
use crate::payees::names::Names;
use crate::payees::terms::Terms;
use crate::posting::Committer;
use crate::providers::PayoutProviders;
use crate::risk::Asker;

/// One per process.
pub struct State {
    /// Reads, under row-level security, and opening accounts (role `ledger_app`).
    pub pool: Pool,
    /// What has no user: payouts, invariants (role `ledger_poster`).
    pub poster: Pool,
    /// Everything that moves money.
    pub committer: Committer,
    /// What is thought of a payment before it is made; nobody, if nobody is configured.
    pub risk: Option<Asker>,
    /// From where a payment is asked for; nobody knows, if no table of networks is configured.
    pub places: Places,
    /// Reference rates, through the broker.
    pub rates: Rates,
    /// Who carries payouts out.
    pub payout_providers: PayoutProviders,
    /// What phones seal to.
    pub opening_keys: OpeningKeys,
    /// Open accounts that one owner may have.
    pub max_accounts: u32,
    /// What can be paid to a payee who is new.
    pub new_payees: Terms,
    /// Who is asked whether accounts belong to the names of payees; nobody, if nobody is configured.
    pub names: Option<Names>,
    /// What can be paid without its payer's approval.
    pub low_value: LowValue,
    /// What an instance of the app can pay that is new to its user.
    pub new_instances: NewInstances,
    /// How long a payer has to approve a payment.
    pub approval_lifetime: Duration,
    /// Rung when a payout waits to be submitted.
    pub payouts: Arc<Notify>,
    pub clock: Arc<dyn Clock>,
}
