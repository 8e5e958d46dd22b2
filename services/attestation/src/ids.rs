//! What things of this service are called, beside what is called so on the wire, too ([`api::ClientId`], [`identity::Thumbprint`] …).

storage::name! {
    /// A version of the policy.
    PolicyId
}
