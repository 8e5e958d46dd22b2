//! What things of this service are called. They come from the wire as [`api::Id`] and go back to it.

storage::wire_id! {
    /// Something that happened.
    EventId;
    /// What was thought of a payment.
    DecisionId;
    /// The request that asked for it.
    RequestId;
    /// A payment that people say something of: its decision's id, or its event's where no decision was asked for.
    PaymentId;
}

impl From<DecisionId> for PaymentId {
    fn from(id: DecisionId) -> Self {
        Self(id.0)
    }
}

impl From<EventId> for PaymentId {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}
