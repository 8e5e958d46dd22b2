//! A client that nobody here wrote logs in.
//!
//! Our own tests and our own SDK share our reading of the standards; `huskarl` does not: it is certified as a FAPI 2.0
//! relying party (`private_key_jwt`, `DPoP`), and it verifies our ID tokens with cryptography that we do not use. A second
//! one, `openidconnect`, reads what we publish. Real sockets, real TLS, a real database; nothing of ours is on the client's
//! side but the HTTP client, and a person with a browser.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use actix_web::web::Bytes;
use auth::Auth;
use auth::config::{AuthMethod, ClientMetadata, Config, Password};
use crypto::password::Params;
use http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, StatusCode};
use huskarl::core::OAuthErrorCode;
use huskarl::core::client_auth::{Audience, JwtBearer};
use huskarl::core::dpop::DPoP;
use huskarl::core::http::{HttpClient, HttpResponse, Idempotency};
use huskarl::core::jwk::{Jwk, PrivateJwk};
use huskarl::core::platform::MaybeSendBoxFuture;
use huskarl::core::server_metadata::AuthorizationServerMetadata;
use huskarl::core::{Error, RetryAdvice};
use huskarl::grant::authorization_code::{AuthorizationCodeGrant, CompleteOutput, PendingState, StartInput};
use huskarl::grant::core::TokenResponse;
use huskarl::grant::refresh::RefreshGrantParameters;
use huskarl::prelude::*;
use huskarl::token::AccessToken;
use huskarl::userinfo::UserInfoClient;
use huskarl_crypto_native::asymmetric::signer::{GenerateAlgorithm, PrivateKey};
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
};
use openidconnect::{ClientId, IssuerUrl, JsonWebKey as _, Nonce};
use runtime::config::{Database, Internal, Listener};
use runtime::{Common, Running, SystemClock};
use testkit::database::TestDatabase;
use testkit::pki::Pki;
use url::Url;

const CLIENT: &str = "partner-web";
const REDIRECT: &str = "https://localhost:8400/callback";
const SCOPES: [&str; 3] = ["openid", "offline_access", "accounts:read"];
const NAME: &str = "Ada Lovelace";
const EMAIL: &str = "ada@example.com";

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

    let callback = world.browser().allow(url.as_str()).await;
    let completed = grant.complete(&started.pending_state, callback.parse().unwrap()).await.unwrap();
    let subject = world.check_login(&completed, &started.pending_state).await;
    world.check_refresh(&grant, &completed).await;

    let user_info = UserInfoClient::builder_from_grant(&grant, &metadata).unwrap().build().await.unwrap();
    let about = user_info.get(&world.wire, completed.token_response.access_token(), &subject).await.unwrap();
    assert_eq!(about.sub, subject);

    // RFC 9449 §8: the server asked for its nonce, once, and the client needed to be told no second time.
    let challenged = world.wire.answers("use_dpop_nonce");
    assert_eq!(challenged, [("POST /par".to_owned(), StatusCode::BAD_REQUEST)]);
    world.stop().await;
}

#[tokio::test]
async fn a_code_that_comes_twice_gives_nothing_and_takes_back_what_it_gave() {
    let world = World::start().await;
    let grant = world.grant(&world.metadata().await, Setup::default()).await;
    let started = grant.start(StartInput::scope(scopes())).await.unwrap();
    let callback = world.browser().allow(&started.authorization_url.to_string()).await;
    let first = grant.complete(&started.pending_state, callback.parse().unwrap()).await.unwrap();
    let second = grant.complete(&started.pending_state, callback.parse().unwrap()).await;
    assert_eq!(refused(second), OAuthErrorCode::InvalidGrant);
    // RFC 6749 §4.1.2: what the code gave ends with it.
    assert_eq!(refused(refresh(&grant, &first.token_response).await), OAuthErrorCode::InvalidGrant);
    world.stop().await;
}

#[tokio::test]
async fn a_callback_in_the_wrong_hands_gives_nothing() {
    let world = World::start().await;
    let metadata = world.metadata().await;
    let victim = world.grant(&metadata, Setup::default()).await;
    let started = victim.start(StartInput::scope(scopes())).await.unwrap();
    let callback = world.browser().allow(&started.authorization_url.to_string()).await;
    // RFC 9449 §10.1: with the client's key, the code and its verifier, but another `DPoP` key.
    let thief = world.grant(&metadata, Setup::default()).await;
    let mut stolen = started.pending_state.clone();
    stolen.dpop_jkt = None;
    let other_key = thief.start(StartInput::scope(scopes())).await.unwrap().pending_state.dpop_jkt;
    stolen.dpop_jkt.clone_from(&other_key);
    assert_ne!(other_key, started.pending_state.dpop_jkt);
    assert_eq!(refused(thief.complete(&stolen, callback.parse().unwrap()).await), OAuthErrorCode::InvalidGrant);
    // RFC 7636 §4.6: with the right key and another verifier.
    let mut unverified = started.pending_state.clone();
    unverified.pkce_verifier = Some("v".repeat(43));
    assert_eq!(refused(victim.complete(&unverified, callback.parse().unwrap()).await), OAuthErrorCode::InvalidGrant);
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_registered_is_refused_before_a_browser_sees_it() {
    let world = World::start().await;
    let metadata = world.metadata().await;
    let stranger = PrivateKey::generate(GenerateAlgorithm::Es256, Some("partner-web-1".to_owned())).unwrap();
    let cases = [
        ("redirect_uri", Setup { redirect: "https://localhost:8400/elsewhere", ..Setup::default() }, OAuthErrorCode::InvalidRequest),
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
    let callback = world.browser().deny(&started.authorization_url.to_string()).await;
    let denied = grant.complete(&started.pending_state, callback.parse().unwrap()).await;
    assert_eq!(refused(denied), OAuthErrorCode::AccessDenied);
    world.stop().await;
}

#[tokio::test]
async fn a_second_library_reads_what_is_published() {
    let world = World::start().await;
    let found = world.discover().await;
    assert_eq!(found.issuer().as_str(), world.issuer);
    assert_eq!(found.response_types_supported(), &vec![openidconnect::ResponseTypes::new(vec![CoreResponseType::Code])]);
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
