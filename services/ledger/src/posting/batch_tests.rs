//! What becomes of orders that come together.

use money::{Currency, Money};
use uuid::Uuid;

use super::*;
use crate::ids::Subject;
use crate::posting::model::{Account, Actor, Command, Kind, Purpose, Reason};

fn account_id(number: u128) -> AccountId {
    Uuid::from_u128(number).into()
}

fn account(number: u128, balance: i64) -> Account {
    Account {
        id: account_id(number),
        owner: Some(Subject::of("alice")),
        purpose: Purpose::Customer,
        balance: Money::new(balance, Currency::EUR),
        floor: 0,
        version: 0,
        closed: false,
        stopped: false,
    }
}

fn order(key: &str, minor: i64) -> Order {
    let (from, to) = (account_id(1), account_id(2));
    let actor = Actor::Customer(Subject::of("alice"));
    let amount = Money::new(minor, Currency::EUR);
    Order {
        owner: Owner::of("alice"),
        key: IdempotencyKey::of(key),
        fingerprint: Fingerprint::of(&[&minor.to_be_bytes()]),
        command: Command::between(Kind::Transfer, actor, from, to, amount).unwrap(),
        reference: String::new(),
        counterparty: String::new(),
        extra: Extra::Nothing,
    }
}

const NUMBERED: Numbered = Numbered { base: 7, at: DateTime::UNIX_EPOCH };

fn plan<'a>(orders: &'a [Order], recorded: &HashMap<Intent, Recorded>, held: &[u128]) -> Plan<'a> {
    let mut state = Accounts::new([account(1, 100), account(2, 0)]);
    let mut next = 100;
    let held = held.iter().map(|number| account_id(*number)).collect();
    Plan::make(orders, &mut state, recorded, &held, || {
        next += 1;
        Uuid::from_u128(next).into()
    })
    .unwrap()
}

fn decide<'a>(orders: &'a [Order], recorded: &HashMap<Intent, Recorded>) -> (Plan<'a>, Vec<Answer>) {
    let plan = plan(orders, recorded, &[]);
    let answer = |fate| match fate {
        Fate::Answered(answer) => answer,
        Fate::Waits(account) => panic!("{account}"),
    };
    let answers = plan.fates(Some(NUMBERED)).unwrap().into_iter().map(answer).collect();
    (plan, answers)
}

fn posted(id: u128, sequence: i64) -> Outcome {
    Outcome::Posted(Posted { id: Uuid::from_u128(id).into(), sequence, at: DateTime::UNIX_EPOCH })
}

#[test]
fn postings_are_numbered_without_a_gap_past_rejections() {
    let orders = [order("a", 60), order("b", 60), order("c", 40)];
    let (plan, answers) = decide(&orders, &HashMap::new());
    let refused = Outcome::Rejected(Rejection { reason: Reason::InsufficientFunds, leg: 0 });
    let expected = [posted(101, 8), refused, posted(102, 9)].map(Answer::Decided);
    assert_eq!(answers, expected);
    assert_eq!((plan.postings.len(), plan.rejections.len()), (2, 1));
}

#[test]
fn a_key_twice_in_one_batch_has_one_effect_and_one_answer() {
    let orders = [order("a", 60), order("a", 60), order("a", 61)];
    let (plan, answers) = decide(&orders, &HashMap::new());
    assert_eq!(answers, [Answer::Decided(posted(101, 8)), Answer::Replayed(posted(101, 8)), Answer::KeyReused]);
    assert_eq!(plan.postings.len(), 1);
}

#[test]
fn a_rejection_is_as_final_as_a_posting() {
    let orders = [order("a", 101), order("a", 101)];
    let (plan, answers) = decide(&orders, &HashMap::new());
    let refused = Outcome::Rejected(Rejection { reason: Reason::InsufficientFunds, leg: 0 });
    assert_eq!(answers, [Answer::Decided(refused), Answer::Replayed(refused)]);
    assert_eq!(plan.rejections.len(), 1);
}

#[test]
fn an_order_that_was_refused_before_it_came_here_is_recorded_and_moves_nothing() {
    let rejection = Rejection { reason: Reason::NoRate, leg: 0 };
    let refused = Order { extra: Extra::Refused(rejection), ..order("a", 60) };
    let orders = [refused.clone(), order("a", 60), refused];
    let (plan, answers) = decide(&orders, &HashMap::new());
    let outcome = Outcome::Rejected(rejection);
    assert_eq!(answers, [Answer::Decided(outcome), Answer::Replayed(outcome), Answer::Replayed(outcome)]);
    assert!(plan.postings.is_empty());
    let [(order, kept)] = plan.rejections.as_slice() else { panic!("{:?}", plan.rejections) };
    assert_eq!((&order.key, *kept), (&orders[0].key, rejection));
}

#[test]
fn a_refusal_to_the_house_is_not_kept_and_spoils_no_later_order() {
    let house = |minor| {
        let amount = Money::new(minor, Currency::EUR);
        let (from, to) = (account_id(1), account_id(2));
        let command = Command::between(Kind::Transfer, Actor::House, from, to, amount).unwrap();
        Order { command, ..order("a", minor) }
    };
    let orders = [house(5), house(6), order("a", 60)];
    let (plan, answers) = decide(&orders, &HashMap::new());
    let refused = Outcome::Rejected(Rejection { reason: Reason::NotOwner, leg: 0 });
    assert_eq!(answers, [refused, refused, posted(101, 8)].map(Answer::Decided));
    assert!(plan.rejections.is_empty());
}

#[test]
fn what_was_recorded_before_is_answered_and_not_decided_again() {
    let known = order("a", 60);
    let recorded = Recorded { fingerprint: known.fingerprint, outcome: posted(5, 1) };
    let recorded = HashMap::from([(known.intent(), recorded)]);
    let orders = [order("a", 60), order("a", 1)];
    let (plan, answers) = decide(&orders, &recorded);
    assert_eq!(answers, [Answer::Replayed(posted(5, 1)), Answer::KeyReused]);
    assert!(plan.postings.is_empty() && plan.rejections.is_empty());
}

#[test]
fn what_needs_a_held_account_waits_and_is_neither_posted_nor_refused() {
    let known = order("known", 60);
    let recorded = Recorded { fingerprint: known.fingerprint, outcome: posted(5, 1) };
    let recorded = HashMap::from([(known.intent(), recorded)]);
    let orders = [order("a", 60), known, order("a", 60)];
    let plan = plan(&orders, &recorded, &[2, 9]);
    let waits = Fate::Waits(account_id(2));
    let replayed = Fate::Answered(Answer::Replayed(posted(5, 1)));
    assert_eq!(plan.fates(None), Ok(vec![waits, replayed, waits]));
    assert!(plan.postings.is_empty() && plan.rejections.is_empty());
}

#[test]
fn a_key_is_of_the_operation_of_its_orders_command() {
    let of = |kind| {
        let amount = Money::new(5, Currency::EUR);
        let command = Command::between(kind, Actor::House, account_id(1), account_id(2), amount).unwrap();
        Order { command, ..order("a", 5) }.intent()
    };
    assert_ne!(of(Kind::Deposit), of(Kind::PayoutReturn));
    assert_eq!(of(Kind::PayoutSettlement), of(Kind::PayoutReversal), "a payout ends once, one way");
    let stored = |operation| Intent::stored(Owner::of("alice"), operation, IdempotencyKey::of("a"));
    assert_eq!(stored("payout_closing"), Some(of(Kind::PayoutReversal)));
    assert_eq!(stored("payout_settlement"), None, "the name of a kind and of no operation");
}

#[test]
fn a_posting_without_a_number_is_a_fault_and_not_an_answer() {
    let orders = [order("a", 60)];
    assert!(plan(&orders, &HashMap::new(), &[]).fates(None).is_err());
}

#[test]
fn fields_cannot_be_moved_across_their_borders() {
    assert_ne!(Fingerprint::of(&[b"ab", b"c"]), Fingerprint::of(&[b"a", b"bc"]));
    assert_ne!(Fingerprint::of(&[b"a", b""]), Fingerprint::of(&[b"a"]));
}

#[test]
fn of_two_clients_either_may_name_the_posting() {
    #[derive(Debug, Clone, Copy)]
    struct Client(Option<u128>);
    impl Beside for Client {
        fn rows(&self, _posting: &Posting<'_>, _rows: &mut Rows) -> Result<(), Broken> {
            Ok(())
        }

        fn id(&self) -> Option<TransferId> {
            self.0.map(|number| Uuid::from_u128(number).into())
        }
    }
    for (first, second, named) in [(Some(5), None, Some(5)), (None, Some(6), Some(6)), (None, None, None)] {
        let extra = Extra::beside(Client(first)).and(Client(second));
        let order = Order { extra, ..order("a", 5) };
        assert_eq!(order.id(), named.map(|number: u128| Uuid::from_u128(number).into()));
    }
}
