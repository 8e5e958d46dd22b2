//! A client that nobody here wrote logs in.
//!
//! Our own tests and our own SDK share our reading of the standards; `huskarl` does not: it is certified as a FAPI 2.0
//! relying party (`private_key_jwt`, `DPoP`), and it verifies our ID tokens with cryptography that we do not use. A second
//! one, `openidconnect`, reads what we publish; a third, `oauth4webapi`, is of another language. Real sockets, real TLS, a real
//! database; nothing of ours is on the client's side but the HTTP client, and a person with a browser.
#![expect(clippy::unwrap_used, reason = "tests")]

mod altcha;
mod browser;
mod captcha;
mod chromium;
mod contract;
mod docs;
mod drivers;
mod npm;
mod oauth4webapi;
mod passkey;
mod vendors;
mod world;

use std::error::Error as _;

use http::StatusCode;
use huskarl::core::client_auth::Audience;
use huskarl::core::server_metadata::AuthorizationServerMetadata;
use huskarl::core::{Error, OAuthErrorCode};
use huskarl::grant::authorization_code::{AuthorizationCodeGrant, CompleteOutput, PendingState, StartInput};
use huskarl::grant::core::TokenResponse;
use huskarl::grant::refresh::RefreshGrantParameters;
use huskarl::prelude::*;
use huskarl::token::AccessToken;
use huskarl::userinfo::UserInfoClient;
use huskarl_crypto_native::asymmetric::signer::{GenerateAlgorithm, PrivateKey};
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreResponseType};
use openidconnect::{ClientId, IssuerUrl, JsonWebKey as _, Nonce, ResponseTypes};
use url::Url;

use crate::world::{CLIENT, SCOPES, Setup, World, scopes};

#[tokio::test]
async fn the_page_of_the_api_shuts_nobody_out() {
    let pki = testkit::pki::Pki::temporary().unwrap();
    let world = World::start_in(pki, world::REDIRECT, |config| {
        config.common.public.as_mut().unwrap().docs = true;
    })
    .await;
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    docs::judge("auth", &world.issuer, testkit::fuzz::operations(document.as_ref()).unwrap()).await;
    world.stop().await;
}

#[tokio::test]
async fn a_client_that_nobody_here_wrote_logs_in() {
    let world = World::start().await;
    let metadata = world.metadata().await;
    let grant = world.grant(&metadata, Setup::default()).await;

    let started = grant.start(StartInput::scope(scopes())).await.unwrap();
    // FAPI 2.0 §5.3.3.2: everything was pushed; the browser carries a reference.
    let url = Url::parse(&started.authorization_url.to_string()).unwrap();
    let carried: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(carried, ["client_id", "request_uri"]);

    let callback = world.browse(url.as_str(), "allow").await;
    let completed = grant.complete(&started.pending_state, callback.parse().unwrap()).await.unwrap();
    let subject = check_login(&world, &completed, &started.pending_state).await;
    check_refresh(&grant, &completed).await;

    let user_info = UserInfoClient::builder_from_grant(&grant, &metadata).unwrap().build().await.unwrap();
    let about = user_info.get(&world.wire, completed.token_response.access_token(), &subject).await.unwrap();
    assert_eq!(about.sub, subject);

    // RFC 9449 §8, §9: the server asked for its nonce once on each side, and the client needed to be told no second time.
    let challenged = world.wire.answers("use_dpop_nonce");
    let expected = [("POST /par", StatusCode::BAD_REQUEST), ("GET /userinfo", StatusCode::UNAUTHORIZED)];
    assert_eq!(challenged, expected.map(|(request, status)| (request.to_owned(), status)));
    world.stop().await;
}

#[tokio::test]
async fn a_code_that_comes_twice_gives_nothing_and_takes_back_what_it_gave() {
    let world = World::start().await;
    let grant = world.grant(&world.metadata().await, Setup::default()).await;
    let (callback, pending) = world.log_in(&grant).await;
    let first = grant.complete(&pending, callback.parse().unwrap()).await.unwrap();
    let second = grant.complete(&pending, callback.parse().unwrap()).await;
    assert_eq!(refused(second), OAuthErrorCode::InvalidGrant);
    // RFC 6749 §4.1.2: what the code gave ends with it.
    assert_eq!(refused(refresh(&grant, &first.token_response).await), OAuthErrorCode::InvalidGrant);
    world.stop().await;
}

#[tokio::test]
async fn a_callback_in_the_wrong_hands_gives_nothing() {
    let world = World::start().await;
    let metadata = world.metadata().await;
    let grant = world.grant(&metadata, Setup::default()).await;
    let thief = world.grant(&metadata, Setup::default()).await;

    // RFC 9449 §10.1: the client's own key, the code and its verifier, but another `DPoP` key.
    let (callback, mut pending) = world.log_in(&grant).await;
    let key = thief.dpop().get_current_thumbprint().await;
    assert_ne!(key, pending.dpop_jkt);
    pending.dpop_jkt = key;
    assert_eq!(refused(thief.complete(&pending, callback.parse().unwrap()).await), OAuthErrorCode::InvalidGrant);

    // RFC 7636 §4.6: the right key, but another verifier.
    let (callback, mut pending) = world.log_in(&grant).await;
    pending.pkce_verifier = Some("v".repeat(43));
    assert_eq!(refused(grant.complete(&pending, callback.parse().unwrap()).await), OAuthErrorCode::InvalidGrant);
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_registered_is_refused_before_a_browser_sees_it() {
    let world = World::start().await;
    let metadata = world.metadata().await;
    let stranger = PrivateKey::generate(GenerateAlgorithm::Es256, Some("partner-web-1".to_owned())).unwrap();
    let cases = [
        (
            "redirect_uri",
            Setup { redirect: "https://localhost:8400/elsewhere".to_owned(), ..Setup::default() },
            OAuthErrorCode::InvalidRequest,
        ),
        ("key", Setup { key: Some(stranger), ..Setup::default() }, OAuthErrorCode::InvalidClient),
        // FAPI 2.0 §5.3.2.1: the assertion is for the issuer, and an endpoint's URL is not the issuer.
        ("audience", Setup { audience: Audience::TokenEndpoint, ..Setup::default() }, OAuthErrorCode::InvalidClient),
        ("client_id", Setup { client: "partner-bank", ..Setup::default() }, OAuthErrorCode::InvalidClient),
    ];
    for (what, setup, expected) in cases {
        let grant = world.grant(&metadata, setup).await;
        assert_eq!(refused(grant.start(StartInput::scope(scopes())).await), expected, "{what}");
    }
    let grant = world.grant(&metadata, Setup::default()).await;
    let beyond = grant.start(StartInput::scope(vec!["openid".to_owned(), "transfers:write".to_owned()])).await;
    assert_eq!(refused(beyond), OAuthErrorCode::InvalidScope);
    world.stop().await;
}

#[tokio::test]
async fn a_person_who_says_no_is_believed() {
    let world = World::start().await;
    let grant = world.grant(&world.metadata().await, Setup::default()).await;
    let started = grant.start(StartInput::scope(scopes())).await.unwrap();
    let callback = world.browse(&started.authorization_url.to_string(), "deny").await;
    let denied = grant.complete(&started.pending_state, callback.parse().unwrap()).await;
    assert_eq!(refused(denied), OAuthErrorCode::AccessDenied);
    world.stop().await;
}

#[tokio::test]
async fn a_second_library_reads_what_is_published() {
    let world = World::start().await;
    let found = world.discover().await;
    assert_eq!(found.issuer().as_str(), world.issuer);
    assert_eq!(found.response_types_supported(), &vec![ResponseTypes::new(vec![CoreResponseType::Code])]);
    assert_eq!(found.id_token_signing_alg_values_supported(), &vec![CoreJwsSigningAlgorithm::EcdsaP256Sha256]);
    assert!(found.jwks().keys().iter().all(|key| key.key_id().is_some()));
    assert!(!found.jwks().keys().is_empty());

    // The same document at both addresses (OpenID Connect Discovery §4, RFC 8414 §3).
    let oauth = world.metadata().await;
    let openid = AuthorizationServerMetadata::oidc_fetch().http_client(&world.wire).issuer(&world.issuer).call().await;
    assert_eq!(format!("{oauth:?}"), format!("{:?}", openid.unwrap()));
    assert!(oauth.require_pushed_authorization_requests && oauth.authorization_response_iss_parameter_supported);
    assert_eq!(oauth.code_challenge_methods_supported, ["S256"]);
    assert_eq!(oauth.dpop_signing_alg_values_supported.as_deref(), Some(&["ES256".to_owned()][..]));
    world.stop().await;
}

/// The tokens of a login, as both libraries read them; the subject.
async fn check_login(world: &World, completed: &CompleteOutput, pending: &PendingState) -> String {
    let response = &completed.token_response;
    let id_token = completed.id_token.as_ref().unwrap();
    assert_eq!((id_token.iss.as_deref(), &id_token.aud[..]), (Some(&*world.issuer), &[CLIENT.to_owned()][..]));
    assert!(pending.nonce.is_some() && id_token.claims.nonce == pending.nonce);
    assert!(id_token.claims.auth_time.is_some());
    let subject = id_token.sub.clone().unwrap();

    let keys = world.discover().await.jwks().clone();
    let issuer = IssuerUrl::new(world.issuer.clone()).unwrap();
    let verifier = CoreIdTokenVerifier::new_public_client(ClientId::new(CLIENT.to_owned()), issuer, keys)
        .set_allowed_algs([CoreJwsSigningAlgorithm::EcdsaP256Sha256]);
    let read: CoreIdToken = response.id_token().unwrap().token().parse().unwrap();
    let claims = read.claims(&verifier, &Nonce::new(pending.nonce.clone().unwrap())).unwrap();
    assert_eq!(claims.subject().as_str(), subject);

    let AccessToken::DPoP(token) = response.access_token() else { unreachable!("the access token is not bound") };
    assert_eq!(Some(token.jkt()), pending.dpop_jkt.as_deref());
    let raw = response.raw_token_response();
    assert_eq!(raw.scope.as_deref(), Some(&*SCOPES.join(" ")));
    assert!(raw.expires_in.is_some_and(|seconds| (1..=300).contains(&seconds)));
    subject
}

/// FAPI 2.0 §5.3.2.1: a bound refresh token is not rotated, so it works again and again.
async fn check_refresh(grant: &AuthorizationCodeGrant, completed: &CompleteOutput) {
    let mut last = completed.token_response.clone();
    for _ in 0..2 {
        let next = refresh(grant, &completed.token_response).await.unwrap();
        assert_ne!(next.access_token().token().expose_secret(), last.access_token().token().expose_secret());
        assert_eq!(next.access_token().dpop_jkt(), last.access_token().dpop_jkt());
        assert!(next.access_token().dpop_jkt().is_some());
        last = next;
    }
}

async fn refresh(grant: &AuthorizationCodeGrant, response: &TokenResponse) -> Result<TokenResponse, Error> {
    let token = response.refresh_token().unwrap().clone();
    grant.to_refresh_grant().exchange(RefreshGrantParameters::refresh_token(token)).await
}

/// What the server said no with.
fn refused<T>(outcome: Result<T, Error>) -> OAuthErrorCode {
    let error = outcome.err().unwrap();
    let Some(verdict) = error.verdict() else {
        unreachable!("no verdict of the server: {error}: {:?}", error.source())
    };
    verdict.code().clone()
}
