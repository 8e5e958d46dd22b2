//! The rules of the ledger: a pure function from a state and a command to the next state and an outcome.
//!
//! What holds after every command:
//! - the entries of a posting sum to zero in each currency;
//! - an entry's balance is the one before plus its amount, its version the one before plus one;
//! - no balance is below its account's floor;
//! - a rejected command has changed nothing.
//!
//! Money that has arrived is not refused for its payee: a partner has it for us. It goes where it was meant to go, or to the suspense account of
//! its currency, with the reason. That is decided under the locks of the posting: an account that closes in between changes where the money
//! goes, never whether.

use std::collections::HashMap;

use money::{Currency, Money};

use super::model::{
    Account, Actor, Booked, Broken, Command, Entry, Leg, Outcome, Purpose, Reason, Rejection, system_account,
};
use crate::ids::AccountId;

/// Most legs of one command. An exchange has four.
pub const MAX_LEGS: usize = 16;

/// The accounts that a batch has locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    accounts: HashMap<AccountId, Account>,
}

impl Accounts {
    /// A state of these accounts.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        Self { accounts: accounts.into_iter().map(|account| (account.id, account)).collect() }
    }

    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// All accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }
}

impl Command {
    /// For money that has arrived already, and so cannot be refused: the same into the suspense account of its currency.
    pub fn suspended(&self) -> Option<Self> {
        if self.actor != Actor::House || !self.kind.rules().arrives {
            return None;
        }
        let mut instead = self.clone();
        let to = instead.legs.last_mut()?;
        to.account = system_account(Purpose::Suspense, to.amount.currency());
        Some(instead)
    }

    /// Every account that it may touch: what has to be locked before it is decided.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        let suspense = self.suspended().and_then(|instead| instead.to().map(|leg| leg.account));
        self.legs.iter().map(|leg| leg.account).chain(suspense)
    }
}

/// Applies an order as it is meant: money that has arrived and cannot be credited where it was meant to go is credited to the suspense account of its
/// currency, and what was booked says why.
///
/// A suspense account is nobody's, so who names it names no account.
pub fn book(state: &mut Accounts, command: &Command) -> Result<Outcome<Booked>, Broken> {
    let Some(instead) = command.suspended() else { return Ok(booked(apply(state, command)?, None)) };
    let reason = if instead == *command {
        Reason::NotFound
    } else {
        match apply(state, command)? {
            Outcome::Rejected(rejection) if concerns_payee(rejection, command) => rejection.reason,
            outcome => return Ok(booked(outcome, None)),
        }
    };
    Ok(booked(apply(state, &instead)?, Some(reason)))
}

fn booked(outcome: Outcome<Vec<Entry>>, suspended: Option<Reason>) -> Outcome<Booked> {
    match outcome {
        Outcome::Posted(entries) => Outcome::Posted(Booked { entries, suspended }),
        Outcome::Rejected(rejection) => Outcome::Rejected(rejection),
    }
}

/// True when another payee could have been credited.
fn concerns_payee(Rejection { reason, leg }: Rejection, command: &Command) -> bool {
    let last = i16::try_from(command.legs.len()).is_ok_and(|count| leg + 1 == count);
    let curable = match reason {
        Reason::NotFound | Reason::SameAccount | Reason::Closed | Reason::CurrencyMismatch | Reason::LimitExceeded => {
            true
        }
        Reason::Malformed
        | Reason::NotOwner
        | Reason::Stopped
        | Reason::InsufficientFunds
        | Reason::NoRate
        | Reason::TooSmall
        | Reason::NoPayee
        | Reason::NotOwnPayee
        | Reason::PayeeRemoved => false,
    };
    last && curable
}

/// Applies a command: all of it, or nothing and the reason. After a fault the state is worth nothing.
pub fn apply(state: &mut Accounts, command: &Command) -> Result<Outcome<Vec<Entry>>, Broken> {
    match decide(state, command) {
        Err(rejection) => Ok(Outcome::Rejected(rejection)),
        Ok(entries) => {
            for entry in &entries {
                let account = state.accounts.get_mut(&entry.account).ok_or(Broken("an entry of no account"))?;
                account.balance = entry.balance;
                account.version = entry.version;
            }
            Ok(Outcome::Posted(entries))
        }
    }
}

/// What a command asks is looked at in this order: form, whose, where, how much. Only who may touch an account learns
/// anything about it.
fn decide(state: &Accounts, command: &Command) -> Result<Vec<Entry>, Rejection> {
    check_form(&command.legs)?;
    let mut legs = Vec::with_capacity(command.legs.len());
    for (index, leg) in (0_i16..).zip(&command.legs) {
        let reject = |reason| Rejection { reason, leg: index };
        let account = state.account(leg.account).ok_or(reject(Reason::NotFound))?;
        check_permission(account, leg, command).map_err(reject)?;
        legs.push((index, leg, account));
    }
    for (index, leg, account) in &legs {
        check_account(account, leg).map_err(|reason| Rejection { reason, leg: *index })?;
    }
    legs.iter()
        .map(|(index, leg, account)| entry(account, leg).map_err(|reason| Rejection { reason, leg: *index }))
        .collect()
}

/// At least two legs, none empty, no account twice, zero in each currency.
fn check_form(legs: &[Leg]) -> Result<(), Rejection> {
    let malformed = Rejection { reason: Reason::Malformed, leg: 0 };
    if !(2..=MAX_LEGS).contains(&legs.len()) {
        return Err(malformed);
    }
    let mut sums: Vec<(Currency, i128)> = Vec::with_capacity(2);
    for (index, leg) in (0_i16..).zip(legs) {
        if legs.iter().filter(|other| other.account == leg.account).count() > 1 {
            // The last of the two is the one to name: the first leg is whom the money comes from.
            let last = i16::try_from(legs.len() - 1).map_err(|_| malformed)?;
            return Err(Rejection { reason: Reason::SameAccount, leg: last });
        }
        if leg.amount.minor() == 0 {
            return Err(Rejection { leg: index, ..malformed });
        }
        let amount = i128::from(leg.amount.minor());
        match sums.iter_mut().find(|(currency, _)| *currency == leg.amount.currency()) {
            Some((_, sum)) => *sum += amount,
            None => sums.push((leg.amount.currency(), amount)),
        }
    }
    if sums.iter().all(|(_, sum)| *sum == 0) { Ok(()) } else { Err(malformed) }
}

/// Customers debit their own accounts, unless they are stopped; in an exchange they also credit their own. The house debits no customer, but for what a
/// partner has paid in that one's name. Its own accounts can be reached only by the kinds of command that are made for them.
fn check_permission(account: &Account, leg: &Leg, command: &Command) -> Result<(), Reason> {
    let rules = command.kind.rules();
    if !rules.touches.contains(&account.purpose) {
        return Err(Reason::NotFound);
    }
    let debit = leg.amount.minor() < 0;
    let needs_owner = account.purpose == Purpose::Customer && (debit || rules.own);
    let is_owner = match &command.actor {
        Actor::Customer(subject) => account.owner.as_ref() == Some(subject),
        Actor::House => rules.owed,
    };
    if needs_owner && !is_owner {
        return Err(Reason::NotOwner);
    }
    let orders = matches!(command.actor, Actor::Customer(_));
    if orders && debit && account.stopped { Err(Reason::Stopped) } else { Ok(()) }
}

fn check_account(account: &Account, leg: &Leg) -> Result<(), Reason> {
    if account.closed {
        return Err(Reason::Closed);
    }
    if account.balance.currency() != leg.amount.currency() {
        return Err(Reason::CurrencyMismatch);
    }
    Ok(())
}

fn entry(account: &Account, leg: &Leg) -> Result<Entry, Reason> {
    let balance: Money = account.balance.checked_add(leg.amount).map_err(|_| Reason::LimitExceeded)?;
    if balance.minor() < account.floor {
        return Err(Reason::InsufficientFunds);
    }
    let version = account.version.checked_add(1).ok_or(Reason::LimitExceeded)?;
    Ok(Entry { account: account.id, version, amount: leg.amount, balance })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::posting::model::Kind;

    #[test]
    fn entries_of_an_account_that_is_not_there_are_a_fault_and_not_a_posting() {
        let (from, to) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        let account = |id: AccountId, purpose| Account {
            id,
            owner: None,
            purpose,
            balance: Money::new(0, Currency::EUR),
            floor: -100,
            version: 0,
            closed: false,
            stopped: false,
        };
        // Filed under another id than its own, as no `Accounts::new` does it.
        let mut state = Accounts {
            accounts: [
                (from, account(from, Purpose::Settlement)),
                (to, account(Uuid::nil().into(), Purpose::Settlement)),
            ]
            .into(),
        };
        let command =
            Command::between(Kind::PayoutSettlement, Actor::House, from, to, Money::new(5, Currency::EUR)).unwrap();
        let outcome = apply(&mut state, &command);
        assert_eq!(outcome, Err(Broken("an entry of no account")), "and the books say {state:?}");
    }
}
