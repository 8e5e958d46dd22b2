//! What things of the broker are called: each kind of name is a type, so that none is taken for another.

use std::str::FromStr;

storage::id! {
    /// A message in the inbox.
    MessageId
}
storage::name! {
    /// A third party, as its manifest and the configuration call it.
    ProviderName;
    /// What can be asked of a provider, as its manifest calls it.
    OperationName;
    /// A secret of a provider, as its manifest calls it.
    SecretId;
    /// A provider's name for what it told.
    EventId;
    /// The name that a caller gave an order, as it goes upstream.
    IdempotencyKey;
}

/// As an operator types it.
impl FromStr for MessageId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
