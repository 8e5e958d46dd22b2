//! What cannot be written is not left out.

use std::collections::{HashMap, HashSet};

use money::Currency;
use uuid::Uuid;

use super::*;
use crate::posting::batch::{Extra, Fingerprint, Order};
use crate::posting::fold::Accounts;
use crate::posting::model::{Account, Actor, Command, Kind, Purpose};

fn account_id(number: u128) -> AccountId {
    Uuid::from_u128(number).into()
}

fn account(number: u128) -> Account {
    let (purpose, balance) = (Purpose::Customer, Money::new(100, Currency::EUR));
    let owner = Some(Subject::of("alice"));
    Account { id: account_id(number), owner, purpose, balance, floor: 0, version: 0, closed: false, stopped: false }
}

fn order(key: &str, minor: i64) -> Order {
    let (from, to) = (account_id(1), account_id(2));
    let actor = Actor::Customer(Subject::of("alice"));
    Order {
        owner: Owner::of("alice"),
        key: IdempotencyKey::of(key),
        fingerprint: Fingerprint::of(&[&minor.to_be_bytes()]),
        command: Command::between(Kind::Transfer, actor, from, to, Money::new(minor, Currency::EUR)).unwrap(),
        reference: String::new(),
        counterparty: String::new(),
        extra: Extra::Nothing,
    }
}

fn plan(orders: &[Order]) -> Plan<'_> {
    let mut state = Accounts::new([account(1), account(2)]);
    Plan::make(orders, &mut state, &HashMap::new(), &HashSet::new(), || Uuid::nil().into()).unwrap()
}

#[test]
fn a_posting_without_two_entries_is_a_fault_and_not_left_out() {
    let orders = [order("a", 60)];
    for left in [0, 1] {
        let mut plan = plan(&orders);
        plan.postings[0].entries.truncate(left);
        assert!(transfers(&plan.postings).is_err(), "{left} entries");
    }
}
