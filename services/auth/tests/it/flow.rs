//! The whole way, for both kinds of clients.

use identity::access_token::{self, Expect, KeySet};
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet};
use openidconnect::{ClientId, IssuerUrl, Nonce};

use crate::browser::{Browser, PASSWORD, parameter};
use crate::draft::Client;
use crate::world::{APP_REDIRECT, ISSUER, PARTNER, SCOPES, World};

async fn log_in_and_check(world: &World, client: &Client) {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    let email = browser.register_anybody().await;
    let url = browser.decide("allow").await;
    assert!(url.as_str().starts_with(client.redirect_uri()));
    assert_eq!(parameter(&url, "state").as_deref(), Some("state-1"));
    assert_eq!(parameter(&url, "iss").as_deref(), Some(ISSUER));
    assert_eq!(browser.cookies, [], "the interaction is over");

    let code = parameter(&url, "code").unwrap();
    let reply = client.redemption(world, &code, &pushed.verifier).await.send(world).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let answer = reply.json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&"DPoP".into(), &300.into()));
    assert!(reply.header("cache-control").unwrap().contains("no-store") && reply.header("dpop-nonce").is_some());

    let jwks = world.get("/jwks.json").await;
    let keys = KeySet::from_jwks(&jwks.text).unwrap();
    let expect = Expect { issuer: ISSUER, audience: "urn:redoubt:ledger", now: world.now() };
    let claims = access_token::verify(answer["access_token"].as_str().unwrap(), &keys, &expect).unwrap();
    assert_eq!((claims.client_id.as_str(), claims.cnf.jkt.to_string()), (client.id(), client.jkt()));
    assert_eq!((claims.exp - claims.iat, claims.auth_time), (300, world.now()));
    assert_eq!(answer["scope"], claims.scope.as_str());

    check_id_token(&jwks.text, client.id(), answer["id_token"].as_str().unwrap(), &claims.sub);

    let refreshed = client.refresh(world, answer["refresh_token"].as_str().unwrap()).await.send(world).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    assert!(refreshed.json().get("refresh_token").is_none(), "a bound token is not rotated");

    // Somebody who has a login uses it the next time.
    let (mut browser, _) = Browser::at_login(world, client).await;
    let reply = browser.log_in(&format!(" {}", email.to_uppercase()), PASSWORD).await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")), "{}", reply.text);
}

/// With the verifier that relying parties use.
fn check_id_token(jwks: &str, client_id: &str, token: &str, subject: &str) {
    let keys: CoreJsonWebKeySet = serde_json::from_str(jwks).unwrap();
    let verifier = CoreIdTokenVerifier::new_public_client(
        ClientId::new(client_id.into()),
        IssuerUrl::new(ISSUER.into()).unwrap(),
        keys,
    )
    .set_allowed_algs([openidconnect::core::CoreJwsSigningAlgorithm::EcdsaP256Sha256]);
    let token: CoreIdToken = token.parse().unwrap();
    let claims = token.claims(&verifier, &Nonce::new("nonce-1".into())).unwrap();
    assert_eq!(claims.subject().as_str(), subject);
    assert!(token.claims(&verifier, &Nonce::new("another".into())).is_err());
}

#[tokio::test]
async fn an_attested_phone_logs_in() {
    let world = World::start().await;
    log_in_and_check(&world, &Client::app()).await;
}

#[tokio::test]
async fn a_confidential_client_logs_in() {
    let world = World::start().await;
    log_in_and_check(&world, &Client::partner(&world)).await;
}

#[tokio::test]
async fn whoever_says_no_is_believed() {
    let world = World::start().await;
    let (mut browser, pushed) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    let url = browser.decide("deny").await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"));
    assert_eq!((parameter(&url, "state").as_deref(), parameter(&url, "code")), (Some("state-1"), None));
    assert_eq!(parameter(&url, "iss").as_deref(), Some(ISSUER));
    let again = Browser::new(&world).authorize("redoubt-mobile", &pushed.request_uri).await;
    assert_eq!((again.status, again.refusal().as_str()), (400, "request_uri/request_uri_unusable"));
}

#[tokio::test]
async fn without_openid_and_offline_access_there_is_an_access_token_only() {
    let world = World::start().await;
    let client = Client::app();
    let (mut draft, verifier) = client.par(&world).await;
    draft.set("scope", "accounts:read");
    let request_uri = draft.send(&world).await.member("request_uri");
    let mut browser = Browser::new(&world);
    browser.open(client.id(), &request_uri).await;
    browser.register_anybody().await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let answer = client.redemption(&world, &code, &verifier).await.send(&world).await.json();
    assert_eq!(answer["scope"], "accounts:read");
    assert!(answer.get("refresh_token").is_none() && answer.get("id_token").is_none());
}

#[tokio::test]
async fn a_request_may_be_opened_again_until_it_is_answered() {
    let world = World::start().await;
    let client = Client::app();
    let (mut browser, pushed) = Browser::at_login(&world, &client).await;
    browser.open(client.id(), &pushed.request_uri).await;
    browser.register_anybody().await;
    let mut other = Browser::new(&world);
    other.open(client.id(), &pushed.request_uri).await;
    other.register_anybody().await;
    browser.decide("allow").await;
    let late = other.post("/consent", &[("decision", "allow")]).await;
    assert_eq!((late.status, late.refusal().as_str()), (409, "request_uri/request_already_answered"));
}

#[tokio::test]
async fn a_client_that_sends_no_proof_with_par_is_bound_at_the_token_endpoint() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (mut draft, verifier) = client.par(&world).await;
    draft.proof = None;
    let request_uri = draft.send(&world).await.member("request_uri");
    let mut browser = Browser::new(&world);
    browser.open(PARTNER, &request_uri).await;
    browser.register_anybody().await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let reply = client.redemption(&world, &code, &verifier).await.send(&world).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn both_methods_begin_an_authorization_and_what_was_not_pushed_is_ignored() {
    let world = World::start().await;
    let client = Client::app();
    let pushed = client.push(&world).await;
    let mut browser = Browser::new(&world);
    let form = [
        ("client_id", client.id()),
        ("request_uri", pushed.request_uri.as_str()),
        ("redirect_uri", "https://evil.test/"),
        ("scope", "everything"),
    ];
    let reply = browser.post("/authorize", &form).await;
    assert_eq!(reply.leads_to().as_deref(), Some("/login"));
    browser.get("/login").await;
    browser.register_anybody().await;
    let page = browser.get("/consent").await;
    let words = auth::scopes::split(SCOPES).filter_map(auth::scopes::describe);
    for permission in words {
        assert!(page.text.contains(permission), "{permission}");
    }
    assert!(browser.decide("allow").await.as_str().starts_with(APP_REDIRECT));
}

#[tokio::test]
async fn a_client_that_wants_no_page_is_told_that_there_is_one() {
    let world = World::start().await;
    let client = Client::app();
    let (mut draft, _) = client.par(&world).await;
    draft.set("prompt", "none");
    let request_uri = draft.send(&world).await.member("request_uri");
    let reply = Browser::new(&world).authorize(client.id(), &request_uri).await;
    let url = reply.header("location").unwrap().parse().unwrap();
    assert_eq!(parameter(&url, "error").as_deref(), Some("login_required"));
    assert_eq!(parameter(&url, "iss").as_deref(), Some(ISSUER));
}
