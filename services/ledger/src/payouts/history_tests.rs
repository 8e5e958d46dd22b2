//! A bank, a network that loses what it likes, couriers that die or are overtaken, and the rules of [`super`]: in every order.
//!
//! The ledger here is the rules and the conditions of the statements in `payouts::store` and `posting::store`, on one payout of one unit.

use proptest::prelude::*;

use super::*;

/// Whether the money is still on its way.
fn is_open(standing: Standing) -> bool {
    matches!(standing, Standing::Pending | Standing::Submitted)
}

/// The partner's books on this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bank {
    Unheard,
    Rejected,
    Accepted,
    Paid,
    Failed,
}

/// How an attempt fares at the bank, and what the courier hears of it. A bank that has booked an order refuses a repetition if it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Booked, and said so.
    Accepted,
    /// Booked, and the answer is lost, late, or a 4xx or 5xx of something in between.
    LostAfter,
    /// Not booked, and nobody can tell.
    LostBefore,
    /// Refused in the agreed words.
    Refused,
    /// The same, by a bank that keeps no record of it.
    RefusedAndForgotten,
    /// Nothing was sent.
    NotSent,
    /// The courier dies when the bank has booked the order.
    CrashAfter,
    /// The courier dies before anything was sent.
    CrashBefore,
}

const FATES: [Fate; 8] = [
    Fate::Accepted,
    Fate::LostAfter,
    Fate::LostBefore,
    Fate::Refused,
    Fate::RefusedAndForgotten,
    Fate::NotSent,
    Fate::CrashAfter,
    Fate::CrashBefore,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// A courier takes the payout. The lease of an earlier one may be over while it is still under way.
    Claim,
    /// The courier that has been under way for longest ends so.
    First(Fate),
    /// The one that began last does.
    Last(Fate),
    /// The bank decides, and its event is on the way.
    Pay,
    Fail,
    /// The oldest event arrives; it may arrive again.
    Deliver,
    /// The courier asks where the payout stands.
    Ask,
}

fn actions() -> Vec<Action> {
    let fates = FATES.iter().flat_map(|&fate| [Action::First(fate), Action::Last(fate)]);
    fates.chain([Action::Claim, Action::Pay, Action::Fail, Action::Deliver, Action::Ask]).collect()
}

#[derive(Debug, Clone)]
struct World {
    bank: Bank,
    events: Vec<PayoutOutcome>,
    couriers: Vec<(u32, bool)>,
    standing: Standing,
    attempts: u32,
    unsure_by: Option<u32>,
    paid_late: bool,
    returned: bool,
    /// Units on the customer's account, in settlement (that have left the house) and in suspense.
    customer: i64,
    left: i64,
    suspense: i64,
    alarms: u32,
}

impl World {
    fn new() -> Self {
        Self {
            bank: Bank::Unheard,
            events: Vec::new(),
            couriers: Vec::new(),
            standing: Standing::Pending,
            attempts: 0,
            unsure_by: None,
            paid_late: false,
            returned: false,
            customer: 0,
            left: 0,
            suspense: 0,
            alarms: 0,
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Claim if self.standing == Standing::Pending && self.couriers.len() < 2 => {
                self.attempts += 1;
                self.couriers.push((self.attempts, self.unsure_by.is_some()));
                self.unsure_by.get_or_insert(self.attempts);
            }
            Action::First(fate) if !self.couriers.is_empty() => {
                let courier = self.couriers.remove(0);
                self.attempt(courier, fate);
            }
            Action::Last(fate) => {
                if let Some(courier) = self.couriers.pop() {
                    self.attempt(courier, fate);
                }
            }
            Action::Pay if self.bank == Bank::Accepted => {
                self.bank = Bank::Paid;
                self.events.push(PayoutOutcome::Paid);
            }
            Action::Fail if self.bank == Bank::Accepted => {
                self.bank = Bank::Failed;
                self.events.push(PayoutOutcome::Failed);
            }
            Action::Deliver => {
                if let Some(event) = self.events.first().copied() {
                    self.hear(event);
                }
            }
            Action::Ask => self.ask(),
            Action::Claim | Action::First(_) | Action::Pay | Action::Fail => (),
        }
    }

    fn attempt(&mut self, (attempt, unsure_before): (u32, bool), fate: Fate) {
        let books = matches!(fate, Fate::Accepted | Fate::LostAfter | Fate::CrashAfter);
        match (self.bank, fate) {
            (Bank::Unheard, _) if books => self.bank = Bank::Accepted,
            (Bank::Unheard, Fate::Refused) => self.bank = Bank::Rejected,
            _ => (),
        }
        let text = String::new;
        let submission = match fate {
            Fate::Accepted if self.bank == Bank::Rejected => Submission::Refused(text()),
            Fate::Accepted => Submission::Taken(text()),
            Fate::LostAfter | Fate::LostBefore => Submission::Unknown(text()),
            Fate::Refused | Fate::RefusedAndForgotten => Submission::Refused(text()),
            Fate::NotSent => Submission::NotSent(text()),
            Fate::CrashAfter | Fate::CrashBefore => return,
        };
        let alone = self.unsure_by == Some(self.attempts);
        match conclude(unsure_before, submission) {
            Conclusion::Submitted(_) if self.standing == Standing::Pending => self.standing = Standing::Submitted,
            Conclusion::Refused(_) if self.standing == Standing::Pending && alone => self.step(Step::GiveBack),
            Conclusion::Untouched(_) if self.standing == Standing::Pending && alone && self.attempts == attempt => {
                self.unsure_by = None;
            }
            _ => (),
        }
    }

    fn ask(&mut self) {
        match self.bank {
            Bank::Rejected | Bank::Failed => self.hear(PayoutOutcome::Failed),
            Bank::Paid => self.hear(PayoutOutcome::Paid),
            Bank::Accepted if self.standing == Standing::Pending => self.standing = Standing::Submitted,
            Bank::Accepted | Bank::Unheard => (),
        }
    }

    fn hear(&mut self, word: PayoutOutcome) {
        loop {
            match next_step(self.standing, self.paid_late, self.returned, word) {
                Ok(Some(step)) => self.step(step),
                Ok(None) => return,
                Err(Contradiction) => {
                    self.alarms += 1;
                    return;
                }
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Settle => (self.left, self.standing) = (self.left + 1, Standing::Paid),
            Step::GiveBack => (self.customer, self.standing) = (self.customer + 1, Standing::Failed),
            Step::PayLate => {
                self.alarms += 1;
                (self.left, self.suspense, self.paid_late) = (self.left + 1, self.suspense - 1, true);
            }
            Step::Return => {
                (self.left, self.customer) = (self.left - 1, self.customer + 1);
                (self.standing, self.returned) = (Standing::Returned, true);
            }
            Step::ReturnLate => (self.left, self.suspense, self.returned) = (self.left - 1, self.suspense + 1, true),
        }
    }

    fn check(&self) -> Result<(), String> {
        let paid = i64::from(self.bank == Bank::Paid);
        let open = i64::from(is_open(self.standing));
        let whole = self.customer + self.left - self.suspense.abs() + open == 1;
        // The customer has it back, and the bank pays it or still may.
        let twice = self.customer > 0 && matches!(self.bank, Bank::Accepted | Bank::Paid);
        let still_on_its_way = !self.couriers.is_empty() && self.customer > 0 && self.bank == Bank::Unheard;
        match () {
            () if !whole => Err("money was made or lost".to_owned()),
            () if twice || still_on_its_way => Err("given back, and paid or payable".to_owned()),
            () if self.left > paid => Err("settled, and not paid".to_owned()),
            () => Ok(()),
        }
    }

    /// The couriers end, the network heals, the bank decides; then everything is known, or the payout says that it is not.
    fn settle(&mut self) -> Result<(), String> {
        while !self.couriers.is_empty() {
            self.act(Action::First(Fate::LostBefore));
        }
        self.act(Action::Pay);
        while !self.events.is_empty() {
            self.act(Action::Deliver);
            self.events.remove(0);
        }
        self.act(Action::Ask);
        self.check()?;
        let agree = match self.bank {
            Bank::Paid => self.left == 1 && self.customer == 0,
            Bank::Failed | Bank::Rejected => self.left == 0 && self.customer == 1,
            Bank::Unheard => self.left == 0,
            Bank::Accepted => false,
        };
        let open_and_unknown = self.standing == Standing::Pending && (self.unsure_by.is_some() || self.attempts == 0);
        let untouched = self.standing == Standing::Pending && self.bank == Bank::Unheard;
        let given_back = self.bank == Bank::Unheard && self.customer == 1;
        if agree && (!is_open(self.standing) || open_and_unknown || untouched || given_back) {
            return Ok(());
        }
        Err("the books of the house and of the bank disagree, and nobody says so".to_owned())
    }
}

fn run(actions: &[Action]) -> Result<(), String> {
    let mut world = World::new();
    for action in actions {
        world.act(*action);
        world.check().map_err(|what| format!("{what}: {world:?}"))?;
    }
    // Nothing here contradicts itself or pays late: the bank is honest.
    if world.alarms > 0 || world.suspense != 0 {
        return Err(format!("an alarm without a cause: {world:?}"));
    }
    world.settle().map_err(|what| format!("{what}: {world:?}"))
}

/// 21 actions: some 200,000 orders of four after the first claim.
#[test]
fn in_every_order_of_events_the_books_agree_with_the_banks_or_say_that_they_do_not_know() {
    let actions = actions();
    let mut orders = vec![vec![Action::Claim]];
    for _ in 0..4 {
        orders = orders
            .iter()
            .flat_map(|order| actions.iter().map(move |&next| [order.as_slice(), &[next]].concat()))
            .collect();
    }
    assert!(orders.len() > 190_000);
    for order in orders {
        if let Err(what) = run(&order) {
            panic!("{order:?}: {what}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    #[test]
    fn so_they_do_after_long_histories(order in proptest::collection::vec(proptest::sample::select(actions()), 1..60)) {
        prop_assert_eq!(run(&order), Ok(()));
    }
}

/// Words of a bank that contradicts itself or speaks late: no order of them makes or loses money, and each contradiction is an alarm.
#[test]
fn no_order_of_contradicting_words_makes_money() {
    use PayoutOutcome::{Failed, Paid, Returned};
    let words = [Paid, Failed, Returned];
    let mut orders: Vec<Vec<PayoutOutcome>> = vec![vec![]];
    for _ in 0..5 {
        let longer =
            orders.iter().flat_map(|order| words.iter().map(move |&next| [order.as_slice(), &[next]].concat()));
        orders = orders.iter().cloned().chain(longer).collect();
    }
    for order in orders {
        let mut world = World::new();
        for word in &order {
            world.hear(*word);
            assert_eq!(
                world.customer + world.left + world.suspense + i64::from(is_open(world.standing)),
                1,
                "{order:?}: {world:?}"
            );
            assert!(world.customer <= 1 && world.left <= 1 && world.suspense.abs() <= 1, "{order:?}");
        }
        let returned = order.contains(&Returned);
        let contradicted = order
            .iter()
            .position(|word| *word == Failed)
            .is_some_and(|at| order[..at].contains(&Paid) && !order[..at].contains(&Returned))
            || order
                .iter()
                .position(|word| *word == Paid)
                .is_some_and(|at| order[..at].contains(&Failed) && !order[..at].contains(&Returned));
        assert!(!contradicted || world.alarms > 0, "{order:?}");
        if returned {
            assert_eq!((world.customer, world.left, world.suspense), (1, 0, 0), "{order:?}: it came back, once");
        }
    }
}
