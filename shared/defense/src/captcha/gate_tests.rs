//! Who is asked, for how much, and that a challenge is good once.

use std::rc::Rc;

use futures_util::future::{BoxFuture, join_all, ready};

use super::*;
use crate::captcha::work::tests::{NOW, attempt};
use crate::captcha::{Action, LIFETIME};
use crate::rate::{Allowance, Demand, Moment, Refund, Taken};
use crate::stores::redis::tests::store;
use crate::stores::{MemoryCounters, MemoryOnce};

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        NOW * 1000
    }
}

fn gate() -> Gate {
    counting_in(Arc::new(MemoryCounters::new(1000)))
}

fn counting_in(counters: Arc<dyn Counters>) -> Gate {
    let config = CaptchaConfig::new("unused".into());
    Gate::new(&config, &[1; 32], counters, Arc::new(MemoryOnce::new(1000)), &Noon).unwrap()
}

/// What becomes of an attempt of which nothing was reserved.
async fn settle(gate: &Gate, attempt: &Attempt, outcome: Outcome) -> Option<Widget> {
    gate.settle(&Tried::new(attempt.clone().into(), Level::Nothing), outcome, NOW).await
}

async fn fail(gate: &Gate, attempt: &Attempt, times: usize) {
    for _ in 0..times {
        settle(gate, attempt, Outcome::Failed).await;
    }
}

/// The challenge in ALTCHA's widget.
fn work(widget: Option<Widget>) -> String {
    let Some(Widget::Work(challenge)) = widget else { unreachable!("{widget:?}") };
    challenge
}

fn at(address: &str, identifier: u8) -> Attempt {
    Attempt { address: address.parse().unwrap(), identifier: [identifier; 32], ..attempt() }
}

/// From another network each time, so that only the identifier counts.
fn from_anywhere(number: usize) -> Attempt {
    at(&format!("198.18.{number}.1"), 7)
}

async fn level(gate: &Gate, attempt: &Attempt) -> Level {
    gate.level(attempt).await.unwrap()
}

fn solved(gate: &Gate, attempt: &Attempt) -> Pending {
    let challenge = work(gate.challenge(attempt, Level::Captcha, NOW));
    let answer = testkit::captcha::solve(&challenge).unwrap();
    gate.examine(attempt, Level::Captcha, Some(&answer), NOW).unwrap().unwrap()
}

#[tokio::test]
async fn two_failures_are_nothing_three_are_a_captcha_and_eight_a_harder_one() {
    let gate = gate();
    let mut levels = Vec::new();
    for number in 0..9 {
        levels.push(level(&gate, &from_anywhere(100)).await);
        settle(&gate, &from_anywhere(number), Outcome::Failed).await;
    }
    let (nothing, captcha) = ([Level::Nothing; 3].as_slice(), [Level::Captcha; 5].as_slice());
    assert_eq!(levels, [nothing, captcha, &[Level::Harder]].concat());
    // Somebody else, from where nobody has failed.
    assert_eq!(level(&gate, &at("198.18.200.1", 8)).await, Level::Nothing);
}

#[tokio::test]
async fn who_has_failed_gets_the_challenge_with_the_answer_and_who_has_not_gets_none() {
    let gate = gate();
    assert_eq!(settle(&gate, &attempt(), Outcome::Failed).await, None);
    assert_eq!(settle(&gate, &attempt(), Outcome::Failed).await, None);
    let challenge = work(settle(&gate, &attempt(), Outcome::Failed).await);
    let answer = testkit::captcha::solve(&challenge).unwrap();
    let pending = gate.examine(&attempt(), Level::Captcha, Some(&answer), NOW).unwrap().unwrap();
    assert_eq!(gate.claim(&attempt(), &pending, NOW).await, Ok(()));
    assert_eq!(settle(&gate, &attempt(), Outcome::Passed).await, None);
}

#[tokio::test]
async fn a_network_in_which_many_fail_is_asked_whoever_it_is_and_no_other() {
    let gate = gate();
    for number in 0..19 {
        fail(&gate, &at(&format!("192.0.2.{number}"), number), 1).await;
    }
    assert_eq!(level(&gate, &at("192.0.2.200", 100)).await, Level::Nothing);
    fail(&gate, &at("192.0.2.19", 19), 1).await;
    assert_eq!(level(&gate, &at("192.0.2.200", 100)).await, Level::Captcha);
    assert_eq!(level(&gate, &at("192.0.3.200", 100)).await, Level::Nothing);
    for number in 20..80 {
        fail(&gate, &at("192.0.2.1", number), 1).await;
    }
    assert_eq!(level(&gate, &at("192.0.2.200", 100)).await, Level::Harder);
}

#[tokio::test]
async fn of_an_attested_device_its_own_failures_count_and_nobody_elses() {
    let gate = gate();
    let phone = |identifier| Attempt {
        instance: Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()),
        ..at("192.0.2.1", identifier)
    };
    fail(&gate, &at("192.0.2.2", 7), 80).await;
    assert_eq!(level(&gate, &at("192.0.2.1", 7)).await, Level::Harder);
    assert_eq!(level(&gate, &phone(7)).await, Level::Nothing, "its owner is not troubled");
    for identifier in 0..10 {
        fail(&gate, &phone(identifier), 1).await;
    }
    assert_eq!(level(&gate, &phone(100)).await, Level::Captcha, "a phone that tries many");
    for identifier in 10..20 {
        fail(&gate, &phone(identifier), 1).await;
    }
    assert_eq!(level(&gate, &phone(100)).await, Level::Harder);
}

#[tokio::test]
async fn failures_drain_a_budget_faster_than_successes_and_every_new_login_counts() {
    let gate = gate();
    for _ in 0..11 {
        settle(&gate, &attempt(), Outcome::Passed).await;
    }
    assert_eq!(level(&gate, &attempt()).await, Level::Nothing, "eleven of twelve units");
    let register = |number| Attempt { action: Action::Register, ..at("198.51.100.1", number) };
    for number in 0..20 {
        assert_eq!(level(&gate, &register(100)).await, Level::Nothing, "{number}");
        settle(&gate, &register(number), Outcome::Passed).await;
    }
    assert_eq!(level(&gate, &register(100)).await, Level::Captcha, "twenty logins made from one network");
}

#[tokio::test]
async fn many_at_once_pass_a_network_unasked_no_more_often_than_one_after_the_other() {
    let gate = gate();
    let tried = |number| Tried::new(at("192.0.2.1", number).into(), Level::Nothing);
    let all: Vec<_> = (0..200).map(tried).collect();
    let asked = join_all(all.iter().map(|tried| gate.reserve(tried))).await;
    assert_eq!(asked.iter().filter(|asked| **asked == Ok(None)).count(), 20);
    assert_eq!(asked.iter().filter(|asked| **asked == Ok(Some(Level::Captcha))).count(), 180);
    // One of them was right, and has paid one unit of four: two more are two failures, and no third.
    gate.settle(&all[0], Outcome::Passed, NOW).await;
    assert_eq!(gate.reserve(&tried(200)).await, Ok(None));
    assert_eq!(gate.reserve(&tried(201)).await, Ok(Some(Level::Captcha)));
}

#[tokio::test]
async fn who_answers_pays_too_and_more_is_asked_in_the_end() {
    let gate = gate();
    let tried = |level| Tried::new(attempt().into(), level);
    let mut levels = Vec::new();
    for _ in 0..9 {
        let level = level(&gate, &attempt()).await;
        assert_eq!(gate.reserve(&tried(level)).await, Ok(None));
        levels.push(level);
    }
    let (nothing, captcha) = ([Level::Nothing; 3].as_slice(), [Level::Captcha; 5].as_slice());
    assert_eq!(levels, [nothing, captcha, &[Level::Harder]].concat());
    assert_eq!(gate.reserve(&tried(Level::Captcha)).await, Ok(Some(Level::Harder)));
}

/// The first of two is in deepest debt, the second is not.
#[tokio::test]
async fn each_budget_gets_back_what_was_taken_of_it() {
    let gate = gate();
    for number in 0..6 {
        settle(&gate, &from_anywhere(number), Outcome::Failed).await;
    }
    let both = [10, 11].map(|number| Tried::new(from_anywhere(number).into(), Level::Captcha));
    for tried in &both {
        assert_eq!(gate.reserve(tried).await, Ok(None));
    }
    assert_eq!(level(&gate, &from_anywhere(100)).await, Level::Harder);
    for tried in &both {
        gate.settle(tried, Outcome::Passed, NOW).await;
    }
    assert_eq!(level(&gate, &from_anywhere(100)).await, Level::Captcha);
}

/// Whoever knows one password pays for all that he does not know: with right tries nobody buys back what was never taken of them.
async fn right_tries_in_deepest_debt_buy_nothing(gate: Gate) {
    let phone = Attempt {
        instance: Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()),
        ..at("192.0.2.1", 7)
    };
    // A device's budget in which more is asked after twenty failures, and debt ends after forty.
    fail(&gate, &phone, 40).await;
    let (gate, phone) = (Arc::new(gate), Arc::new(phone));
    let tries = (0..200).map(|_| {
        let (gate, phone) = (Arc::clone(&gate), Arc::clone(&phone));
        async move {
            let tried = Tried::new(Rc::new((*phone).clone()), Level::Harder);
            assert_eq!(gate.reserve(&tried).await, Ok(None));
            tried
        }
    });
    let tries = join_all(tries).await;
    join_all(tries.iter().map(|tried| gate.settle(tried, Outcome::Passed, NOW))).await;
    assert_eq!(level(&gate, &phone).await, Level::Harder);
    // The same for those of which nothing has become.
    for tried in &tries {
        assert_eq!(gate.reserve(tried).await, Ok(None));
    }
    join_all(tries.iter().map(|tried| gate.give_back(tried))).await;
    assert_eq!(level(&gate, &phone).await, Level::Harder);
}

#[tokio::test]
async fn right_tries_in_deepest_debt_buy_nothing_back_from_memory() {
    right_tries_in_deepest_debt_buy_nothing(gate()).await;
}

#[tokio::test]
async fn right_tries_in_deepest_debt_buy_nothing_back_from_redis() {
    let Some(server) = testkit::redis::start() else { return };
    right_tries_in_deepest_debt_buy_nothing(counting_in(Arc::new(store(&server, 1000).await))).await;
}

#[tokio::test]
async fn where_nothing_is_asked_nothing_is_looked_at_and_where_it_is_it_must_be_there() {
    let gate = gate();
    assert_eq!(gate.examine(&attempt(), Level::Nothing, Some("nonsense"), NOW), Ok(None));
    assert_eq!(gate.examine(&attempt(), Level::Captcha, None, NOW), Err(Reason::Missing));
    assert_eq!(gate.challenge(&attempt(), Level::Nothing, NOW), None);
}

#[tokio::test]
async fn of_many_that_send_one_answer_at_once_one_passes() {
    let (gate, attempt) = (gate(), attempt());
    let pending = solved(&gate, &attempt);
    let claims = join_all((0..64).map(|_| gate.claim(&attempt, &pending, NOW))).await;
    assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
    assert_eq!(claims.iter().filter(|claim| **claim == Err(Not::Good(Reason::Replayed))).count(), 63);
    // Until it has expired, and then that is why.
    assert_eq!(gate.claim(&attempt, &pending, NOW + LIFETIME).await, Err(Not::Good(Reason::Replayed)));
}

#[tokio::test]
async fn a_challenge_is_tried_once_also_if_the_work_was_not_done() {
    let (gate, attempt) = (gate(), attempt());
    let challenge = work(gate.challenge(&attempt, Level::Captcha, NOW));
    let answer = testkit::captcha::solve(&challenge).unwrap();
    let good = gate.examine(&attempt, Level::Captcha, Some(&answer), NOW).unwrap().unwrap();
    let text = String::from_utf8(crypto::b64::decode_standard(&answer).unwrap()).unwrap();
    let forged = text.replace("\"counter\":", "\"counter\":1");
    let forged = crypto::b64::encode_standard(forged.as_bytes());
    let bad = gate.examine(&attempt, Level::Captcha, Some(&forged), NOW).unwrap().unwrap();
    assert_eq!(gate.claim(&attempt, &bad, NOW).await, Err(Not::Good(Reason::Wrong)));
    assert_eq!(gate.claim(&attempt, &good, NOW).await, Err(Not::Good(Reason::Replayed)));
}

/// A store that does not answer.
struct Away;

impl Once for Away {
    fn claim<'a>(&'a self, _: &'a Claim<'a>) -> BoxFuture<'a, Claimed> {
        Box::pin(ready(Claimed::Unknown("store_away")))
    }
}

impl Counters for Away {
    fn examine<'a>(&'a self, _: &'a [Demand<'a>], _: Moment) -> BoxFuture<'a, Allowance> {
        Box::pin(ready(Allowance::Unknown("store_away")))
    }

    fn take<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        self.examine(demands, now)
    }

    fn charge<'a>(&'a self, _: &'a [Demand<'a>], _: Moment) -> BoxFuture<'a, Result<Vec<Taken>, &'static str>> {
        Box::pin(ready(Err("store_away")))
    }

    fn give_back<'a>(&'a self, _: &'a [Refund<'a>], _: Moment) -> BoxFuture<'a, Result<(), &'static str>> {
        Box::pin(ready(Err("store_away")))
    }
}

#[tokio::test]
async fn what_cannot_be_remembered_or_counted_is_not_let_pass() {
    let config = CaptchaConfig::new("unused".into());
    let gate = Gate::new(&config, &[1; 32], Arc::new(Away), Arc::new(Away), &Noon).unwrap();
    let pending = solved(&gate, &attempt());
    assert_eq!(gate.claim(&attempt(), &pending, NOW).await, Err(Not::Known("store_away")));
    assert_eq!(gate.level(&attempt()).await, Err("store_away"));
    assert_eq!(gate.reserve(&Tried::new(attempt().into(), Level::Nothing)).await, Err("store_away"));
    assert_eq!(settle(&gate, &attempt(), Outcome::Failed).await, None);
}

#[test]
fn a_rate_that_is_none_ends_the_start() {
    let mut config = CaptchaConfig::new("unused".into());
    config.network_harder.units = 0;
    let (counters, used) = (Arc::new(MemoryCounters::new(1)), Arc::new(MemoryOnce::new(1)));
    assert!(Gate::new(&config, &[1; 32], counters, used, &Noon).is_err());
}
