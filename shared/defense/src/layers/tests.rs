//! The layers before anybody is known: for each check a request that breaks just that, and one that does not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use crypto::SecretBytes;
use identity::{Cnf, access_token};
use runtime::Clock;

use super::*;
use crate::config::{Rate, Rates};
use crate::policy::{self, Policy as _};
use crate::stores::MemoryCounters;
use crate::{Access, ApiKey, Facts, Finding, Inbound, Layer, Outgoing, RegisterFile, TrustedHops, Verdict};

const NOW: i64 = 1_800_000_000;
const PEER: &str = "203.0.113.9:40000";

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        NOW * 1000
    }
}

fn request(headers: &[(&str, &str)]) -> Inbound {
    let peer: SocketAddr = PEER.parse().unwrap();
    let mut request = TestRequest::get().uri("/v1/accounts").peer_addr(peer);
    for (name, value) in headers {
        request = request.append_header((*name, *value));
    }
    let request = request.to_srv_request();
    Inbound::new(&request, "api.example", &policy::Read::CLASS, Access::Scope("accounts:read"), NOW)
}

/// What a layer says: status and `layer/reason`, or that it passes.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Unknown(reason) => format!("unknown/{reason}"),
        Verdict::Refuse(refusal) | Verdict::Challenge(refusal) => {
            let (status, record) = (refusal.problem().status.as_u16(), refusal.record().unwrap());
            format!("{status} {record}")
        }
    }
}

async fn examined(layer: &dyn Layer, request: &Inbound, facts: &Facts) -> (String, Facts) {
    let Finding { verdict, facts } = layer.examine(request, facts).await;
    (said(&verdict), facts)
}

#[actix_web::test]
async fn a_request_is_for_us_and_can_be_read_in_one_way() {
    let layer = HostLayer::new(["api.example:443".to_owned(), "[2001:db8::1]".to_owned()], TrustedHops::default());
    for host in ["api.example", "API.Example:8443", "[2001:db8::1]:443", "[2001:db8::1]"] {
        assert_eq!(examined(&layer, &request(&[("host", host)]), &Facts::default()).await.0, "pass", "{host}");
    }
    for host in ["evil.example", "api.example.evil.example", "api.example@evil.example", "", "2001:db8::1", "localhost"]
    {
        let said = examined(&layer, &request(&[("host", host)]), &Facts::default()).await.0;
        assert_eq!(said, "421 host/host_unknown", "{host}");
    }
    assert_eq!(examined(&layer, &request(&[]), &Facts::default()).await.0, "421 host/host_unknown");
    let ours = ("host", "api.example");
    for (more, expected) in [
        (&[("host", "api.example")][..], "400 host/header_doubled"),
        (&[("content-type", "a/b"), ("content-type", "a/b")], "400 host/header_doubled"),
        (&[("user-agent", "a"), ("user-agent", "b")], "400 host/header_doubled"),
        (&[("content-encoding", "gzip")], "415 host/content_encoded"),
        (&[("content-length", "3")], "400 host/body_not_expected"),
        (&[("transfer-encoding", "chunked")], "400 host/body_not_expected"),
        (&[("content-length", "0")], "pass"),
        (&[("accept", "a"), ("accept", "b")], "pass"),
    ] {
        let headers: Vec<_> = std::iter::once(ours).chain(more.iter().copied()).collect();
        assert_eq!(examined(&layer, &request(&headers), &Facts::default()).await.0, expected, "{more:?}");
    }
    // A target that is a whole URL is for its authority, whatever the field says.
    let mut whole = request(&[ours]);
    whole.target_authority = Some("evil.example".to_owned());
    assert_eq!(examined(&layer, &whole, &Facts::default()).await.0, "421 host/host_unknown");
}

#[actix_web::test]
async fn the_address_is_the_sockets_unless_a_proxy_of_ours_says_otherwise() {
    let headers = [("host", "api.example"), ("x-forwarded-for", "198.51.100.1, 198.51.100.7")];
    let strict = HostLayer::new(["api.example".to_owned()], TrustedHops::default());
    let (_, facts) = examined(&strict, &request(&headers), &Facts::default()).await;
    assert_eq!(facts.address.unwrap().to_string(), "203.0.113.9");
    let trusting =
        HostLayer::new(["api.example".to_owned()], TrustedHops::new(vec!["203.0.113.0/24".parse().unwrap()]));
    let (_, facts) = examined(&trusting, &request(&headers), &Facts::default()).await;
    assert_eq!(facts.address.unwrap().to_string(), "198.51.100.7");
    let nonsense = [("host", "api.example"), ("x-forwarded-for", "unknown")];
    let said = examined(&trusting, &request(&nonsense), &Facts::default()).await.0;
    assert_eq!(said, "400 host/forwarded_for_malformed");
}

#[actix_web::test]
async fn the_edges_score_is_believed_of_a_proxy_of_ours_alone() {
    let hosts = || ["api.example".to_owned()];
    let strict = HostLayer::new(hosts(), TrustedHops::default());
    let trusting = HostLayer::new(hosts(), TrustedHops::new(vec!["203.0.113.9/32".parse().unwrap()]));
    let said = |scores: &[&'static str]| {
        let scores = scores.iter().map(|score| ("waf-score", *score));
        request(&[("host", "api.example")].into_iter().chain(scores).collect::<Vec<_>>())
    };
    for (scores, expected) in [
        (&["0"][..], Ok(Some(0))),
        (&["20"], Ok(Some(20))),
        (&[], Ok(None)),
        (&[""], Err(())),
        (&["+5"], Err(())),
        (&["-1"], Err(())),
        (&["5, 0"], Err(())),
        (&["65536"], Err(())),
        (&["5", "0"], Err(())),
    ] {
        let (verdict, facts) = examined(&trusting, &said(scores), &Facts::default()).await;
        match expected {
            Ok(score) => assert_eq!((verdict.as_str(), facts.waf_score), ("pass", score), "{scores:?}"),
            Err(()) => assert_eq!(verdict, "400 host/waf_score_malformed", "{scores:?}"),
        }
        // Of a stranger it is nothing, and no reason to refuse him.
        let (verdict, facts) = examined(&strict, &said(scores), &Facts::default()).await;
        assert_eq!((verdict.as_str(), facts.waf_score), ("pass", None), "{scores:?}");
    }
}

/// A register in a file, with one key that is good.
struct Registered {
    key: ApiKey,
    folder: std::path::PathBuf,
    file: Arc<RegisterFile>,
}

const PEPPER: &[u8] = b"0123456789abcdef0123456789abcdef";

impl Registered {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("redoubt-apps-{name}-{}", crypto::random::token(8)));
        std::fs::create_dir_all(&folder).unwrap();
        let key = ApiKey::generate();
        let path = folder.join("apps.toml");
        std::fs::write(&path, text(&key, "")).unwrap();
        Self { key, file: Arc::new(RegisterFile::open(&path).unwrap()), folder }
    }

    fn layer(&self, keyed: Keyed) -> ApiKeyLayer {
        ApiKeyLayer::new(Arc::clone(&self.file), SecretBytes::new(PEPPER.to_vec()), "ledger", keyed)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn text(key: &ApiKey, more: &str) -> String {
    format!(
        "[[app]]\nid = \"dev.redoubt.app\"\nplatform = \"android\"\nminimum_build = \"10\"\n[[app.key]]\nid = \"{}\"\n\
         mac = \"{}\"\nservices = [\"ledger\"]\nnot_after = {}\n{more}",
        key.id(),
        hex::encode(key.mac(PEPPER)),
        NOW + 60,
    )
}

#[actix_web::test]
async fn whoever_has_no_key_of_ours_is_not_known() {
    let registered = Registered::new("keys");
    let layer = registered.layer(Keyed::Always);
    let good = registered.key.text().expose().as_str();
    let (passed, facts) = examined(&layer, &request(&[("api-key", good)]), &Facts::default()).await;
    assert_eq!((passed.as_str(), facts.keyed_app.unwrap().key), ("pass", registered.key.id().clone()));
    let stranger = ApiKey::generate();
    for (headers, reason) in [
        (&[][..], "key_missing"),
        (&[("api-key", "let me in")], "key_malformed"),
        (&[("api-key", good), ("api-key", good)], "key_malformed"),
        (&[("api-key", stranger.text().expose().as_str())], "key_unknown"),
    ] {
        let refused = examined(&layer, &request(headers), &Facts::default()).await.0;
        assert_eq!(refused, format!("403 api_key/{reason}"));
    }
    // Elsewhere there are callers that are no apps; but a key that is there has to be good.
    let perhaps = registered.layer(Keyed::Perhaps);
    assert_eq!(examined(&perhaps, &request(&[]), &Facts::default()).await.0, "pass");
    let bad = examined(&perhaps, &request(&[("api-key", stranger.text().expose())]), &Facts::default()).await.0;
    assert_eq!(bad, "403 api_key/key_unknown");
}

#[actix_web::test]
async fn a_key_that_is_switched_off_is_refused_within_five_seconds_and_a_broken_register_changes_nothing() {
    let registered = Registered::new("switch");
    let layer = registered.layer(Keyed::Always);
    let asked = request(&[("api-key", registered.key.text().expose())]);
    let (stop, stopping) = runtime::Shutdown::channel();
    let keeping = tokio::spawn(Arc::clone(&registered.file).keep_current(stopping));
    let path = registered.folder.join("apps.toml");
    let until = |wanted: &'static str, within: Duration| {
        let (layer, asked) = (&layer, &asked);
        async move {
            let found = async {
                while examined(layer, asked, &Facts::default()).await.0 != wanted {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(within, found).await.is_ok()
        }
    };
    std::fs::write(&path, "broken").unwrap();
    assert!(!until("403 api_key/key_disabled", Duration::from_millis(2_500)).await);
    assert_eq!(examined(&layer, &asked, &Facts::default()).await.0, "pass");
    std::fs::write(&path, text(&registered.key, "disabled = true\n")).unwrap();
    assert!(until("403 api_key/key_disabled", Duration::from_secs(5)).await);
    std::fs::write(&path, text(&registered.key, "")).unwrap();
    assert!(until("pass", Duration::from_secs(5)).await);
    stop.request();
    keeping.await.unwrap();
}

#[actix_web::test]
async fn an_app_that_is_too_old_is_told_to_update() {
    let registered = Registered::new("builds");
    let (keys, layer) = (registered.layer(Keyed::Always), ClientVersionLayer::new(Arc::clone(&registered.file)));
    let (_, keyed) = examined(&keys, &request(&[("api-key", registered.key.text().expose())]), &Facts::default()).await;
    let agent = |agent: &'static str| request(&[("user-agent", agent)]);
    for (text, expected) in [
        ("dev.redoubt.app/1.0 (android 10)", "pass"),
        ("dev.redoubt.app/9.9 (android 9)", "426 client_version/build_outdated"),
        ("dev.redoubt.app/1.0 (ios 10)", "403 client_version/key_of_another_app"),
        ("dev.other.app/1.0 (android 10)", "403 client_version/key_of_another_app"),
        ("curl/8.5.0", "403 client_version/build_not_named"),
    ] {
        assert_eq!(examined(&layer, &agent(text), &keyed).await.0, expected, "{text}");
    }
    let Verdict::Refuse(refusal) = layer.examine(&agent("dev.redoubt.app/9.9 (android 9)"), &keyed).await.verdict
    else {
        panic!("an old build was let in");
    };
    let upgrade = refusal.problem().headers.iter().find(|(name, _)| name == "upgrade").unwrap();
    assert_eq!((refusal.problem().code, upgrade.1.to_str().unwrap()), ("client.outdated", "dev.redoubt.app/10"));
    // Whoever needs no key is no app.
    assert_eq!(examined(&layer, &agent("Mozilla/5.0"), &Facts::default()).await.0, "pass");
}

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
    });
    Facts { address: Some(address.parse().unwrap()), access, ..Facts::default() }
}

async fn claimed(layer: &RateLimitLayer, facts: &Facts) -> String {
    said(&layer.claim(&request(&[]), facts).await.verdict)
}

const SLOW: Rate = Rate { units: 3, seconds: 3_600 };

#[actix_web::test]
async fn each_limit_refuses_by_itself_and_nobody_else_pays() {
    for (name, layer, facts, others) in [
        ("address", rates(|rates| rates.address = SLOW), of("203.0.113.9", None), of("203.0.113.10", None)),
        ("network", rates(|rates| rates.network = SLOW), of("203.0.113.9", None), of("203.0.114.9", None)),
        ("user", rates(|rates| rates.user = SLOW), of("203.0.113.9", Some("alice")), of("203.0.113.9", Some("bob"))),
    ] {
        for _ in 0..3 {
            assert_eq!(claimed(&layer, &facts).await, "pass", "{name}");
        }
        assert_eq!(claimed(&layer, &facts).await, "429 rate_limit/rate_exceeded", "{name}");
        assert_eq!(claimed(&layer, &others).await, "pass", "{name}");
    }
    let all = rates(|rates| rates.class = SLOW);
    for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        assert_eq!(claimed(&all, &of(address, None)).await, "pass");
    }
    assert_eq!(claimed(&all, &of("203.0.113.4", None)).await, "429 rate_limit/rate_exceeded");
}

#[actix_web::test]
async fn looking_takes_nothing_and_of_many_at_once_as_many_win_as_there_are_units() {
    let layer = rates(|rates| rates.address = SLOW);
    let facts = of("203.0.113.9", None);
    for _ in 0..10 {
        assert_eq!(examined(&layer, &request(&[]), &facts).await.0, "pass");
    }
    let asked = request(&[]);
    let claims = futures_util::future::join_all((0..64).map(|_| layer.claim(&asked, &facts))).await;
    assert_eq!(claims.iter().filter(|finding| matches!(finding.verdict, Verdict::Pass)).count(), 3);
    // Now the head is enough to know it.
    assert_eq!(examined(&layer, &request(&[]), &facts).await.0, "429 rate_limit/rate_exceeded");
}

#[actix_web::test]
async fn only_a_known_caller_sees_what_is_left() {
    let layer = rates(|rates| rates.address = SLOW);
    let told = async |facts: &Facts| {
        let verdict = loop {
            match layer.claim(&request(&[]), facts).await.verdict {
                Verdict::Pass => (),
                verdict => break verdict,
            }
        };
        let Verdict::Refuse(refusal) = verdict else { panic!("it was not refused") };
        let names = refusal.problem().headers.iter().map(|(name, _)| name.as_str().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(told(&of("203.0.113.9", None)).await, ["retry-after"]);
    assert_eq!(told(&of("203.0.113.9", Some("alice"))).await, ["ratelimit-policy", "ratelimit", "retry-after"]);
}

#[actix_web::test]
async fn refusals_of_an_address_add_up_and_honest_challenges_do_not() {
    let layer = rates(|rates| rates.failures = SLOW);
    let facts = of("203.0.113.9", None);
    let answer = async |status, refused, challenged| {
        let response = HttpResponse::new(status).map_into_boxed_body();
        layer.answered(&request(&[]), &facts, Outgoing { response, refused, challenged }).await.unwrap();
        examined(&layer, &request(&[]), &facts).await.0
    };
    for _ in 0..10 {
        assert_eq!(answer(StatusCode::UNAUTHORIZED, true, true).await, "pass");
        assert_eq!(answer(StatusCode::TOO_MANY_REQUESTS, true, false).await, "pass");
        // Ours, and what an honest app is told.
        assert_eq!(answer(StatusCode::SERVICE_UNAVAILABLE, true, false).await, "pass");
        assert_eq!(answer(StatusCode::UPGRADE_REQUIRED, true, false).await, "pass");
        assert_eq!(answer(StatusCode::OK, false, false).await, "pass");
    }
    assert_eq!(answer(StatusCode::UNAUTHORIZED, true, false).await, "pass");
    assert_eq!(answer(StatusCode::FORBIDDEN, true, false).await, "pass");
    assert_eq!(answer(StatusCode::UNAUTHORIZED, true, false).await, "429 rate_limit/too_many_failures");
    assert_eq!(examined(&layer, &request(&[]), &of("203.0.113.10", None)).await.0, "pass");
}

#[actix_web::test]
async fn a_user_has_so_many_requests_under_way_and_no_more() {
    let layer = rates(|_| ());
    let facts = of("203.0.113.9", Some("alice"));
    let mut under_way = Vec::new();
    for _ in 0..64 {
        let finding = layer.claim(&request(&[]), &facts).await;
        assert!(matches!(finding.verdict, Verdict::Pass));
        under_way.push(finding.facts);
    }
    assert_eq!(claimed(&layer, &facts).await, "429 rate_limit/too_many_at_once");
    assert_eq!(claimed(&layer, &of("203.0.113.9", Some("bob"))).await, "pass");
    // One that ends makes room.
    under_way.pop();
    assert_eq!(claimed(&layer, &facts).await, "pass");
}

#[test]
fn a_rate_that_is_none_is_an_error() {
    let rates = Rates { user: Rate { units: 0, seconds: 1 }, ..Rates::default() };
    assert!(RateLimitLayer::new(Arc::new(MemoryCounters::new(1)), &rates, &Noon).is_err());
    assert!(RateLimitLayer::new(Arc::new(MemoryCounters::new(1)), &Rates::default(), &Noon).is_ok());
}
