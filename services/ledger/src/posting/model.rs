//! The words of posting. Amounts are signed: positive is money in.

use chrono::{DateTime, Utc};
use money::{Currency, Money};

use crate::ids::{AccountId, Subject, TransferId};

/// What an account is for. Stored and shown in snake case, as are all words here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// It belongs to a customer.
    Customer,
    /// The house's account with its partner bank, seen from inside: negative by what the customers have.
    Settlement,
    /// The house's position in a currency.
    Fx,
    /// Money that has left a customer and not yet the house.
    PayoutClearing,
    /// Money that arrived and could not be booked where it was meant to go, or that left although it had been given back. A person allocates it.
    Suspense,
}

/// What holds of a kind of posting, here and for whoever is told of a refusal.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The namespace of its idempotency keys. Kinds that share theirs exclude each other.
    pub operation: &'static str,
    /// The accounts that it may touch, by what they are for.
    pub touches: &'static [Purpose],
    /// Whose fault a refusal is.
    pub blames: Blame,
    /// The money has arrived already and cannot be refused: what cannot be credited goes to suspense.
    pub arrives: bool,
    /// Who is debited must own what is credited, too.
    pub own: bool,
    /// A partner has paid it in a customer's name, so the house may debit that customer.
    pub owed: bool,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The request's `from_account`, if the first leg was refused, else its `to_account`.
    Accounts,
    /// This field of the request.
    Field(&'static str),
    /// The house: what the payee is to blame for went to suspense, and what is left is about accounts of the house.
    House,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident [$($purpose:ident)*] $blames:expr $(, $rule:ident: $value:expr)*;)*) => {
        /// What a transfer is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr)]
        #[strum(serialize_all = "snake_case", const_into_str)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// What holds of it.
            pub const fn rules(self) -> Rules {
                match self {
                    $(Self::$kind => Rules {
                        touches: &[$(Purpose::$purpose),*], blames: $blames, $($rule: $value,)* ..Rules::named(Self::$kind.into_str())
                    },)*
                }
            }
        }
    };
}

// The one table of kinds: the accounts that it may touch, what a refusal blames, and what else holds of it.
kinds! {
    /// Money came in from a partner bank.
    Deposit [Customer Settlement Suspense] Blame::House, arrives: true;
    /// From one customer to another.
    Transfer [Customer] Blame::Accounts;
    /// From one currency into another.
    Exchange [Customer Fx] Blame::Accounts, own: true;
    /// Money is on its way out.
    Payout [Customer PayoutClearing] Blame::Accounts;
    /// It has arrived. A payout ends once, one way.
    PayoutSettlement [PayoutClearing Settlement] Blame::Field("payout_id"), operation: "payout_closing";
    /// It could not be paid and is back.
    PayoutReversal [Customer PayoutClearing Suspense] Blame::Field("payout_id"),
        operation: "payout_closing", arrives: true;
    /// It was paid, and the creditor's bank has sent it back.
    PayoutReturn [Customer Settlement Suspense] Blame::House, arrives: true;
    /// It was paid after all, although it had been given back to the customer.
    PayoutPaidLate [Suspense Settlement] Blame::Field("payout_id");
    /// And then the creditor's bank has sent it back.
    PayoutReturnLate [Suspense Settlement] Blame::Accounts;
    /// An operator has found out whose the money in suspense is.
    Allocation [Suspense Customer] Blame::Field("account_id");
    /// A partner has this order, and the books, which were restored, had forgotten it.
    PayoutFound [Customer Suspense Settlement] Blame::Field("account_id"), owed: true;
}

impl Rules {
    const fn named(operation: &'static str) -> Self {
        Self { operation, touches: &[], blames: Blame::Accounts, arrives: false, own: false, owed: false }
    }
}

impl Kind {
    /// The namespace of idempotency keys.
    pub const fn operation(self) -> &'static str {
        self.rules().operation
    }

    /// Reads what [`Self::operation`] gave.
    pub fn operation_from_text(text: &str) -> Option<&'static str> {
        Self::ALL.iter().map(|kind| kind.operation()).find(|operation| *operation == text)
    }
}

/// The id of the house's account for a purpose and currency, as the migrations make it.
pub fn system_account(purpose: Purpose, currency: Currency) -> AccountId {
    let tag = match purpose {
        Purpose::Customer => 0,
        Purpose::Settlement => 1,
        Purpose::Fx => 2,
        Purpose::PayoutClearing => 3,
        Purpose::Suspense => 4,
    };
    let mut id: [u8; 16] = [0, 0, 0, 0, 0, 0, 0x80, 0, 0x80, 0, 0, 0, 0, 0, 0, tag];
    for (byte, letter) in id.iter_mut().skip(10).zip(currency.code().bytes()) {
        *byte = letter;
    }
    AccountId::from_bytes(id)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A user. May debit own accounts only.
    Customer(Subject),
    /// The house itself, on a partner's word. Debits a customer only where the partner has paid in that customer's name.
    House,
}

/// An account as the fold sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub owner: Option<Subject>,
    /// What it is for.
    pub purpose: Purpose,
    /// The balance, in the account's only currency.
    pub balance: Money,
    /// The balance may not go below it (minor units).
    pub floor: i64,
    /// Number of entries so far.
    pub version: i64,
    /// Takes no more postings.
    pub closed: bool,
    /// Its owner may take nothing off it: an operator has stopped them.
    pub stopped: bool,
}

/// One line that a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    pub account: AccountId,
    /// Signed.
    pub amount: Money,
}

/// What is to happen: all legs or none. The first leg is the debited account, the last the credited one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it is about.
    pub kind: Kind,
    pub actor: Actor,
    /// Sums to zero in each currency, no account twice.
    pub legs: Vec<Leg>,
}

impl Command {
    /// Two legs: `amount` from one account to the other.
    pub fn between(
        kind: Kind,
        actor: Actor,
        from: AccountId,
        to: AccountId,
        amount: Money,
    ) -> Result<Self, money::MoneyError> {
        let legs = vec![Leg { account: from, amount: amount.checked_neg()? }, Leg { account: to, amount }];
        Ok(Self { kind, actor, legs })
    }

    /// The leg that the money comes from.
    pub fn from(&self) -> Option<&Leg> {
        self.legs.first()
    }

    /// The leg that it goes to.
    pub fn to(&self) -> Option<&Leg> {
        self.legs.last()
    }
}

/// One line that was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub account: AccountId,
    /// Its number in the account, from 1.
    pub version: i64,
    /// Signed.
    pub amount: Money,
    /// What is on the account after it.
    pub balance: Money,
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// Not a balanced set of legs. A fault of ours.
    Malformed,
    /// No such account, or none that this kind of command may touch.
    NotFound,
    /// Somebody else's account. The caller sees [`Reason::NotFound`].
    NotOwner,
    /// An account occurs twice.
    SameAccount,
    /// The account is closed.
    Closed,
    /// An operator has stopped its owner.
    Stopped,
    /// The account has another currency.
    CurrencyMismatch,
    /// The balance would go below the floor.
    InsufficientFunds,
    /// The balance would not fit.
    LimitExceeded,
    /// No rate is published for the pair of currencies.
    NoRate,
    /// The amount buys less than the other currency's smallest unit.
    TooSmall,
    /// There is no such payee.
    NoPayee,
    /// Somebody else's payee. The caller sees [`Reason::NoPayee`].
    NotOwnPayee,
    /// The payee was removed. The caller sees [`Reason::NoPayee`].
    PayeeRemoved,
}

/// A refusal and the leg that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    pub reason: Reason,
    /// Index of the leg.
    pub leg: i16,
}

/// What cannot happen has happened: a fault in the rules or in the plan made of them, and no reason to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken(pub &'static str);

/// What became of an order or its command. An order's never changes again, but for a refusal to the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<P = Posted> {
    /// The money has moved.
    Posted(P),
    /// Nothing has changed and, under this key of a customer, never will.
    Rejected(Rejection),
}

/// A posting as its sender learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    pub id: TransferId,
    /// Its position in the ledger.
    pub sequence: i64,
    pub at: DateTime<Utc>,
}

/// What a command has made of the accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// One per leg, in the order of the legs.
    pub entries: Vec<Entry>,
    /// Why the money went to suspense and not where the command says.
    pub suspended: Option<Reason>,
}

/// Why an order has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nothing has happened; come back.
    #[error("the committer is busy")]
    Busy,
    /// It may have happened; ask again with the same key.
    #[error("the outcome is not known yet")]
    Unknown,
    /// Nothing has happened, and a second attempt would end the same way: a fault of ours. The cause is in the log.
    #[error("the order could not be written")]
    Fault,
    /// Nothing has happened: the owner has as many of what was ordered as one may have. It may have fewer later, so this is no outcome of the key.
    #[error("as many as one owner may have: {0}")]
    Ceiling(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_accounts_have_the_ids_that_the_migrations_give_them() {
        let id = system_account(Purpose::Fx, Currency::EUR);
        assert_eq!(id.to_string(), "00000000-0000-8000-8000-455552000002");
    }
}
