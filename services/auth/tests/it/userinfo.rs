//! Userinfo: a token, a proof of its key, a live grant, the scope.

use std::sync::Arc;

use crypto::p256::SigningKey;

use crate::browser::{Browser, code, parameter, tokens};
use crate::consent::ask;
use crate::draft::{Client, Proof, Reply};
use crate::world::{ISSUER, World};

pub(crate) struct Request {
    method: reqwest::Method,
    authorization: Option<String>,
    proof: Option<Proof>,
}

impl Request {
    pub(crate) async fn new(world: &World, client: &Client, token: &str) -> Self {
        Self {
            method: reqwest::Method::GET,
            authorization: Some(format!("DPoP {token}")),
            proof: Some(Proof {
                key: Arc::clone(&client.key),
                htm: "GET".into(),
                htu: format!("{ISSUER}/userinfo"),
                iat: world.now(),
                jti: crypto::random::token(16),
                token: Some(token.to_owned()),
                nonce: Some(world.nonce().await),
            }),
        }
    }

    pub(crate) async fn send(&self, world: &World) -> Reply {
        let mut request = world.http.request(self.method.clone(), world.url("/userinfo"));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(proof) = &self.proof {
            request = request.header("dpop", proof.make());
        }
        Reply::read(request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn the_person_is_named_by_both_methods() {
    let world = World::start().await;
    let client = Client::app();
    let mut browser = Browser::new(&world);
    let verifier = ask(&mut browser, &world, &client, "openid profile email").await;
    let email = browser.register_anybody().await;
    let code = parameter(&browser.allow(&["grant_profile", "grant_email"]).await, "code").unwrap();
    let token = client.redemption(&world, &code, &verifier).await.send(&world).await.member("access_token");
    for method in [reqwest::Method::GET, reqwest::Method::POST] {
        let mut request = Request::new(&world, &client, &token).await;
        request.proof.as_mut().unwrap().htm = method.to_string();
        request.method = method;
        let reply = request.send(&world).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let person = reply.json();
        assert_eq!((&person["name"], &person["email"]), (&"Alice Adams".into(), &email.as_str().into()));
        assert_eq!(person["sub"].as_str().unwrap().len(), 36);
        // Nobody has shown yet that mail to it reaches them.
        assert_eq!(person["email_verified"], false);
        assert_eq!(person.as_object().unwrap().len(), 4);
    }
}

type Row = (&'static str, fn(&World, &mut Request), (u16, &'static str, &'static str));

const ROWS: [Row; 10] = [
    (
        "no token",
        |_, request| request.authorization = None,
        (401, "invalid_token", "access_token/access_token_missing"),
    ),
    (
        "a downgrade",
        |_, request| {
            let bearer = request.authorization.as_ref().unwrap().replacen("DPoP", "Bearer", 1);
            request.authorization = Some(bearer);
        },
        (401, "invalid_token", "access_token/scheme_not_dpop"),
    ),
    (
        "a changed token",
        |_, request| {
            request.authorization.as_mut().unwrap().push_str("AAAA");
            request.proof.as_mut().unwrap().token.as_mut().unwrap().push_str("AAAA");
        },
        (401, "invalid_token", "access_token/signature_invalid"),
    ),
    (
        "a changed token without a proof of it",
        |_, request| request.authorization.as_mut().unwrap().push_str("AAAA"),
        (401, "invalid_dpop_proof", "dpop/ath_mismatch"),
    ),
    ("no proof", |_, request| request.proof = None, (401, "invalid_dpop_proof", "dpop/dpop_missing")),
    (
        "a proof by another key",
        |_, request| request.proof.as_mut().unwrap().key = Arc::new(SigningKey::generate()),
        (401, "invalid_token", "access_token/token_of_another_key"),
    ),
    (
        "a proof without the token's hash",
        |_, request| request.proof.as_mut().unwrap().token = None,
        (401, "invalid_dpop_proof", "dpop/ath_missing"),
    ),
    (
        "a proof with another token's hash",
        |_, request| request.proof.as_mut().unwrap().token = Some("other".into()),
        (401, "invalid_dpop_proof", "dpop/ath_mismatch"),
    ),
    (
        "a proof for another method",
        |_, request| request.proof.as_mut().unwrap().htm = "POST".into(),
        (401, "invalid_dpop_proof", "dpop/htm_mismatch"),
    ),
    (
        "no nonce",
        |_, request| request.proof.as_mut().unwrap().nonce = None,
        (401, "use_dpop_nonce", "dpop/nonce_missing"),
    ),
];

#[tokio::test]
async fn each_check_refuses_and_says_how_to_do_better() {
    let world = World::start().await;
    let client = Client::app();
    let token = tokens(&world, &client).await.member("access_token");
    for (name, break_it, (status, error, reason)) in ROWS {
        let mut request = Request::new(&world, &client, &token).await;
        break_it(&world, &mut request);
        let reply = request.send(&world).await;
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("DPoP ") && challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
        assert_eq!(reply.refused(), crate::draft::refusal(status, error, reason), "{name}");
        assert!(reply.header("dpop-nonce").is_some());
    }
}

#[tokio::test]
async fn a_proof_is_used_once_and_a_token_lives_five_minutes() {
    let world = World::start().await;
    let client = Client::app();
    let token = tokens(&world, &client).await.member("access_token");
    let request = Request::new(&world, &client, &token).await;
    assert_eq!(request.send(&world).await.status, 200);
    assert_eq!(request.send(&world).await.refusal(), "dpop/dpop_replayed");
    world.clock.advance(300);
    let late = Request::new(&world, &client, &token).await.send(&world).await;
    assert_eq!(late.refusal(), "access_token/token_expired");
}

#[tokio::test]
async fn a_token_without_openid_names_nobody() {
    let world = World::start().await;
    let client = Client::app();
    let refresh_token = tokens(&world, &client).await.member("refresh_token");
    let mut draft = client.refresh(&world, &refresh_token).await;
    draft.set("scope", "accounts:read");
    let token = draft.send(&world).await.member("access_token");
    let reply = Request::new(&world, &client, &token).await.send(&world).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (403, "authorization/scope_missing"));
}

#[tokio::test]
async fn a_revoked_grant_ends_its_access_token_here() {
    let world = World::start().await;
    let client = Client::app();
    let (code, verifier) = code(&world, &client).await;
    let redeem = async || client.redemption(&world, &code, &verifier).await.send(&world).await;
    let token = redeem().await.member("access_token");
    assert_eq!(Request::new(&world, &client, &token).await.send(&world).await.status, 200);
    redeem().await;
    let reply = Request::new(&world, &client, &token).await.send(&world).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (401, "access_token/grant_revoked"));
}
