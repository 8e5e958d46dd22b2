//! For each check an answer that breaks just that.

use serde_json::{Value, json};

use super::*;
use crate::captcha::Action;

pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn attempt() -> Attempt {
    Attempt { action: Action::LogIn, address: "203.0.113.9".parse().unwrap(), identifier: [7; 32], instance: None }
}

fn work() -> Work {
    Work::new(&[1; 32])
}

fn effort(attempt: &Attempt, level: Level) -> Effort {
    Effort::of(attempt, level).unwrap()
}

/// A challenge that is solved, its answer taken apart.
fn answered() -> Value {
    let (attempt, work) = (attempt(), work());
    let challenge = work.challenge(&attempt, effort(&attempt, Level::Captcha), NOW).unwrap();
    let answer = b64::decode_standard(&testkit::captcha::solve(&challenge).unwrap()).unwrap();
    serde_json::from_slice(&answer).unwrap()
}

fn said(attempt: &Attempt, level: Level, answer: &Value, now: i64) -> Result<Pending, Reason> {
    let answer = b64::encode_standard(answer.to_string().as_bytes());
    work().examine(attempt, effort(attempt, level), &answer, now)
}

#[test]
fn an_answer_is_taken_until_its_last_second() {
    let answer = answered();
    assert!(said(&attempt(), Level::Captcha, &answer, NOW).unwrap().holds());
    assert!(said(&attempt(), Level::Captcha, &answer, NOW + LIFETIME).unwrap().holds());
    assert_eq!(said(&attempt(), Level::Captcha, &answer, NOW + LIFETIME + 1), Err(Reason::Expired));
    const { assert!(LIFETIME <= 120, "as long as a token of reCAPTCHA, and no longer") };
}

#[test]
fn a_challenge_is_for_one_action_one_place_and_one_identifier() {
    let answer = answered();
    let foreign = |change: fn(&mut Attempt)| {
        let mut other = attempt();
        change(&mut other);
        said(&other, Level::Captcha, &answer, NOW)
    };
    assert_eq!(foreign(|other| other.address = "203.0.114.9".parse().unwrap()), Err(Reason::Foreign));
    assert_eq!(foreign(|other| other.identifier = [8; 32]), Err(Reason::Foreign));
    assert_eq!(foreign(|other| other.action = Action::Register), Err(Reason::Foreign));
    assert!(foreign(|other| other.address = "203.0.113.10".parse().unwrap()).is_ok(), "the same /24");
}

#[test]
fn whatever_is_changed_in_a_challenge_its_signature_does_not_hold() {
    let answer = answered();
    for (name, value) in [
        ("algorithm", json!("SHA-256")),
        ("cost", json!(1)),
        ("data", json!({ "bound": "00" })),
        ("expiresAt", json!(NOW + 9_000)),
        ("keyLength", json!(1)),
        ("keyPrefix", json!("0")),
        ("nonce", json!("00")),
        ("salt", json!("00")),
    ] {
        let mut other = answer.clone();
        other["challenge"]["parameters"][name] = value;
        assert_eq!(said(&attempt(), Level::Captcha, &other, NOW), Err(Reason::Wrong), "{name}");
    }
    let mut other = answer.clone();
    let signature = other["challenge"]["signature"].as_str().unwrap().to_owned();
    let flipped = if signature.starts_with('0') { "1" } else { "0" };
    other["challenge"]["signature"] = json!(format!("{flipped}{}", &signature[1..]));
    assert_eq!(said(&attempt(), Level::Captcha, &other, NOW), Err(Reason::Wrong), "signature");
    let elsewhere = Work::new(&[2; 32]).challenge(&attempt(), effort(&attempt(), Level::Captcha), NOW).unwrap();
    other["challenge"] = serde_json::from_str(&elsewhere).unwrap();
    assert_eq!(said(&attempt(), Level::Captcha, &other, NOW), Err(Reason::Wrong), "another key");
}

#[test]
fn the_work_must_have_been_done_for_this_challenge() {
    let answer = answered();
    let mut other = answer.clone();
    other["solution"]["counter"] = json!(answer["solution"]["counter"].as_u64().unwrap() + 1);
    assert!(!said(&attempt(), Level::Captcha, &other, NOW).unwrap().holds(), "another counter");
    other = answer.clone();
    other["solution"]["derivedKey"] = json!(format!("00{}", "ab".repeat(31)));
    assert!(!said(&attempt(), Level::Captcha, &other, NOW).unwrap().holds(), "a key that is made up");
    for derived in ["ab".repeat(32), "00".to_owned(), format!("00{}", "ab".repeat(32)), "zz".repeat(32)] {
        other["solution"]["derivedKey"] = json!(derived);
        assert_eq!(said(&attempt(), Level::Captcha, &other, NOW), Err(Reason::Wrong), "{derived}: not even looked at");
    }
}

#[test]
fn what_was_asked_when_it_was_easier_does_not_do_any_more() {
    let answer = answered();
    assert_eq!(said(&attempt(), Level::Harder, &answer, NOW), Err(Reason::Easy));
    let costly = Effort { iterations: Action::Register.iterations(), ..effort(&attempt(), Level::Captcha) };
    let text = b64::encode_standard(answer.to_string().as_bytes());
    assert_eq!(work().examine(&attempt(), costly, &text, NOW), Err(Reason::Easy), "fewer iterations");
    assert!(Action::LogIn.iterations() < Action::Register.iterations());
}

#[test]
fn a_harder_one_does_where_less_is_asked() {
    let (attempt, work) = (attempt(), work());
    let challenge = work.challenge(&attempt, effort(&attempt, Level::Harder), NOW).unwrap();
    let answer = testkit::captcha::solve(&challenge).unwrap();
    for level in [Level::Harder, Level::Captcha] {
        assert!(work.examine(&attempt, effort(&attempt, level), &answer, NOW).unwrap().holds());
    }
}

#[test]
fn what_is_no_answer_is_wrong() {
    let good = answered();
    let mut more = good.clone();
    more["challenge"]["parameters"]["data"]["more"] = json!(1);
    assert_eq!(said(&attempt(), Level::Captcha, &more, NOW), Err(Reason::Wrong));
    let (attempt, effort) = (attempt(), effort(&attempt(), Level::Captcha));
    let long = b64::encode_standard(&vec![b' '; LONGEST]);
    for text in ["", "e30=", "{}", "%", &b64::encode_standard(b"[]"), &long] {
        assert_eq!(work().examine(&attempt, effort, text, NOW), Err(Reason::Wrong), "{text}");
    }
}
