//! What things of the broker are called: each kind of name is a type, so that none is taken for another.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

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

macro_rules! named {
    ($($name:ident $example:literal)*) => { $(
        /// As a path has it. One that is no provider's is not found.
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "examples": [$example] })
            }
        }
    )* };
}

named! {
    ProviderName "a-bank"
    OperationName "order_payment"
}
