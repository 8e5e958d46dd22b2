//! What things of this service are called, beside what is called so elsewhere, too ([`api::ClientId`], [`identity::Thumbprint`] …).

storage::wire_id! {
    /// A person; also the pseudonymous subject that everybody else knows.
    UserId;
    /// Something that the behavior analytics are told.
    SignalId;
}

storage::id! {
    /// What a person has allowed a client to do.
    GrantId;
    /// A passkey of a person.
    PasskeyId;
}
