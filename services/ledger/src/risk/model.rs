//! A payment that is about to be made, and what is thought of it. No I/O.

use api::Pseudonym;
use api::behavior::{Action, Place};
use defense::Word;
use money::Money;

use crate::ids::{AccountId, DecisionId, Subject};

/// A payment that somebody is about to make.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The request that wants to pay.
    pub request: Option<api::Id>,
    /// When, in milliseconds since 1970.
    pub at_unix_millis: i64,
    /// Who pays.
    pub user: Subject,
    /// The installation that asks for it, by its key's thumbprint.
    pub device: Pseudonym,
    /// From where, if it is known.
    pub place: Option<Place>,
    /// Who is paid.
    pub payee: Payee,
    /// How much.
    pub amount: Money,
}

/// Who is paid, as far as it is known before anything is read.
#[derive(Debug, Clone)]
pub enum Payee {
    /// Whoever owns this account.
    Owner(AccountId),
    /// Under this name.
    Named(Pseudonym),
}

/// What is thought of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was judged.
    Judged(Judged),
    /// It is none: the money stays with its owner.
    NotAsked,
    /// Nobody has said, for this reason.
    Unknown(&'static str),
}

/// A judgement that the analytics have stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Under which.
    pub decision: DecisionId,
    /// What was to be done.
    pub action: Action,
}

/// What a payment takes before its money moves, because of how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caution {
    /// Nothing more than any other.
    Usual,
    /// Its payer's approval, however small it is.
    Approval,
    /// That, and time: a payout is held for so many seconds before it is sent. A transfer stays in the house, and is not.
    Hold(u32),
}

impl Caution {
    /// A hold of so many seconds; of none, nothing.
    pub const fn held_for(seconds: u32) -> Self {
        if seconds == 0 { Self::Usual } else { Self::Hold(seconds) }
    }

    /// How long a payout is held, in seconds; 0 for not at all.
    pub const fn hold_seconds(self) -> u32 {
        match self {
            Self::Usual | Self::Approval => 0,
            Self::Hold(seconds) => seconds,
        }
    }
}

impl Judged {
    /// What follows from it, where what would be delayed is held for `hold` seconds.
    pub(super) const fn caution(self, hold: u32) -> Caution {
        match self.action {
            Action::Allow => Caution::Usual,
            Action::StepUp => Caution::Approval,
            Action::Delay => Caution::Hold(hold),
        }
    }

    /// As it is noted.
    pub(super) fn word(self) -> Word {
        match self.action {
            Action::Allow => Word::Pass,
            Action::StepUp | Action::Delay => Word::Challenge(self.action.into()),
        }
    }
}
