//! What a payment waits for.

use api::Id;

/// A payment that its payer has to approve before it is made: [`Client::approve`](crate::Client::approve), then the same call again with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    /// The server's name for it.
    pub payment: Id,
    /// The idempotency key of the intent that it belongs to.
    pub key: String,
    /// This phone is new to its user until then (RFC 3339), and has moved as much as new ones may: an approval with the password alone, or with a second factor
    /// that is as new, pays nothing and ends in [`Error::NewPhone`](crate::Error::NewPhone). None: any approval of the person's will do.
    pub new_until: Option<String>,
}
