//! A log in which everything happens that the profiles tell apart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::door;
use super::told::{BEGINNING, DAY, HOUR, Noticed, Numbers, Payment};
use crate::world::World;

/// In the order in which they are told: late ones after what happened later.
fn payments() -> Vec<Payment> {
    let mut numbers = Numbers(11);
    let mut payments = Vec::new();
    of_people(&mut numbers, &mut payments);
    of_programs(&mut numbers, &mut payments);
    to_the_bad(&mut numbers, &mut payments);
    door::payments(&mut payments);
    payments.sort_by_key(|payment| payment.ago - payment.late);
    payments.reverse();
    payments
}

/// Of many who pay as people do, and now and then much more; one in twenty is told late, some by more than a payee's days.
fn of_people(numbers: &mut Numbers, payments: &mut Vec<Payment>) {
    for _ in 0..1_200 {
        let (user, ago) = (numbers.below(25), numbers.below(BEGINNING));
        let habit = 500 + 400 * user + numbers.below(2_000);
        let amount = if numbers.one_in(25) { habit * (5 + numbers.below(40)) } else { habit };
        let late = if numbers.one_in(20) { numbers.below(70 * DAY).min(ago) } else { numbers.below(HOUR).min(ago) };
        let payee = format!("shop-{}", numbers.below(30));
        payments.push(Payment { ago, user: format!("person-{user}"), payee, amount, late });
    }
    // Bursts by a thief's hand, often several in one second.
    for burst in 0..8 {
        let ago = DAY + numbers.below(60 * DAY);
        for n in 0..12 {
            let (ago, payee) = (ago - n / 3 * (1 + numbers.below(30)), format!("stranger-{}", n % 4));
            let (user, amount) = (format!("person-{burst}"), 90_000 + numbers.below(9_000));
            payments.push(Payment { ago, user, payee, amount, late: 0 });
        }
    }
    // Somebody who pays more people than are known at a time, some of them in one second, and comes back to some before and to some after they are forgotten.
    for n in 0..400 {
        let ago = 100 * DAY - n / 4 * 22 * HOUR;
        let late = if numbers.one_in(10) { numbers.below(15 * DAY).min(ago) } else { 0 };
        let payee = format!("seller-{}", numbers.below(75));
        payments.push(Payment { ago, user: "collector".into(), payee, amount: 2_500 + n % 11 * 100, late });
    }
}

/// Of programs, that do what people do not.
fn of_programs(numbers: &mut Numbers, payments: &mut Vec<Payment>) {
    // More in a week than are remembered, and more at one hour of the week than are counted, after some at the same hour of another day.
    for n in 0..500 {
        let ago = if n < 100 { 9 * DAY } else { 8 * DAY } - n * 7;
        let late = if numbers.one_in(15) { numbers.below(3 * HOUR) } else { 0 };
        let payee = format!("shop-{}", n % 3);
        payments.push(Payment { ago, user: "program".into(), payee, amount: 1_000 + n % 7, late });
    }
    // What happened before the week that is remembered is not there for one that is told late.
    for n in 0..240 {
        let ago = 40 * DAY - n * 2 * HOUR;
        let late = if numbers.one_in(8) { numbers.below(6 * DAY) } else { 0 };
        payments.push(Payment {
            ago,
            user: "clockwork".into(),
            payee: "shop-1".into(),
            amount: 3_000 + n % 90 * 10,
            late,
        });
    }
}

/// To payees that go bad: one for weeks and often on a day, one that has done so long ago and does again, and one whose frauds lie just so far apart that they
/// are one story, or two.
fn to_the_bad(numbers: &mut Numbers, payments: &mut Vec<Payment>) {
    let mut paid = |ago: u64, payee: &str, victim: u64| {
        let (user, payee) = (format!("victim-{victim}"), payee.to_owned());
        payments.push(Payment { ago, user, payee, amount: 20_000 + numbers.below(5_000), late: 0 });
    };
    for n in 0..180 {
        paid(90 * DAY - n * 10 * HOUR, "bad", n % 40);
        if n % 60 < 30 {
            paid(90 * DAY - n * 11 * HOUR, "twice-bad", n % 7);
        }
    }
    for (day, n) in [110, 96, 82, 67, 53, 53, 39, 25, 24, 10].into_iter().zip(0..) {
        paid(day * DAY, "rarely-bad", n);
    }
}

/// Tells of all of it, with words on some in between, and asks about some before they are made. Of these, by the ids of their events, what they looked like.
pub(super) async fn written(world: &World) -> BTreeMap<String, Value> {
    let mut numbers = Numbers(12);
    let mut decided = BTreeMap::new();
    let (mut told, mut bad): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let all = payments();
    let mut noticed = door::noticed(&all).into_iter().peekable();
    for payments in all.chunks(60) {
        let until = payments.last().map(|payment| payment.ago - payment.late).unwrap();
        let happened: Vec<Noticed> =
            std::iter::from_fn(|| noticed.next_if(|noticed| noticed.ago - noticed.late >= until)).collect();
        at_the_door(world, &happened).await;
        let mut events: Vec<Value> = payments.iter().map(|payment| payment.event(world)).collect();
        // One that is told twice takes a number and no place.
        events.push(events[0].clone());
        let asked = events.len() - 2;
        world.tell(&events[..asked]).await;
        let id = events[asked]["id"].as_str().unwrap().to_owned();
        let decision = asked_about(world, &mut events[asked]).await;
        world.tell(&events[asked..]).await;
        decided.insert(id, decision);
        let is_bad = |event: &Value| event["payee"].as_str().unwrap().contains("bad");
        bad.extend(events[..=asked].iter().filter(|event| is_bad(event)).cloned());
        told.extend(events);
        // Frauds of the bad become known later; of anybody else's payments some words are wrong, and taken back.
        if bad.len() > 12 {
            for event in bad.drain(..bad.len() / 2) {
                said(world, &event, "fraud").await;
                if numbers.one_in(4) {
                    said(world, &event, "honest").await;
                }
            }
        }
        for _ in 0..3 {
            let event = told[usize::try_from(numbers.below(told.len().try_into().unwrap())).unwrap()].clone();
            let words = ["fraud", "honest", "fraud", "honest"];
            let from = usize::try_from(numbers.below(2)).unwrap();
            for word in &words[from..usize::try_from(2 + numbers.below(3)).unwrap()] {
                said(world, &event, word).await;
            }
        }
    }
    decided
}

/// Tells as auth does, and of some twice.
async fn at_the_door(world: &World, happened: &[Noticed]) {
    for noticed in happened.chunks(99) {
        let mut events: Vec<Value> = noticed.iter().map(|noticed| noticed.event(world)).collect();
        events.push(events[0].clone());
        let outcomes = world.tell_as("auth", &events).await;
        assert!(outcomes.iter().filter(|outcome| *outcome == "taken").count() == noticed.len(), "{outcomes:?}");
    }
}

/// Asks about a payment from a device, which is then made under that decision; what it looked like.
async fn asked_about(world: &World, event: &mut Value) -> Value {
    let mut question = event.clone();
    for name in ["kind", "id"] {
        question.as_object_mut().unwrap().remove(name);
    }
    question["device"] = json!(door::device(event["user"].as_str().unwrap(), 1));
    let score = world.scores(&[question]).await.remove(0);
    event["decision_id"] = score["decision_id"].clone();
    world.decision(&score).await["features"].take()
}

async fn said(world: &World, event: &Value, label: &str) {
    world.label("event", event["id"].as_str().unwrap(), label).await.ok();
}

/// Each limit of the profiles was met, or the comparison would say nothing of it.
pub(super) fn has_met_every_bound(streamed: &str) {
    let mut lines = streamed.lines().skip(1);
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let some = |name: &str, is: &dyn Fn(f64) -> bool| {
        let column = names.iter().position(|column| *column == name).unwrap();
        assert!(rows.iter().any(|row| is(row[column].parse().unwrap())), "no payment has a {name} of that kind");
    };
    for (name, least) in [
        ("amount", 1_000.0),
        ("amount_deviations", 50.0),
        ("amount_ratio", 20.0),
        ("amount_robust", 50.0),
        ("amount_over_max", 10.0),
        ("count_1m", 10.0),
        ("count_1h", 200.0),
        ("count_7d", 256.0),
        ("sum_24h_ratio", 10.0),
        ("outliers_7d", 4.0),
        ("deviation_7d", 50.0),
        ("hour_usual", 8.0),
        ("hours_since_last", 720.0),
        ("payee_count", 100.0),
        ("known_payments", 100.0),
        ("payee_risk_1d", 1.0),
        ("payee_risk_30d", 0.3),
        ("payee_run_frauds", 10.0),
        ("payee_run_share", 0.3),
        ("payee_paid_30d", 100.0),
        ("payee_surge", 3.0),
        ("newest_device_days", 20.0),
        ("failed_logins_1h", 5.0),
        ("failed_logins_24h", 128.0),
        ("failed_before_login", 5.0),
    ] {
        some(name, &|value| value >= least);
    }
    for (name, never) in
        [("newest_device_days", 99.0), ("minutes_since_failed_login", 1_440.0), ("second_factor_days", 99.0)]
    {
        some(name, &|value| value == 0.0);
        some(name, &|value| 0.0 < value && value < never);
        some(name, &|value| value >= never);
    }
    some("amount_deviations", &|value| value < -1.0);
    some("amount", &|amount| (amount * 100.0).fract() > 0.01);
    some("hour_usual", &|usual| usual < 0.5);
    some("payee_run_days", &|days| (30.0..99.0).contains(&days));
    some("payee_run_silence_days", &|days| days < 1.0);
}
