//! What things of the ledger are called: each kind of name is a type, so that none is taken for another. They come from the wire as
//! [`api::Id`] or checked text and go back to it; in between nothing looks inside but the binding of SQL ([`storage::id`]).

use std::sync::Arc;

use identity::Principal;

storage::wire_id! {
    /// An account, a customer's or the house's.
    AccountId;
    /// A transfer: a posting of any kind.
    TransferId;
    /// A payout. It is called as the transfer that took its money from the account.
    PayoutId;
    /// To whom at another bank an owner pays.
    PayeeId;
    /// A payment that waits for its payer's approval.
    ApprovalId;
    /// Money in suspense. It is called as the transfer that took it there.
    ItemId;
    /// A customer's stop.
    StopId;
    /// What the behavior analytics call their judgement of a payment.
    DecisionId;
}

storage::name! {
    /// A customer: the pseudonymous subject of the access token.
    Subject;
    /// Whose idempotency keys these are: a customer's, by the subject, a partner's, or the house's own.
    Owner;
    /// The name that a sender gave an intent, within the operation and among the sender's own.
    IdempotencyKey;
    /// A partner's name for what it told.
    EventId;
}

impl From<TransferId> for PayoutId {
    fn from(transfer: TransferId) -> Self {
        Self(transfer.0)
    }
}

impl From<TransferId> for ItemId {
    fn from(transfer: TransferId) -> Self {
        Self(transfer.0)
    }
}

impl From<&Principal> for Subject {
    fn from(caller: &Principal) -> Self {
        Self(Arc::clone(&caller.subject))
    }
}

impl From<&Subject> for Owner {
    fn from(subject: &Subject) -> Self {
        Self(Arc::clone(&subject.0))
    }
}

impl From<defense::IdempotencyKey> for IdempotencyKey {
    fn from(key: defense::IdempotencyKey) -> Self {
        Self::of(key.as_str())
    }
}

/// Each event is booked once.
impl From<&EventId> for IdempotencyKey {
    fn from(event: &EventId) -> Self {
        Self(Arc::clone(&event.0))
    }
}

/// Each step of a payout is done once, however often the partner has a word on it.
impl From<PayoutId> for IdempotencyKey {
    fn from(payout: PayoutId) -> Self {
        Self::of(&payout.to_string())
    }
}

/// An item is allocated once.
impl From<ItemId> for IdempotencyKey {
    fn from(item: ItemId) -> Self {
        Self::of(&item.to_string())
    }
}
