//! An issuer that answers, withdraws a key, goes away, hangs and comes back.

use std::sync::Mutex as Lock;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use crypto::p256::SigningKey;
use tokio::time::{Instant, timeout};

use super::*;
use crate::tests::unused_client;

const NOW: i64 = 1_800_000_000;

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Answers,
    Fails,
    Hangs,
}

struct Issuer {
    keys: Lock<KeySet>,
    mood: Lock<Mood>,
    asked: Lock<usize>,
}

impl Issuer {
    /// One that publishes `k1` and `k2`, and a source that has fetched nothing.
    fn start() -> (Arc<Self>, JwksSource) {
        let mut keys = KeySet::default();
        for kid in ["k1", "k2"] {
            keys.insert(kid, SigningKey::generate().public());
        }
        let issuer = Arc::new(Self { keys: Lock::new(keys), mood: Lock::new(Mood::Answers), asked: Lock::default() });
        let data = web::Data::from(Arc::clone(&issuer));
        let app = move || App::new().app_data(data.clone()).route("/jwks.json", web::get().to(answer));
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        (issuer, JwksSource::new(unused_client(), &url))
    }

    fn withdraw(&self, kid: &str) {
        let mut keys = self.keys.lock().unwrap();
        let mut left = KeySet::default();
        for (name, key) in keys.iter().filter(|(name, _)| *name != kid) {
            left.insert(name, key.clone());
        }
        *keys = left;
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

async fn answer(issuer: web::Data<Issuer>) -> HttpResponse {
    *issuer.asked.lock().unwrap() += 1;
    let mood = *issuer.mood.lock().unwrap();
    match mood {
        Mood::Answers => HttpResponse::Ok().body(issuer.keys.lock().unwrap().to_jwks().to_string()),
        Mood::Fails => HttpResponse::ServiceUnavailable().finish(),
        Mood::Hangs => std::future::pending().await,
    }
}

impl JwksSource {
    async fn has(&self, kid: &str, now: i64) -> bool {
        self.get(kid, now).await.is_ok_and(|keys| keys.get(kid).is_some())
    }
}

/// What is refreshed aside has arrived.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[actix_web::test]
async fn a_withdrawn_key_is_refused_within_ten_seconds_whether_or_not_anybody_asks_meanwhile() {
    for busy in [false, true] {
        let (issuer, source) = Issuer::start();
        assert!(source.has("k1", NOW).await);
        issuer.withdraw("k1");
        if busy {
            for second in 1..8 {
                source.has("k1", NOW + second).await;
            }
            settle().await;
        }
        // Two of the ten seconds are for an issuer that takes its time.
        assert!(!source.has("k1", NOW + 8).await, "busy: {busy}");
        assert!(source.has("k2", NOW + 8).await, "busy: {busy}");
    }
}

#[actix_web::test]
async fn however_many_ask_the_issuer_is_asked_once_in_a_while() {
    let (issuer, source) = Issuer::start();
    for second in 0..30 {
        for request in 0..100 {
            assert!(source.has("k1", NOW + second).await);
            // As a forger would.
            assert!(!source.has(&format!("unknown-{request}"), NOW + second).await);
        }
        settle_a_little().await;
    }
    assert!(issuer.asked() <= 15, "every {PATIENCE} s at most: {}", issuer.asked());
    let (issuer, source) = Issuer::start();
    for second in 0..30 {
        for _ in 0..100 {
            assert!(source.has("k1", NOW + second).await);
        }
        settle_a_little().await;
    }
    assert!(issuer.asked() <= 11, "every {} s without a forger: {}", JWKS.refresh, issuer.asked());
}

async fn settle_a_little() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[actix_web::test]
async fn keys_outlive_an_issuer_that_is_away_as_long_as_the_tokens_they_signed() {
    let (issuer, source) = Issuer::start();
    assert!(source.has("k1", NOW).await);
    issuer.is(Mood::Fails);
    for second in [6, 7, 10, 60, 299] {
        assert!(source.has("k1", NOW + second).await, "{second}");
    }
    assert!(source.get("k1", NOW + 300).await.is_err());
    issuer.is(Mood::Answers);
    assert!(source.has("k1", NOW + 302).await);
}

#[actix_web::test]
async fn an_issuer_that_hangs_holds_a_request_once_and_the_others_not_at_all() {
    let (issuer, source) = Issuer::start();
    assert!(source.has("k1", NOW).await);
    issuer.is(Mood::Hangs);
    let begin = Instant::now();
    assert!(source.has("k1", NOW + 8).await);
    assert!(begin.elapsed() < FETCH + Duration::from_secs(1), "{:?}", begin.elapsed());
    for second in [8, 9, 10, 11, 12] {
        let at_once = timeout(Duration::from_millis(200), source.has("k1", NOW + second)).await;
        assert_eq!(at_once, Ok(true), "{second}");
    }
}

#[actix_web::test]
async fn a_withdrawal_is_seen_when_the_issuer_is_back_and_not_only_when_the_keys_end() {
    let (issuer, source) = Issuer::start();
    assert!(source.has("k1", NOW).await);
    issuer.is(Mood::Fails);
    assert!(source.has("k1", NOW + 8).await);
    issuer.withdraw("k1");
    issuer.is(Mood::Answers);
    assert!(!source.has("k1", NOW + 8 + AFTER_FAILURE).await);
}

#[actix_web::test]
async fn what_was_asked_for_and_is_not_there_is_left_to_the_verifier() {
    let (_issuer, source) = Issuer::start();
    assert!(source.get("k3", NOW).await.unwrap().get("k3").is_none());
}

#[actix_web::test]
async fn a_clock_that_steps_back_stops_neither_the_withdrawal_nor_the_next_fetch() {
    for back in [1, 100, 100_000] {
        let (issuer, source) = Issuer::start();
        assert!(source.has("k1", NOW).await);
        issuer.withdraw("k1");
        assert!(!source.has("k1", NOW - back).await, "{back}");
        assert!(source.has("k2", NOW - back).await, "{back}");
    }
    // Nor does a failure of the future keep anybody from asking.
    let (issuer, source) = Issuer::start();
    assert!(source.has("k1", NOW).await);
    issuer.is(Mood::Fails);
    assert!(source.has("k1", NOW + 8).await);
    issuer.is(Mood::Answers);
    issuer.withdraw("k1");
    assert!(!source.has("k1", NOW - 1).await);
}

#[actix_web::test]
async fn a_forger_waits_for_no_issuer_that_hangs() {
    let (issuer, source) = Issuer::start();
    assert!(source.has("k1", NOW).await);
    issuer.is(Mood::Hangs);
    assert!(!source.has("unknown", NOW + 3).await);
    for second in [3, 4, 5, 6, 7] {
        let at_once = timeout(Duration::from_millis(200), source.has("unknown", NOW + second)).await;
        assert_eq!(at_once, Ok(false), "{second}");
    }
    // And yet the next try is made, so that a new key is soon known.
    settle().await;
    assert_eq!(issuer.asked(), 3);
}
