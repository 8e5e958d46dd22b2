//! Redeeming a code: each link of the chain breaks alone.

use std::sync::Arc;

use crypto::p256::SigningKey;

use crate::browser::{code, tokens};
use crate::draft::{Client, Draft, refusal};
use crate::world::World;

/// What is broken, how, and what must come of it.
type Row = (&'static str, fn(&mut Draft), (u16, &'static str, &'static str));

const GRANT: (u16, &str) = (400, "invalid_grant");

#[tokio::test]
async fn each_check_of_a_redemption_refuses() {
    let world = World::start().await;
    let client = Client::app();
    let rows: [Row; 10] = [
        (
            "another redirect URI",
            |draft| draft.set("redirect_uri", "https://app.redoubt.example/callback/"),
            (GRANT.0, GRANT.1, "redirect_uri/redirect_uri_mismatch"),
        ),
        (
            "another verifier",
            |draft| draft.set("code_verifier", &crypto::random::token(32)),
            (GRANT.0, GRANT.1, "pkce/code_verifier_mismatch"),
        ),
        (
            "a verifier that is none",
            |draft| draft.set("code_verifier", "short"),
            (GRANT.0, GRANT.1, "pkce/code_verifier_malformed"),
        ),
        ("no verifier", |draft| draft.set("code_verifier", ""), (400, "invalid_request", "request/parameter_missing")),
        ("no code", |draft| draft.set("code", ""), (400, "invalid_request", "request/parameter_missing")),
        (
            "no redirect URI",
            |draft| draft.set("redirect_uri", ""),
            (400, "invalid_request", "request/parameter_missing"),
        ),
        (
            "an unknown code",
            |draft| draft.set("code", &crypto::random::token(32)),
            (GRANT.0, GRANT.1, "authorization_code/code_unknown"),
        ),
        ("no grant type", |draft| draft.set("grant_type", ""), (400, "invalid_request", "request/grant_type_missing")),
        (
            "a password",
            |draft| draft.set("grant_type", "password"),
            (400, "unsupported_grant_type", "request/grant_type_unknown"),
        ),
        (
            "for another resource",
            |draft| draft.set("resource", "urn:redoubt:broker"),
            (400, "invalid_target", "request/resource_unknown"),
        ),
    ];
    for (name, break_it, (status, error, reason)) in rows {
        let (code, verifier) = code(&world, &client).await;
        let mut draft = client.redemption(&world, &code, &verifier).await;
        break_it(&mut draft);
        let reply = draft.send(&world).await;
        assert_eq!(reply.refused(), refusal(status, error, reason), "{name}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_stolen_code_is_of_no_use_on_another_genuine_phone() {
    let world = World::start().await;
    let (alice, mallory) = (Client::app(), Client::app());
    let (code, verifier) = code(&world, &alice).await;
    let stolen = mallory.redemption(&world, &code, &verifier).await.send(&world).await;
    assert_eq!(stolen.refused(), refusal(400, "invalid_grant", "dpop/code_of_another_key"));
    // Whoever tried it has shown that it is stolen: nobody uses it any more.
    let late = alice.redemption(&world, &code, &verifier).await.send(&world).await;
    assert_eq!(late.refused(), refusal(400, "invalid_grant", "authorization_code/code_reused"));
}

#[tokio::test]
async fn a_code_of_another_client_is_unknown_and_stays_whole() {
    let world = World::start().await;
    let (app, partner) = (Client::app(), Client::partner(&world));
    let (code, verifier) = code(&world, &app).await;
    let mut draft = partner.redemption(&world, &code, &verifier).await;
    draft.set("redirect_uri", app.redirect_uri());
    let refused = draft.send(&world).await.refused();
    assert_eq!(refused, refusal(400, "invalid_grant", "authorization_code/code_of_another_client"));
    assert_eq!(app.redemption(&world, &code, &verifier).await.send(&world).await.status, 200);
}

#[tokio::test]
async fn a_token_without_a_proof_is_not_issued() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (code, verifier) = code(&world, &client).await;
    let mut draft = client.redemption(&world, &code, &verifier).await;
    draft.proof = None;
    assert_eq!(draft.send(&world).await.refused(), refusal(400, "invalid_dpop_proof", "dpop/dpop_missing"));
}

#[tokio::test]
async fn a_code_of_a_web_client_is_bound_to_the_key_it_was_pushed_with() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (code, verifier) = code(&world, &client).await;
    let other = Client { key: Arc::new(SigningKey::generate()), ..client };
    let refused = other.redemption(&world, &code, &verifier).await.send(&world).await.refused();
    assert_eq!(refused, refusal(400, "invalid_grant", "dpop/code_of_another_key"));
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let world = World::start().await;
    let client = Client::app();
    for (seconds, status) in [(59, 200), (60, 400)] {
        let (code, verifier) = code(&world, &client).await;
        world.clock.advance(seconds);
        let reply = client.redemption(&world, &code, &verifier).await.send(&world).await;
        assert_eq!(reply.status, status, "after {seconds} s: {}", reply.text);
        if status == 400 {
            assert_eq!(reply.refused(), refusal(400, "invalid_grant", "authorization_code/code_expired"));
        }
    }
}

#[tokio::test]
async fn a_second_use_revokes_what_the_first_one_got() {
    let world = World::start().await;
    let client = Client::app();
    let (code, verifier) = code(&world, &client).await;
    let redeem = async || client.redemption(&world, &code, &verifier).await.send(&world).await;
    let first = redeem().await;
    let refresh_token = first.member("refresh_token");
    assert_eq!(client.refresh(&world, &refresh_token).await.send(&world).await.status, 200);
    world.clock.advance(1);
    assert_eq!(redeem().await.refused(), refusal(400, "invalid_grant", "authorization_code/code_reused"));
    let refused = client.refresh(&world, &refresh_token).await.send(&world).await.refused();
    assert_eq!(refused, refusal(400, "invalid_grant", "refresh_token/grant_revoked"));
}

#[tokio::test]
async fn every_refused_grant_reads_the_same() {
    let world = World::start().await;
    let client = Client::app();
    let (code, verifier) = code(&world, &client).await;
    let unknown = client.redemption(&world, "unknown", &verifier).await.send(&world).await;
    let stolen = Client::app().redemption(&world, &code, &verifier).await.send(&world).await;
    let reused = client.redemption(&world, &code, &verifier).await.send(&world).await;
    let refresh = client.refresh(&world, "rdrt_nonsense").await.send(&world).await;
    for reply in [&stolen, &reused, &refresh] {
        assert_eq!((reply.status, &reply.text), (unknown.status, &unknown.text));
    }
}

#[tokio::test]
async fn the_answer_of_the_token_endpoint_is_not_cached_and_holds_no_more_than_it_should() {
    let world = World::start().await;
    let client = Client::app();
    let reply = tokens(&world, &client).await;
    let answer = reply.json();
    let mut names: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
    assert!(answer["refresh_token"].as_str().unwrap().starts_with("rdrt_"));
}
