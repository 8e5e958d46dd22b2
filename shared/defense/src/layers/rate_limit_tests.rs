//! For each limit requests that go beyond just that, and others that do not pay for it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use identity::{Cnf, access_token};

use super::*;
use crate::config::{Rate, Rates};
use crate::stores::MemoryCounters;
use crate::{Outgoing, RateLimitLayer};

fn rates(change: impl FnOnce(&mut Rates)) -> RateLimitLayer {
    let much = Rate { units: 1_000_000, seconds: 60 };
    let mut rates = Rates { address: much, network: much, failures: much, instance: much, user: much, class: much };
    change(&mut rates);
    RateLimitLayer::new(Arc::new(MemoryCounters::new(1_000)), &rates, &Noon).unwrap()
}

fn of(address: &str, user: Option<&str>) -> Facts {
    let access = user.map(|user| access_token::Claims {
        iss: "i".to_owned(),
        sub: user.to_owned(),
        aud: "a".to_owned(),
        client_id: "c".into(),
        scope: "accounts:read".to_owned(),
        iat: NOW,
        exp: NOW + 60,
        jti: "j".to_owned(),
        auth_time: NOW,
        cnf: Cnf { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap() },
        acr: None,
        amr: Vec::new(),
        authorization_details: Vec::new(),
        instance: None,
        factor_since: None,
    });
    Facts { address: Some(address.parse().unwrap()), access: access.map(Arc::new), ..Facts::default() }
}

async fn claimed(layer: &RateLimitLayer, class: &'static policy::Class, facts: &Facts) -> String {
    said(&layer.claim(&request_to(class), facts).await.verdict)
}

const PAGE: &policy::Class = &policy::Page::CLASS;
const READ: &policy::Class = &policy::Read::CLASS;
const WEBHOOK: &policy::Class = &policy::Webhook::CLASS;

const SLOW: Rate = Rate { units: 3, seconds: 3_600 };

#[actix_web::test]
async fn each_limit_refuses_by_itself_and_nobody_else_pays() {
    let (here, there) = ("203.0.113.9", "203.0.113.10");
    for (name, layer, class, facts, others) in [
        ("address", rates(|rates| rates.address = SLOW), PAGE, of(here, None), of(there, None)),
        ("network", rates(|rates| rates.network = SLOW), PAGE, of(here, None), of("203.0.114.9", None)),
        ("user", rates(|rates| rates.user = SLOW), READ, of(here, Some("alice")), of(here, Some("bob"))),
    ] {
        for _ in 0..3 {
            assert_eq!(claimed(&layer, class, &facts).await, "pass", "{name}");
        }
        assert_eq!(claimed(&layer, class, &facts).await, "429 rate_limit/rate_exceeded", "{name}");
        assert_eq!(claimed(&layer, class, &others).await, "pass", "{name}");
    }
    let all = rates(|rates| rates.class = SLOW);
    for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        assert_eq!(claimed(&all, PAGE, &of(address, None)).await, "pass");
    }
    assert_eq!(claimed(&all, PAGE, &of("203.0.113.4", None)).await, "429 rate_limit/rate_exceeded");
    assert_eq!(claimed(&all, WEBHOOK, &of("203.0.113.4", None)).await, "pass");
}

#[actix_web::test]
async fn a_device_on_all_its_users_has_a_limit_of_its_own() {
    let layer = rates(|rates| rates.instance = SLOW);
    for user in ["alice", "bob", "carol"] {
        assert_eq!(claimed(&layer, READ, &of("203.0.113.9", Some(user))).await, "pass");
    }
    assert_eq!(claimed(&layer, READ, &of("203.0.113.10", Some("dave"))).await, "429 rate_limit/rate_exceeded");
}

/// Behind one address of a mobile network are many, and one of them is an attacker.
#[actix_web::test]
async fn whoever_has_proven_who_they_are_is_not_counted_by_an_address() {
    let layer = rates(|rates| (rates.address, rates.network, rates.failures) = (SLOW, SLOW, SLOW));
    let (attacker, alice) = (of("203.0.113.9", None), of("203.0.113.9", Some("alice")));
    for _ in 0..10 {
        claimed(&layer, PAGE, &attacker).await;
        failed(&layer, WEBHOOK, &attacker, StatusCode::UNAUTHORIZED, true).await;
        failed(&layer, READ, &attacker, StatusCode::UNAUTHORIZED, true).await;
    }
    assert_eq!(claimed(&layer, PAGE, &attacker).await, "429 rate_limit/rate_exceeded");
    assert_eq!(examined(&layer, &request_to(READ), &alice).await.0, "pass");
    assert_eq!(claimed(&layer, READ, &alice).await, "pass");
}

#[actix_web::test]
async fn looking_takes_nothing_and_of_many_at_once_as_many_win_as_there_are_units() {
    let layer = rates(|rates| rates.address = SLOW);
    let (facts, asked) = (of("203.0.113.9", None), request_to(PAGE));
    for _ in 0..10 {
        assert_eq!(examined(&layer, &asked, &facts).await.0, "pass");
    }
    let claims = futures_util::future::join_all((0..64).map(|_| layer.claim(&asked, &facts))).await;
    assert_eq!(claims.iter().filter(|finding| matches!(finding.verdict, Verdict::Pass)).count(), 3);
    // Now the head is enough to know it.
    assert_eq!(examined(&layer, &asked, &facts).await.0, "429 rate_limit/rate_exceeded");
}

#[actix_web::test]
async fn only_a_known_caller_sees_what_is_left() {
    let layer = rates(|rates| (rates.address, rates.user) = (SLOW, SLOW));
    let told = async |class, facts: &Facts| {
        let verdict = loop {
            match layer.claim(&request_to(class), facts).await.verdict {
                Verdict::Pass => (),
                verdict => break verdict,
            }
        };
        let Verdict::Refuse(refusal) = verdict else { panic!("it was not refused") };
        let names = refusal.problem().headers.iter().map(|(name, _)| name.as_str().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(told(PAGE, &of("203.0.113.9", None)).await, ["retry-after"]);
    assert_eq!(told(READ, &of("203.0.113.9", Some("alice"))).await, ["ratelimit-policy", "ratelimit", "retry-after"]);
}

async fn failed(
    layer: &RateLimitLayer,
    class: &'static policy::Class,
    facts: &Facts,
    status: StatusCode,
    refused: bool,
) -> String {
    let response = HttpResponse::new(status).map_into_boxed_body();
    let answer = Outgoing { response, refused, challenged: false };
    layer.answered(&request_to(class), facts, answer).await.unwrap();
    claimed(layer, class, facts).await
}

#[actix_web::test]
async fn failures_add_up_and_honest_challenges_do_not() {
    let (alice, nobody) = (of("203.0.113.9", Some("alice")), of("203.0.113.9", None));
    for (class, facts, others) in
        [(WEBHOOK, &nobody, of("203.0.113.10", None)), (READ, &alice, of("203.0.113.9", None))]
    {
        let layer = rates(|rates| rates.failures = SLOW);
        for _ in 0..10 {
            assert_eq!(failed(&layer, class, facts, StatusCode::TOO_MANY_REQUESTS, true).await, "pass");
            // Ours, and what an honest app is told.
            assert_eq!(failed(&layer, class, facts, StatusCode::SERVICE_UNAVAILABLE, true).await, "pass");
            assert_eq!(failed(&layer, class, facts, StatusCode::UPGRADE_REQUIRED, true).await, "pass");
            assert_eq!(failed(&layer, class, facts, StatusCode::CONFLICT, false).await, "pass");
            assert_eq!(failed(&layer, class, facts, StatusCode::OK, false).await, "pass");
            let mut asks = HttpResponse::new(StatusCode::UNAUTHORIZED).map_into_boxed_body();
            let value = "DPoP error=\"use_dpop_nonce\"".parse().unwrap();
            asks.headers_mut().insert("www-authenticate".parse().unwrap(), value);
            let asks = Outgoing { response: asks, refused: false, challenged: false };
            layer.answered(&request_to(class), facts, asks).await.unwrap();
            let challenge = HttpResponse::new(StatusCode::UNAUTHORIZED).map_into_boxed_body();
            let challenge = Outgoing { response: challenge, refused: true, challenged: true };
            layer.answered(&request_to(class), facts, challenge).await.unwrap();
        }
        // A layer's refusal is an unproven caller's: a replay is not its victim's failure.
        let by_layer = failed(&layer, class, facts, StatusCode::UNAUTHORIZED, true).await;
        assert_eq!(by_layer, "pass");
        let first = if class.is_attested() { StatusCode::FORBIDDEN } else { StatusCode::OK };
        assert_eq!(failed(&layer, class, facts, first, false).await, "pass");
        assert_eq!(failed(&layer, class, facts, StatusCode::NOT_FOUND, false).await, "pass");
        assert_eq!(
            failed(&layer, class, facts, StatusCode::FORBIDDEN, false).await,
            "429 rate_limit/too_many_failures"
        );
        assert_eq!(claimed(&layer, class, &others).await, "pass");
    }
}

#[actix_web::test]
async fn whoever_fails_without_the_apps_key_takes_nothing_from_those_who_have_it() {
    let layer = rates(|rates| rates.failures = SLOW);
    let nobody = of("203.0.113.9", None);
    for _ in 0..10 {
        failed(&layer, WEBHOOK, &nobody, StatusCode::FORBIDDEN, true).await;
    }
    assert_eq!(claimed(&layer, WEBHOOK, &nobody).await, "429 rate_limit/too_many_failures");
    let key = ApiKey::generate().id().clone();
    let app = crate::KeyedApp { key, app: "dev.redoubt.app".into(), platform: api::attestation::Platform::Android };
    let keyed = Facts { keyed_app: Some(Arc::new(app)), ..of("203.0.113.9", None) };
    assert_eq!(claimed(&layer, WEBHOOK, &keyed).await, "pass");
}

/// As often as one likes is not a price: of answers to a captcha, say.
#[actix_web::test]
async fn what_is_refused_where_nobody_is_known_costs_its_address_as_much() {
    let layer = rates(|rates| rates.address = SLOW);
    let facts = of("203.0.113.9", None);
    for status in [StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE, StatusCode::FORBIDDEN] {
        assert_eq!(examined(&layer, &request_to(PAGE), &facts).await.0, "pass");
        let answer =
            Outgoing { response: HttpResponse::new(status).map_into_boxed_body(), refused: true, challenged: false };
        layer.answered(&request_to(PAGE), &facts, answer).await.unwrap();
    }
    assert_eq!(examined(&layer, &request_to(PAGE), &facts).await.0, "429 rate_limit/rate_exceeded");
    assert_eq!(examined(&layer, &request_to(PAGE), &of("203.0.113.10", None)).await.0, "pass");
}

#[actix_web::test]
async fn a_user_has_so_many_requests_under_way_and_no_more() {
    let layer = rates(|_| ());
    let facts = of("203.0.113.9", Some("alice"));
    let mut under_way = Vec::new();
    for _ in 0..64 {
        let finding = layer.claim(&request_to(READ), &facts).await;
        assert!(matches!(finding.verdict, Verdict::Pass));
        under_way.push(finding.facts);
    }
    assert_eq!(claimed(&layer, READ, &facts).await, "429 rate_limit/too_many_at_once");
    assert_eq!(claimed(&layer, READ, &of("203.0.113.9", Some("bob"))).await, "pass");
    // One that ends makes room.
    under_way.pop();
    assert_eq!(claimed(&layer, READ, &facts).await, "pass");
}

#[test]
fn a_rate_that_is_none_is_an_error() {
    let rates = Rates { user: Rate { units: 0, seconds: 1 }, ..Rates::default() };
    assert!(RateLimitLayer::new(Arc::new(MemoryCounters::new(1)), &rates, &Noon).is_err());
    assert!(RateLimitLayer::new(Arc::new(MemoryCounters::new(1)), &Rates::default(), &Noon).is_ok());
}
