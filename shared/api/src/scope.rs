//! OAuth scopes. One zero-sized type for each, so that a handler names its permission in its type.

/// A permission that an access token can carry.
pub trait Scope: 'static {
    /// The scope's text in tokens and metadata.
    const NAME: &'static str;
}

// No derive: a scope is a type.
macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* #[derive(Debug, Clone, Copy, PartialEq, Eq)] pub struct $name;
          impl Scope for $name { const NAME: &'static str = $text; })*
        /// Every API scope, in the order of the documentation.
        pub const ALL: &[&str] = &[$($text),*];
    };
}

scopes! {
    /// Read own accounts, entries, transfers, payouts and payees.
    AccountsRead = "accounts:read";
    /// Open an account.
    AccountsWrite = "accounts:write";
    /// Move money to another account in the house.
    TransfersWrite = "transfers:write";
    /// Change one currency into another.
    ExchangesWrite = "exchanges:write";
    /// Move money out of the house, and say to whom: add and remove payees.
    PayoutsWrite = "payouts:write";
}
