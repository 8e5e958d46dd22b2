//! What a payment waits for.

use api::Id;

/// A payment that its payer has to approve before it is made: [`Client::approve`](crate::Client::approve), then the same call again with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    /// The server's name for it.
    pub payment: Id,
    /// The idempotency key of the intent that it belongs to.
    pub key: String,
}
