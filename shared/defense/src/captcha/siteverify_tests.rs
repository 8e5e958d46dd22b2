//! The client beside a synthetic provider, which answers as the vendors' documents say: for each thing in an answer one in which just that is wrong.

use std::sync::{Arc, Mutex};

use futures_util::future::ready;
use serde_json::json;

use super::*;
use crate::captcha::work::tests::{NOW, attempt};

/// When the token was given: a minute ago.
const GIVEN: &str = "2027-01-15T07:59:00Z";

/// Synthetic: it answers whatever it is told to, and remembers what it was asked.
#[derive(Clone)]
struct Synthetic {
    answer: Result<Value, &'static str>,
    asked: Arc<Mutex<Vec<Map<String, Value>>>>,
}

impl Asks for Synthetic {
    fn ask(&self, params: Map<String, Value>) -> LocalBoxFuture<'_, Result<Map<String, Value>, &'static str>> {
        self.asked.lock().unwrap().push(params);
        Box::pin(ready(self.answer.clone().map(|answer| answer.as_object().unwrap().clone())))
    }
}

fn config(vendor: VendorName) -> SiteverifyConfig {
    SiteverifyConfig {
        vendor,
        site_key: "site".to_owned(),
        hostnames: vec!["login.example".to_owned()],
        min_score: 0.5,
        broker_url: "https://localhost:1/".to_owned(),
        provider: "vendor".to_owned(),
    }
}

/// What a vendor answers of a good token.
fn good(vendor: VendorName) -> Value {
    let mut answer = json!({ "success": true, "hostname": "login.example", "challenge_ts": GIVEN });
    if vendor.vendor().action {
        answer["action"] = json!("login");
    }
    if vendor.vendor().score {
        answer["score"] = json!("0.7");
    }
    answer
}

async fn said(vendor: VendorName, answer: Result<Value, &'static str>) -> Result<Result<(), Reason>, &'static str> {
    let synthetic = Synthetic { answer, asked: Arc::default() };
    let captcha = Siteverify::new(config(vendor), Box::new(synthetic)).unwrap();
    captcha.ask(&attempt(), "token", NOW).await
}

const ALL: [VendorName; 3] = [VendorName::Recaptcha, VendorName::Hcaptcha, VendorName::Turnstile];

#[tokio::test]
async fn a_good_answer_of_each_is_taken() {
    assert_eq!(DateTime::parse_from_rfc3339(GIVEN).unwrap().timestamp(), NOW - 60);
    for vendor in ALL {
        assert_eq!(said(vendor, Ok(good(vendor))).await, Ok(Ok(())), "{vendor:?}");
    }
}

/// Good answers of each vendor in which this alone is so: refused for that reason by those who say it, and nothing to the others.
async fn refuses(name: &str, value: Value, reason: Reason, said_by: fn(&Vendor) -> bool) {
    for vendor in ALL {
        let mut answer = good(vendor);
        answer[name] = value.clone();
        let expected = if said_by(vendor.vendor()) { Err(reason) } else { Ok(()) };
        assert_eq!(said(vendor, Ok(answer)).await, Ok(expected), "{vendor:?}: {name} = {value}");
    }
}

#[tokio::test]
async fn what_is_no_success_is_refused() {
    refuses("success", json!(false), Reason::Wrong, |_| true).await;
}

#[tokio::test]
async fn what_was_given_for_another_action_is_refused() {
    for value in [json!("register"), json!("LOGIN"), Value::Null] {
        refuses("action", value, Reason::Foreign, |vendor| vendor.action).await;
    }
}

#[tokio::test]
async fn what_was_given_at_another_host_is_refused() {
    for value in [json!("login.example.evil.test"), json!("example"), Value::Null] {
        refuses("hostname", value, Reason::Foreign, |_| true).await;
    }
}

#[tokio::test]
async fn what_was_given_too_long_ago_or_not_yet_is_refused() {
    for (value, reason) in [
        (json!("2027-01-15T07:57:59Z"), Reason::Expired),
        (json!("2027-01-15T08:01:01Z"), Reason::Wrong),
        (json!("just now"), Reason::Wrong),
        (Value::Null, Reason::Wrong),
    ] {
        refuses("challenge_ts", value, reason, |_| true).await;
    }
}

#[tokio::test]
async fn what_scores_too_low_or_nothing_is_refused() {
    for value in [json!("0.49"), json!("1.1"), json!("NaN"), Value::Null] {
        refuses("score", value, Reason::Score, |vendor| vendor.score).await;
    }
}

#[tokio::test]
async fn the_last_second_and_the_lowest_score_are_good() {
    let mut answer = good(VendorName::Recaptcha);
    answer["challenge_ts"] = json!("2027-01-15T07:58:00Z");
    answer["score"] = json!("0.5");
    answer["hostname"] = json!("LOGIN.example");
    assert_eq!(said(VendorName::Recaptcha, Ok(answer)).await, Ok(Ok(())));
}

#[tokio::test]
async fn what_is_no_answer_tells_nothing() {
    let vendor = VendorName::Turnstile;
    assert_eq!(said(vendor, Err("siteverify_unavailable")).await, Err("siteverify_unavailable"));
    assert_eq!(said(vendor, Ok(json!({}))).await, Err("siteverify_unreadable"));
    assert_eq!(said(vendor, Ok(json!({ "success": "true" }))).await, Err("siteverify_unreadable"));
}

#[tokio::test]
async fn it_is_told_the_token_where_it_came_from_and_for_which_site_if_it_asks_that() {
    for vendor in ALL {
        let synthetic = Synthetic { answer: Ok(good(vendor)), asked: Arc::default() };
        let captcha = Siteverify::new(config(vendor), Box::new(synthetic.clone())).unwrap();
        captcha.ask(&attempt(), "token", NOW).await.unwrap().unwrap();
        let mut expected = json!({ "response": "token", "remoteip": "203.0.113.9" });
        if vendor == VendorName::Hcaptcha {
            expected["sitekey"] = json!("site");
        }
        assert_eq!(Value::Object(synthetic.asked.lock().unwrap().remove(0)), expected);
    }
}

#[test]
fn a_token_is_bounded_before_anybody_is_asked() {
    assert_eq!(Siteverify::examine(&"a".repeat(LONGEST)), Ok(()));
    for token in ["a".repeat(LONGEST + 1), "a b".to_owned(), "a\u{e4}".to_owned()] {
        assert_eq!(Siteverify::examine(&token), Err(Reason::Wrong));
    }
}

#[test]
fn what_lets_anything_pass_ends_the_start() {
    let refused = |change: fn(&mut SiteverifyConfig)| {
        let mut config = config(VendorName::Recaptcha);
        change(&mut config);
        Siteverify::new(config, Box::new(Synthetic { answer: Err(""), asked: Arc::default() })).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|config| config.hostnames.clear()));
    assert!(refused(|config| config.site_key.clear()));
    assert!(refused(|config| config.min_score = 1.5));
    assert!(refused(|config| config.min_score = f64::NAN));
}
