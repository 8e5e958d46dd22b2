//! Pushed requests over HTTP, and what becomes of them at `/authorize`. The parameters' checks have their tests beside them.

use crate::browser::Browser;
use crate::draft::{Client, Reply, refusal};
use crate::world::{APP, PARTNER, World};

#[tokio::test]
async fn a_pushed_request_gets_a_name_for_ninety_seconds() {
    let world = World::start().await;
    let (draft, _) = Client::app().par(&world).await;
    let reply = draft.send(&world).await;
    assert_eq!(reply.status, 201);
    assert!(reply.member("request_uri").starts_with("urn:ietf:params:oauth:request_uri:"));
    assert_eq!(reply.json()["expires_in"], 90);
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
}

#[tokio::test]
async fn a_refused_parameter_is_named_in_oauths_own_form() {
    let world = World::start().await;
    let client = Client::app();
    let rows = [
        (
            "redirect_uri",
            "https://evil.test/",
            refusal(400, "invalid_request", "redirect_uri/redirect_uri_unregistered"),
        ),
        ("response_type", "token", refusal(400, "unsupported_response_type", "request/response_type")),
        ("response_type", "code id_token", refusal(400, "unsupported_response_type", "request/response_type")),
        ("code_challenge_method", "plain", refusal(400, "invalid_request", "pkce/code_challenge_method")),
        ("code_challenge", "", refusal(400, "invalid_request", "pkce/code_challenge_missing")),
        ("scope", "openid admin", refusal(400, "invalid_scope", "scope/scope_not_allowed")),
        ("request_uri", "urn:x", refusal(400, "invalid_request", "request/request_uri_pushed")),
        ("request", "ey", refusal(400, "request_not_supported", "request/request_object")),
    ];
    for (name, value, expected) in rows {
        let (mut draft, _) = client.par(&world).await;
        draft.set(name, value);
        assert_eq!(draft.send(&world).await.refused(), expected, "{name}={value}");
    }
}

#[tokio::test]
async fn a_key_that_is_named_must_be_the_key_that_signed() {
    let world = World::start().await;
    let (client, other) = (Client::partner(&world), Client::partner(&world));
    for (jkt, status) in [(client.jkt(), 201), (other.jkt(), 400)] {
        let (mut draft, _) = client.par(&world).await;
        draft.set("dpop_jkt", &jkt);
        assert_eq!(draft.send(&world).await.status, status);
    }
    let (mut draft, _) = client.par(&world).await;
    draft.proof = None;
    draft.set("dpop_jkt", "short");
    assert_eq!(draft.send(&world).await.refused(), refusal(400, "invalid_request", "request/dpop_jkt_malformed"));
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused_without_a_stumble() {
    let world = World::start().await;
    let form = "application/x-www-form-urlencoded";
    let large = format!("a={}", "x".repeat(20_000));
    for (media_type, body) in [
        ("application/json", "{}"),
        ("text/plain", "a=b"),
        (form, "a=1&a=2"),
        (form, large.as_str()),
        (form, "%%%=%ff&\0"),
        (form, ""),
    ] {
        for path in ["/par", "/token"] {
            let request = world.http.post(world.url(path)).header("content-type", media_type).body(body.to_owned());
            let reply = Reply::read(request.send().await.unwrap()).await;
            let status = match body.len() {
                0 => 401,
                1..=16_384 => 400,
                _ => 413,
            };
            assert_eq!(reply.status, status, "{path} {media_type} {} {}", body.len(), reply.text);
            assert_eq!(reply.json().as_object().unwrap().len(), 2, "error and error_description: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn other_methods_are_problems_with_an_allow_header() {
    let world = World::start().await;
    for path in ["/par", "/token"] {
        let reply = world.get(path).await;
        assert_eq!((reply.status, reply.header("allow").as_deref()), (405, Some("POST")), "{path}");
        assert_eq!(reply.member("code"), "request.method_not_allowed");
    }
}

#[tokio::test]
async fn only_the_request_of_that_client_in_time_begins_an_authorization() {
    let world = World::start().await;
    let pushed = Client::app().push(&world).await;
    let expected = "request_uri/request_uri_unusable";
    let mut browser = Browser::new(&world);
    for (client_id, request_uri) in [
        (PARTNER, pushed.request_uri.as_str()),
        ("nobody", &pushed.request_uri),
        (APP, "urn:ietf:params:oauth:request_uri:unknown"),
        (APP, ""),
        ("", &pushed.request_uri),
    ] {
        let reply = browser.authorize(client_id, request_uri).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (400, expected), "{client_id} {request_uri}");
        assert!(reply.header("location").is_none() && reply.text.contains("no longer valid"));
    }
    world.clock.advance(89);
    browser.open(APP, &pushed.request_uri).await;
    world.clock.advance(1);
    assert_eq!(browser.authorize(APP, &pushed.request_uri).await.refusal(), expected);
}

#[tokio::test]
async fn a_request_that_was_not_pushed_is_shown_an_error_and_sent_nowhere() {
    let world = World::start().await;
    let query = "response_type=code&client_id=redoubt-mobile&redirect_uri=https%3A%2F%2Fapp.redoubt.example%2Fcallback\
                 &scope=openid&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let reply = world.get(&format!("/authorize?{query}")).await;
    assert_eq!((reply.status, reply.header("location")), (400, None));
    let doubled = world.get("/authorize?client_id=a&client_id=b").await;
    assert_eq!((doubled.status, doubled.refusal().as_str()), (400, "request/form_malformed"));
}
