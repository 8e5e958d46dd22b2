//! What is said of payments that a person would look at twice, and of those beside them that nobody would.

use behavior::action::Action;
use behavior::events::{DAY, Fraud, HOUR, MINUTE, Payment, Seconds};
use behavior::judgement::{Judge, Judgement, Source};
use behavior::model::Model;
use behavior::profiles::Profiles;
use behavior::rules::Rules;

const ALICE: u64 = 1;
const GROCER: u64 = 10;
const STRANGER: u64 = 11;
/// Two months of habits lie before this Monday, 2018-05-28 00:00 UTC.
const MONDAY: Seconds = 1_527_465_600;

/// A world in which Alice pays between 15 and 35 to five shops, twice a day, between 8 and 20 o'clock.
struct World {
    profiles: Profiles,
    model: Model,
    rules: Rules,
}

impl World {
    fn new() -> Self {
        let mut profiles = Profiles::default();
        for day in 0..60 {
            for visit in 0..2 {
                let at = MONDAY - (60 - day) * DAY + (8 + (day * 7 + visit * 5) % 12) * HOUR;
                let amount = 15.0 + f64::from(u32::try_from((day * 13 + visit * 7) % 20).unwrap());
                profiles.learn(&Payment { at, user: ALICE, payee: GROCER - u64::try_from(day % 5).unwrap(), amount });
            }
        }
        let model = Model::read(include_bytes!("../../model/card-payments.json")).unwrap();
        Self { profiles, model, rules: Rules::read(include_str!("../../rules/payments.toml")).unwrap() }
    }

    fn judge(&self, at: Seconds, payee: u64, amount: f64) -> Judgement {
        let judge = Judge { model: Some(&self.model), rules: &self.rules, by_rules: true };
        judge.judge(&self.profiles.look_at(&Payment { at, user: ALICE, payee, amount }))
    }
}

fn rules_of(judgement: &Judgement) -> Vec<&str> {
    let rules = judgement.reasons.iter().filter_map(|reason| match &reason.source {
        Source::Rule(id) => Some(id.as_str()),
        Source::Model(_) => None,
    });
    rules.collect()
}

#[test]
fn a_payment_like_always_passes_without_a_question() {
    let judgement = World::new().judge(MONDAY + 12 * HOUR, GROCER, 27.5);
    assert_eq!(judgement.action, Action::Allow, "{judgement:?}");
    assert!(judgement.score < 0.01 && judgement.reasons.is_empty(), "{judgement:?}");
}

/// What a taken-over account looks like, as far as payments tell.
#[test]
fn much_to_a_stranger_in_the_night_is_asked_about_with_reasons() {
    let world = World::new();
    let judgement = world.judge(MONDAY + 3 * HOUR, STRANGER, 480.0);
    assert!(judgement.action >= Action::StepUp, "{judgement:?}");
    assert_eq!(rules_of(&judgement), ["far-above-usual", "night-of-a-stranger"], "{judgement:?}");
    let said: Vec<&str> = judgement.reasons.iter().map(|reason| reason.says.as_str()).collect();
    assert!(said.iter().any(|says| says.contains("deviations above what this user usually pays")), "{said:?}");
    // The same hour and the same stranger for what she always pays: nobody asks.
    assert_eq!(world.judge(MONDAY + 3 * HOUR, STRANGER, 27.5).action, Action::Allow);
}

#[test]
fn many_payments_within_a_minute_are_asked_about_and_as_many_in_a_day_are_not() {
    for (apart, action) in [(10, Action::StepUp), (2 * HOUR, Action::Allow)] {
        let mut world = World::new();
        for n in 0..5 {
            world.profiles.learn(&Payment {
                at: MONDAY + 9 * HOUR + n * apart,
                user: ALICE,
                payee: GROCER,
                amount: 20.0,
            });
        }
        let judgement = world.judge(MONDAY + 9 * HOUR + 5 * apart, GROCER, 20.0);
        assert_eq!(judgement.action, action, "{apart} s apart: {judgement:?}");
    }
}

/// Whoever was paid by fraud goes on being paid.
#[test]
fn a_payee_of_frauds_is_asked_about_when_they_are_known() {
    let mut world = World::new();
    let theft =
        |day: i64| Payment { at: MONDAY - day * DAY, user: 1000 + day.unsigned_abs(), payee: STRANGER, amount: 30.0 };
    (1..12).for_each(|day| world.profiles.learn(&theft(12 - day)));
    let before = world.judge(MONDAY + 12 * HOUR, STRANGER, 27.5);
    assert_eq!(before.action, Action::Allow, "nobody has complained: {before:?}");
    for day in [11, 10, 9, 8] {
        world.profiles.learn_fraud(&Fraud { paid_at: theft(day).at, payee: STRANGER });
    }
    let after = world.judge(MONDAY + 12 * HOUR, STRANGER, 27.5);
    assert!(after.action >= Action::StepUp && after.score > before.score, "{after:?}");
    assert_eq!(rules_of(&after), ["payee-of-frauds"], "{after:?}");
}

#[test]
fn a_thief_who_goes_on_does_not_become_the_habit() {
    let mut world = World::new();
    for n in 0..6 {
        let at = MONDAY + 10 * HOUR + n * 20 * MINUTE;
        let judgement = world.judge(at, STRANGER, 480.0);
        assert!(judgement.action >= Action::StepUp, "payment {n}: {judgement:?}");
        world.profiles.learn(&Payment { at, user: ALICE, payee: STRANGER, amount: 480.0 });
    }
}
