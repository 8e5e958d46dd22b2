//! The rules as examples, and what must hold after any sequence of commands.

use std::collections::HashMap;

use money::{Currency, Money};
use proptest::prelude::*;
use uuid::Uuid;

use super::fold::{Accounts, apply, book};
use super::model::{
    Account, Actor, Booked, Command, Entry, Kind, Leg, Outcome, Purpose, Reason, Rejection, system_account,
};
use crate::ids::{AccountId, Subject};
use Currency::{EUR, USD};

fn id(number: u8) -> AccountId {
    Uuid::from_u128(u128::from(number)).into()
}

fn customer(number: u8, owner: &str, currency: Currency, balance: i64) -> Account {
    Account {
        id: id(number),
        owner: Some(Subject::of(owner)),
        purpose: Purpose::Customer,
        balance: Money::new(balance, currency),
        floor: 0,
        version: 0,
        closed: false,
        stopped: false,
    }
}

fn house(purpose: Purpose, currency: Currency) -> Account {
    Account {
        id: system_account(purpose, currency),
        owner: None,
        purpose,
        balance: Money::zero(currency),
        floor: if purpose == Purpose::PayoutClearing { 0 } else { i64::MIN },
        version: 0,
        closed: false,
        stopped: false,
    }
}

/// Alice has 1 (EUR 100.00) and 2 (USD 0), Bob has 3 (EUR 0) and 4 (EUR 5.00, closed).
fn state() -> Accounts {
    let mut accounts = vec![
        customer(1, "alice", EUR, 10_000),
        customer(2, "alice", USD, 0),
        customer(3, "bob", EUR, 0),
        Account { closed: true, ..customer(4, "bob", EUR, 500) },
    ];
    for currency in [EUR, USD] {
        accounts.extend(
            [Purpose::Settlement, Purpose::Fx, Purpose::PayoutClearing, Purpose::Suspense]
                .map(|purpose| house(purpose, currency)),
        );
    }
    Accounts::new(accounts)
}

fn alice() -> Actor {
    Actor::Customer(Subject::of("alice"))
}

fn transfer(from: u8, to: u8, minor: i64) -> Command {
    Command::between(Kind::Transfer, alice(), id(from), id(to), Money::new(minor, EUR)).unwrap()
}

fn reason(command: &Command) -> Option<(Reason, i16)> {
    let mut state = state();
    let before = state.clone();
    match apply(&mut state, command).unwrap() {
        Outcome::Posted(_) => None,
        Outcome::Rejected(Rejection { reason, leg }) => {
            assert_eq!(state, before, "a rejected command changed something");
            Some((reason, leg))
        }
    }
}

#[test]
fn a_transfer_moves_money_and_numbers_both_lines() {
    let mut state = state();
    let outcome = apply(&mut state, &transfer(1, 3, 2_500)).unwrap();
    let line = |account, amount, balance| Entry {
        account: id(account),
        version: 1,
        amount: Money::new(amount, EUR),
        balance: Money::new(balance, EUR),
    };
    assert_eq!(outcome, Outcome::Posted(vec![line(1, -2_500, 7_500), line(3, 2_500, 2_500)]));
    assert_eq!(state.account(id(3)).unwrap().balance.minor(), 2_500);
}

#[test]
fn the_last_cent_can_be_spent_and_no_more() {
    assert_eq!(reason(&transfer(1, 3, 10_000)), None);
    assert_eq!(reason(&transfer(1, 3, 10_001)), Some((Reason::InsufficientFunds, 0)));
}

#[test]
fn nobody_debits_an_account_of_somebody_else() {
    assert_eq!(reason(&transfer(3, 1, 1)), Some((Reason::NotOwner, 0)));
    let by_house = Command { actor: Actor::House, ..transfer(1, 3, 1) };
    assert_eq!(reason(&by_house), Some((Reason::NotOwner, 0)));
    let unknown = transfer(9, 3, 1);
    assert_eq!(reason(&unknown), Some((Reason::NotFound, 0)));
}

#[test]
fn a_stranger_learns_nothing_about_an_account() {
    // Closed, too little on it, another currency: all the same to somebody who may not touch it.
    assert_eq!(reason(&transfer(4, 1, 1)), Some((Reason::NotOwner, 0)));
    assert_eq!(reason(&transfer(3, 1, i64::MAX)), Some((Reason::NotOwner, 0)));
}

#[test]
fn the_accounts_of_the_house_are_out_of_reach_for_transfers() {
    let settlement = system_account(Purpose::Settlement, EUR);
    let amount = Money::new(1, EUR);
    let into = Command::between(Kind::Transfer, alice(), id(1), settlement, amount).unwrap();
    assert_eq!(reason(&into), Some((Reason::NotFound, 1)));
    let out_of = Command::between(Kind::Transfer, alice(), settlement, id(1), amount).unwrap();
    assert_eq!(reason(&out_of), Some((Reason::NotFound, 0)));
}

#[test]
fn an_exchange_stays_with_one_owner() {
    let exchange = |to: u8| {
        let leg = |account, minor, currency| Leg { account, amount: Money::new(minor, currency) };
        Command {
            kind: Kind::Exchange,
            actor: alice(),
            legs: vec![
                leg(id(1), -1_000, EUR),
                leg(system_account(Purpose::Fx, EUR), 1_000, EUR),
                leg(system_account(Purpose::Fx, USD), -1_084, USD),
                leg(id(to), 1_084, USD),
            ],
        }
    };
    assert_eq!(reason(&exchange(2)), None);
    assert_eq!(reason(&exchange(3)), Some((Reason::NotOwner, 3)));
}

#[test]
fn who_is_stopped_pays_nobody_and_is_paid() {
    let stopped = Accounts::new(
        state().accounts().map(|account| Account { stopped: account.owner.is_some(), ..account.clone() }),
    );
    let mut after = stopped.clone();
    let refused = apply(&mut after, &transfer(1, 3, 5)).unwrap();
    assert_eq!(refused, Outcome::Rejected(Rejection { reason: Reason::Stopped, leg: 0 }));
    assert_eq!(after, stopped);
    // Whoever may not touch the account does not learn of it.
    let stranger = apply(&mut after, &transfer(3, 1, 1)).unwrap();
    assert_eq!(stranger, Outcome::Rejected(Rejection { reason: Reason::NotOwner, leg: 0 }));
    let settlement = system_account(Purpose::Settlement, EUR);
    let deposit = Command::between(Kind::Deposit, Actor::House, settlement, id(3), Money::new(5, EUR)).unwrap();
    assert!(matches!(book(&mut after, &deposit), Ok(Outcome::Posted(_))));
}

#[test]
fn form_and_currency_and_closing_are_looked_at() {
    assert_eq!(reason(&transfer(1, 1, 5)), Some((Reason::SameAccount, 1)));
    assert_eq!(reason(&transfer(1, 2, 5)), Some((Reason::CurrencyMismatch, 1)));
    assert_eq!(reason(&transfer(1, 4, 5)), Some((Reason::Closed, 1)));
    assert_eq!(reason(&transfer(1, 3, 0)), Some((Reason::Malformed, 0)));
    let mut unbalanced = transfer(1, 3, 5);
    unbalanced.legs[1].amount = Money::new(6, EUR);
    assert_eq!(reason(&unbalanced), Some((Reason::Malformed, 0)));
    assert_eq!(reason(&Command { legs: vec![], ..transfer(1, 3, 5) }), Some((Reason::Malformed, 0)));
}

#[test]
fn a_negative_amount_does_not_pull_money_out_of_somebody_else() {
    let pull = Command::between(Kind::Transfer, alice(), id(1), id(3), Money::new(-5, EUR)).unwrap();
    assert_eq!(reason(&pull), Some((Reason::NotOwner, 1)));
}

#[test]
fn a_balance_that_would_not_fit_is_refused() {
    let mut full = Accounts::new([customer(1, "alice", EUR, i64::MAX), customer(3, "bob", EUR, 1)]);
    let outcome = apply(&mut full, &transfer(1, 3, i64::MAX)).unwrap();
    assert_eq!(outcome, Outcome::Rejected(Rejection { reason: Reason::LimitExceeded, leg: 1 }));
}

fn arrival(kind: Kind, to: AccountId, minor: i64, currency: Currency) -> Command {
    let settlement = system_account(Purpose::Settlement, currency);
    Command::between(kind, Actor::House, settlement, to, Money::new(minor, currency)).unwrap()
}

#[test]
fn money_that_has_arrived_is_booked_whatever_is_wrong_with_its_payee() {
    let cases = [
        (id(1), EUR, None),
        (id(9), EUR, Some(Reason::NotFound)),
        (id(4), EUR, Some(Reason::Closed)),
        (id(1), USD, Some(Reason::CurrencyMismatch)),
        (system_account(Purpose::Settlement, EUR), EUR, Some(Reason::SameAccount)),
        (system_account(Purpose::Fx, EUR), EUR, Some(Reason::NotFound)),
        (system_account(Purpose::Suspense, EUR), EUR, Some(Reason::NotFound)),
        (system_account(Purpose::Suspense, USD), EUR, Some(Reason::CurrencyMismatch)),
    ];
    for kind in [Kind::Deposit, Kind::PayoutReturn] {
        for (wanted, currency, expected) in cases {
            let mut state = state();
            let outcome = book(&mut state, &arrival(kind, wanted, 500, currency)).unwrap();
            let Outcome::Posted(Booked { entries, suspended }) = outcome else {
                panic!("{kind} to {wanted}: {outcome:?}")
            };
            let suspense = system_account(Purpose::Suspense, currency);
            assert_eq!(suspended, expected, "{kind} to {wanted}");
            assert_eq!(entries[1].account, if expected.is_some() { suspense } else { wanted });
            assert_eq!(entries[1].amount, Money::new(500, currency));
        }
    }
    let mut full = Accounts::new([
        customer(1, "alice", EUR, i64::MAX),
        house(Purpose::Settlement, EUR),
        house(Purpose::Suspense, EUR),
    ]);
    let outcome = book(&mut full, &arrival(Kind::Deposit, id(1), 1, EUR)).unwrap();
    let limit = Some(Reason::LimitExceeded);
    assert!(matches!(outcome, Outcome::Posted(Booked { suspended, .. }) if suspended == limit));
}

#[test]
fn what_no_payee_can_cure_is_refused_and_changes_nothing() {
    let lowest = Account { balance: Money::new(i64::MIN, EUR), ..house(Purpose::Settlement, EUR) };
    let low =
        Accounts::new(state().accounts().filter(|account| account.id != lowest.id).cloned().chain([lowest.clone()]));
    let by_alice = Command { actor: alice(), ..arrival(Kind::Deposit, id(9), 1, EUR) };
    for (state, command, expected) in [
        // Not there and not in suspense either: the settlement account cannot go lower.
        (low, arrival(Kind::Deposit, id(4), 1, EUR), (Reason::LimitExceeded, 0)),
        (state(), arrival(Kind::Deposit, id(1), 0, EUR), (Reason::Malformed, 0)),
        // Nothing but money that has arrived goes to suspense.
        (state(), transfer(1, 4, 5), (Reason::Closed, 1)),
        (state(), by_alice, (Reason::NotFound, 1)),
    ] {
        let mut after = state.clone();
        let outcome = book(&mut after, &command).unwrap();
        assert_eq!(outcome, Outcome::Rejected(Rejection { reason: expected.0, leg: expected.1 }));
        assert_eq!(after, state);
    }
}

#[test]
fn everything_that_a_booking_may_touch_is_named_before() {
    let suspense = system_account(Purpose::Suspense, EUR);
    let deposit = arrival(Kind::Deposit, id(4), 1, EUR);
    assert!(deposit.accounts().any(|account| account == suspense));
    assert_eq!(transfer(1, 3, 1).accounts().collect::<Vec<_>>(), [id(1), id(3)]);
}

/// Commands that are often right, often nearly right, and now and then nonsense.
fn command() -> impl Strategy<Value = Command> {
    let account = prop_oneof![
        8 => (1_u8..=5).prop_map(id),
        3 => (0_usize..4, prop_oneof![Just(EUR), Just(USD)]).prop_map(|(purpose, currency)| {
            let purposes = [Purpose::Settlement, Purpose::Fx, Purpose::PayoutClearing, Purpose::Suspense];
            system_account(purposes[purpose], currency)
        }),
    ];
    let minor = prop_oneof![20 => -9_000_i64..9_000, 1 => any::<i64>()];
    let leg = (account, minor, prop_oneof![Just(EUR), Just(USD)])
        .prop_map(|(account, minor, currency)| Leg { account, amount: Money::new(minor, currency) });
    let kind = proptest::sample::select(vec![
        Kind::Deposit,
        Kind::Transfer,
        Kind::Exchange,
        Kind::Payout,
        Kind::PayoutSettlement,
        Kind::PayoutReversal,
        Kind::PayoutReturn,
        Kind::PayoutPaidLate,
        Kind::Allocation,
        Kind::PayoutFound,
    ]);
    let actor = prop_oneof![Just(alice()), Just(Actor::Customer(Subject::of("bob"))), Just(Actor::House)];
    (kind, actor, proptest::collection::vec(leg, 0..5), 0_u8..10).prop_map(|(kind, actor, mut legs, repair)| {
        // Most of the time the last leg is made to fit, else hardly anything would ever be posted.
        if repair < 8 && legs.len() > 1 {
            let currency = legs[0].amount.currency();
            for leg in &mut legs {
                leg.amount = Money::new(leg.amount.minor(), currency);
            }
            let last = legs.len() - 1;
            let rest: i64 = legs[..last].iter().fold(0, |sum, leg| sum.saturating_add(leg.amount.minor()));
            legs[last].amount = Money::new(rest.saturating_neg(), currency);
        }
        Command { kind, actor, legs }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_books_stay_right_whatever_is_asked(commands in proptest::collection::vec(command(), 1..40)) {
        let mut state = state();
        let start = state.clone();
        let mut lines: HashMap<AccountId, (i64, i64)> =
            start.accounts().map(|account| (account.id, (0, account.balance.minor()))).collect();
        for command in &commands {
            let before = state.clone();
            match book(&mut state, command).unwrap() {
                Outcome::Rejected(_) => prop_assert_eq!(&state, &before),
                Outcome::Posted(Booked { entries, .. }) => {
                    let mut sums: HashMap<Currency, i128> = HashMap::new();
                    for entry in &entries {
                        *sums.entry(entry.amount.currency()).or_default() += i128::from(entry.amount.minor());
                        let (version, balance) = lines.get_mut(&entry.account).unwrap();
                        prop_assert_eq!(entry.version, *version + 1);
                        prop_assert_eq!(entry.balance.minor(), *balance + entry.amount.minor());
                        (*version, *balance) = (entry.version, entry.balance.minor());
                    }
                    prop_assert!(sums.values().all(|sum| *sum == 0));
                    prop_assert_eq!(entries.len(), command.legs.len());
                }
            }
        }
        for account in state.accounts() {
            prop_assert!(account.balance.minor() >= account.floor);
            prop_assert_eq!((account.version, account.balance.minor()), lines[&account.id]);
        }
        for currency in [EUR, USD] {
            let total = |state: &Accounts| -> i128 {
                let of = state.accounts().filter(|account| account.balance.currency() == currency);
                of.map(|account| i128::from(account.balance.minor())).sum()
            };
            prop_assert_eq!(total(&state), total(&start));
        }
    }

    #[test]
    fn only_its_owner_takes_money_off_a_customers_account_or_the_house_what_a_partner_has_paid(commands in proptest::collection::vec(command(), 1..40)) {
        let mut state = state();
        for command in &commands {
            let owed = command.kind == Kind::PayoutFound && command.actor == Actor::House;
            if let Outcome::Posted(Booked { entries, .. }) = book(&mut state, command).unwrap() && !owed {
                for entry in entries.iter().filter(|entry| entry.amount.minor() < 0) {
                    if let Some(owner) = &state.account(entry.account).unwrap().owner {
                        prop_assert_eq!(&command.actor, &Actor::Customer(owner.clone()));
                    }
                }
            }
        }
    }
}
