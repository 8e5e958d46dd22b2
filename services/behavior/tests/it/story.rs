//! What is said of payments that a person would look at twice, and of those beside them that nobody would.

use behavior::action::Action;
use behavior::events::{Change, DAY, Fraud, HOUR, KeyProtection, MINUTE, Origin, Payment, Seconds, Signal, What};
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

/// From this device.
fn on(device: u64) -> Origin {
    Origin { device: Some(device), place: None }
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
        judge.judge(&self.profiles.look_at(&Payment { at, user: ALICE, payee, amount }, Origin::default()))
    }

    /// The same from a device.
    fn judge_from(&self, device: u64, at: Seconds, payee: u64, amount: f64) -> Judgement {
        let judge = Judge { model: Some(&self.model), rules: &self.rules, by_rules: true };
        judge.judge(&self.profiles.look_at(&Payment { at, user: ALICE, payee, amount }, on(device)))
    }

    fn notice(&mut self, at: Seconds, what: What) {
        self.profiles.notice(&Signal { at, user: ALICE, what, place: None });
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

const PHONE: u64 = 70;
const NEW_PHONE: u64 = 71;
/// Monday noon.
const NOON: Seconds = MONDAY + 12 * HOUR;

/// Alice, who buys for a lot of money now and then, as for little, and whose phone is known for two months.
fn alice_with_a_phone() -> World {
    let mut world = World::new();
    for day in 0..60 {
        world.profiles.learn(&Payment {
            at: MONDAY - (60 - day) * DAY + 15 * HOUR,
            user: ALICE,
            payee: GROCER,
            amount: 120.0,
        });
    }
    world.notice(MONDAY - 60 * DAY, What::Device { device: PHONE, level: KeyProtection::SecureElement });
    world.notice(MONDAY - 60 * DAY, What::Login { known_device: false });
    world
}

fn enrolled(device: u64, level: KeyProtection) -> What {
    What::Device { device, level }
}

/// Attack 53: a new device pays a large amount to somebody new.
#[test]
fn a_new_device_that_pays_much_to_somebody_new_is_asked_about_and_one_that_pays_the_grocer_is_not() {
    let mut world = alice_with_a_phone();
    // Whether auth has told of the device by now, or not yet.
    for told in [false, true] {
        if told {
            world.notice(NOON - HOUR, enrolled(NEW_PHONE, KeyProtection::Tee));
            world.notice(NOON - HOUR, What::Login { known_device: false });
        }
        let taken = world.judge_from(NEW_PHONE, NOON, STRANGER, 80.0);
        let rules = if told { vec!["taken-over"] } else { vec!["taken-over", "key-in-software"] };
        assert_eq!((taken.action, rules_of(&taken)), (Action::StepUp, rules), "{taken:?}");
        let grocer = world.judge_from(NEW_PHONE, NOON, GROCER, 27.5);
        assert_eq!((grocer.action, rules_of(&grocer)), (Action::Allow, vec![]), "{grocer:?}");
        let small = world.judge_from(NEW_PHONE, NOON, STRANGER, 27.5);
        assert_eq!((small.action, rules_of(&small)), (Action::Allow, vec![]), "{small:?}");
    }
    // The same much to the same stranger from the phone that she always has, and from the new one when it has been hers for some days.
    for (device, days) in [(PHONE, 0), (NEW_PHONE, 3)] {
        let judgement = world.judge_from(device, NOON + days * DAY, STRANGER, 80.0);
        assert_eq!((judgement.action, rules_of(&judgement)), (Action::Allow, vec![]), "{judgement:?}");
    }
}

/// Who has the second factor in hand can answer what is asked.
#[test]
fn a_new_device_after_a_new_second_factor_is_held_and_a_new_second_factor_alone_is_not() {
    for change in [Change::Added, Change::Removed, Change::Recovered] {
        let mut world = alice_with_a_phone();
        world.notice(NOON - HOUR, What::SecondFactor(change));
        let own = world.judge_from(PHONE, NOON, GROCER, 27.5);
        assert_eq!(own.action, Action::Allow, "{own:?}");
        assert_eq!(rules_of(&world.judge_from(PHONE, NOON, STRANGER, 27.5)), [""; 0]);
        world.notice(NOON - HOUR / 2, enrolled(NEW_PHONE, KeyProtection::Tee));
        let taken = world.judge_from(NEW_PHONE, NOON, STRANGER, 80.0);
        assert_eq!(taken.action, Action::Delay, "{taken:?}");
        let grocer = world.judge_from(NEW_PHONE, NOON, GROCER, 27.5);
        assert_eq!(grocer.action, Action::Allow, "{grocer:?}");
    }
}

/// As attack 56 at the door: many tries, one of which is right, and then a payment.
#[test]
fn a_payment_after_many_failed_logins_is_asked_about_and_one_after_a_typing_error_is_not() {
    for (failures, from, action) in [
        (1, PHONE, Action::Allow),
        (3, PHONE, Action::Allow),
        (4, PHONE, Action::StepUp),
        (40, PHONE, Action::StepUp),
        (4, NEW_PHONE, Action::Delay),
    ] {
        let mut world = alice_with_a_phone();
        for n in 0..failures {
            world.notice(NOON - HOUR + n * 30, What::FailedLogin);
        }
        // As long as no login came of them they are somebody else's, and the owner pays as ever.
        let meanwhile = world.judge_from(PHONE, NOON - 20 * MINUTE, STRANGER, 27.5);
        assert_eq!(meanwhile.action, Action::Allow, "{failures}: {meanwhile:?}");
        world.notice(NOON - 10 * MINUTE, What::Login { known_device: false });
        let amount = if from == PHONE { 27.5 } else { 80.0 };
        let judgement = world.judge_from(from, NOON, STRANGER, amount);
        assert_eq!(judgement.action, action, "{failures}: {judgement:?}");
        let grocer = world.judge_from(from, NOON, GROCER, 27.5);
        assert_eq!(grocer.action, Action::Allow, "{failures}: {grocer:?}");
    }
}

/// Of a new device it counts how its own key is kept; an old one is not the worse for a new one beside it.
#[test]
fn a_new_device_without_hardware_is_asked_about_for_a_week_and_its_twins_are_not() {
    const OLD_TABLET: u64 = 42;
    let rules = |world: &World, device: u64, days: Seconds, payee: u64, amount: f64| {
        rules_of(&world.judge_from(device, NOON + days * DAY, payee, amount)).join(" ")
    };
    let mut world = alice_with_a_phone();
    world.notice(MONDAY - 50 * DAY, enrolled(OLD_TABLET, KeyProtection::Software));
    world.notice(NOON - HOUR, enrolled(NEW_PHONE, KeyProtection::Software));
    assert_eq!(rules(&world, NEW_PHONE, 0, STRANGER, 80.0), "taken-over key-in-software");
    assert_eq!(rules(&world, NEW_PHONE, 3, STRANGER, 80.0), "key-in-software");
    assert_eq!(world.judge_from(NEW_PHONE, NOON + 3 * DAY, STRANGER, 80.0).action, Action::StepUp);
    for (says, device, days, payee, amount) in [
        ("a week later", NEW_PHONE, 8, STRANGER, 80.0),
        ("bread", NEW_PHONE, 3, GROCER, 27.5),
        ("little", NEW_PHONE, 3, STRANGER, 27.5),
        ("an old device without hardware", OLD_TABLET, 0, STRANGER, 80.0),
        ("the first phone", PHONE, 0, STRANGER, 80.0),
    ] {
        assert_eq!(rules(&world, device, days, payee, amount), "", "{says}");
        assert_eq!(world.judge_from(device, NOON + days * DAY, payee, amount).action, Action::Allow, "{says}");
    }
    // In hardware, and new for three days.
    let mut world = alice_with_a_phone();
    world.notice(NOON - HOUR, enrolled(NEW_PHONE, KeyProtection::Tee));
    assert_eq!(rules(&world, NEW_PHONE, 3, STRANGER, 80.0), "");
    // After sixteen devices nobody is told how the next one keeps its key.
    let mut world = alice_with_a_phone();
    for n in 0..16 {
        world.notice(MONDAY - 40 * DAY, enrolled(100 + n, KeyProtection::SecureElement));
    }
    world.notice(NOON - HOUR, enrolled(NEW_PHONE, KeyProtection::SecureElement));
    assert_eq!(rules(&world, NEW_PHONE, 3, STRANGER, 80.0), "taken-over key-in-software");
}

/// Whoever knows an address can fail as often as they like: the owner, who logs in on their own phone, is asked nothing because of it.
#[test]
fn a_stranger_who_fails_on_purpose_has_nobody_asked_or_held() {
    for known_device in [true, false] {
        let mut world = alice_with_a_phone();
        for n in 0..40 {
            world.notice(NOON - HOUR + n * 30, What::FailedLogin);
        }
        let told = |judgement: &Judgement| (judgement.action, rules_of(judgement).join(" "));
        let while_it_lasts = world.judge_from(PHONE, NOON - 40 * MINUTE, STRANGER, 80.0);
        assert_eq!(told(&while_it_lasts), (Action::Allow, String::new()), "{while_it_lasts:?}");
        world.notice(NOON - 10 * MINUTE, What::Login { known_device });
        let (own, new) =
            (world.judge_from(PHONE, NOON, STRANGER, 27.5), world.judge_from(NEW_PHONE, NOON, STRANGER, 80.0));
        if known_device {
            assert_eq!(told(&own), (Action::Allow, String::new()));
            assert_eq!(new.action, Action::StepUp, "as without the failures: {new:?}");
            assert_eq!(rules_of(&new).iter().filter(|rule| rule.starts_with("guess")).count(), 0, "{new:?}");
        } else {
            assert_eq!(told(&own), (Action::StepUp, "guessed-in".to_owned()));
            assert_eq!(new.action, Action::Delay);
        }
    }
}

/// Somebody of whom little is known: some payments, and that they have registered.
#[test]
fn somebody_new_with_their_first_phone_is_asked_nothing_because_of_it() {
    const BOB: u64 = 2;
    let mut world = World::new();
    for day in 1..5 {
        world.profiles.learn(&Payment { at: NOON - day * DAY, user: BOB, payee: GROCER, amount: 20.0 });
    }
    let before =
        world.profiles.look_at(&Payment { at: NOON, user: BOB, payee: STRANGER, amount: 90.0 }, Origin::default());
    for what in [What::Login { known_device: false }, What::FailedLogin, enrolled(PHONE, KeyProtection::Tee)] {
        world.profiles.notice(&Signal { at: NOON - MINUTE, user: BOB, what, place: None });
    }
    let payment = Payment { at: NOON, user: BOB, payee: STRANGER, amount: 90.0 };
    let judge = Judge { model: Some(&world.model), rules: &world.rules, by_rules: true };
    let after = judge.judge(&world.profiles.look_at(&payment, on(PHONE)));
    assert_eq!(after.score.to_bits(), judge.judge(&before).score.to_bits());
    assert_eq!(rules_of(&after), [""; 0]);
}
