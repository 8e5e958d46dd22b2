//! The layers before anybody is known: for each check a request that breaks just that, and one that does not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::test::TestRequest;
use runtime::Clock;

use super::registered::{Registered, text};
use super::*;
use crate::policy::{self, Policy as _};
use crate::{Access, ApiKey, Facts, Finding, Inbound, Layer, TrustedHops, Verdict};

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

/// One to a route of that class.
fn request_to(class: &'static policy::Class) -> Inbound {
    Inbound { class, ..request(&[]) }
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
    for host in
        ["api.example", "api.example.", "api.example.:443", "API.Example:8443", "[2001:db8::1]:443", "[2001:db8::1]"]
    {
        assert_eq!(examined(&layer, &request(&[("host", host)]), &Facts::default()).await.0, "pass", "{host}");
    }
    for host in [
        "evil.example",
        "api.example.evil.example",
        "api.example@evil.example",
        "",
        "api.example..",
        ".",
        "2001:db8::1",
        "localhost",
    ] {
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
        (&[("content-encoding", "identity, gzip")], "415 host/content_encoded"),
        (&[("content-encoding", "Identity")], "pass"),
        (&[("content-length", "3")], "400 host/body_not_expected"),
        (&[("transfer-encoding", "chunked")], "400 host/body_not_expected"),
        (&[("content-length", "0")], "pass"),
        (&[("accept", "a"), ("accept", "b")], "pass"),
    ] {
        let headers: Vec<_> = std::iter::once(ours).chain(more.iter().copied()).collect();
        assert_eq!(examined(&layer, &request(&headers), &Facts::default()).await.0, expected, "{more:?}");
    }
    for (path, query, expected) in [
        ("/v1/accounts", Some("limit=5&after=abc%3D"), "pass"),
        ("/", None, "pass"),
        ("/v1/accounts/", None, "pass"),
        ("/v1/%61ccounts", None, "400 host/path_not_plain"),
        ("/v1/../accounts", None, "400 host/path_not_plain"),
        ("/v1/./accounts", None, "400 host/path_not_plain"),
        ("/v1//accounts", None, "400 host/path_not_plain"),
        ("//v1/accounts", None, "400 host/path_not_plain"),
        ("/v1/accounts;x", None, "400 host/path_not_plain"),
        ("/v1\\accounts", None, "400 host/path_not_plain"),
        ("/v1/accounts", Some("a=%"), "400 host/query_malformed"),
        ("/v1/accounts", Some("a=%4"), "400 host/query_malformed"),
        ("/v1/accounts", Some("a=%4g"), "400 host/query_malformed"),
        ("/v1/accounts", Some("a=%00"), "400 host/query_malformed"),
        ("/v1/accounts", Some("a=\u{e9}"), "400 host/query_malformed"),
    ] {
        let mut asked = request(&[ours]);
        (asked.path, asked.query) = (path.to_owned(), query.map(str::to_owned));
        assert_eq!(examined(&layer, &asked, &Facts::default()).await.0, expected, "{path} {query:?}");
    }
    for (method, expected) in [
        ("OPTIONS", "pass"),
        ("CONNECT", "400 host/method_unknown"),
        ("TRACE", "pass"),
        ("get", "400 host/method_unknown"),
    ] {
        let mut asked = request(&[ours]);
        method.clone_into(&mut asked.method);
        assert_eq!(examined(&layer, &asked, &Facts::default()).await.0, expected, "{method}");
    }
    // A target that is a whole URL is for its authority, whatever the field says.
    let mut whole = request(&[ours]);
    whole.target_authority = Some("evil.example".to_owned());
    assert_eq!(examined(&layer, &whole, &Facts::default()).await.0, "421 host/host_unknown");
    whole.target_authority = Some("api.example:1".to_owned());
    for (scheme, expected) in
        [("https", "pass"), ("http", "400 host/scheme_unknown"), ("ftp", "400 host/scheme_unknown")]
    {
        whole.target_scheme = Some(scheme.to_owned());
        assert_eq!(examined(&layer, &whole, &Facts::default()).await.0, expected, "{scheme}");
    }
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

#[actix_web::test]
async fn whoever_has_no_key_of_ours_is_not_known() {
    let registered = Registered::new("keys");
    let layer = registered.layer(Keyed::Always);
    let good = registered.key.text().expose().as_str();
    let (passed, facts) = examined(&layer, &request(&[("api-key", good)]), &Facts::default()).await;
    assert_eq!((passed.as_str(), facts.keyed_app.unwrap().key.clone()), ("pass", registered.key.id().clone()));
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

#[path = "rate_limit_tests.rs"]
mod rate_limit;
