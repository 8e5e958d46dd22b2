//! Refresh tokens: bound, therefore lasting; and of no use to anybody else.

use crate::browser::tokens;
use crate::draft::{Client, refusal};
use crate::world::{APP, World};

const DAY: i64 = 86_400;

fn refused(reason: &str) -> (u16, String, String) {
    refusal(400, "invalid_grant", &format!("refresh_token/{reason}"))
}

#[tokio::test]
async fn the_same_token_works_again_and_again_and_may_ask_for_less() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let token = tokens(&world, &client).await.member("refresh_token");
    for _ in 0..3 {
        let reply = client.refresh(&world, &token).await.send(&world).await;
        assert_eq!((reply.status, reply.json()["scope"].as_str()), (200, Some("openid offline_access accounts:read")));
    }
    let mut draft = client.refresh(&world, &token).await;
    draft.set("scope", "accounts:read");
    assert_eq!(draft.send(&world).await.member("scope"), "accounts:read");
    draft.set("scope", "accounts:read openid accounts:read  openid");
    draft.proof().jti = "another".into();
    let jti = crypto::random::token(16);
    draft.assertion().claims["jti"] = jti.into();
    assert_eq!(draft.send(&world).await.member("scope"), "accounts:read openid", "each once");
    draft = client.refresh(&world, &token).await;
    draft.set("scope", "accounts:read payouts:write");
    assert_eq!(draft.send(&world).await.refused(), refusal(400, "invalid_scope", "scope/scope_not_granted"));
    assert_eq!(
        client.refresh(&world, &token).await.send(&world).await.member("scope"),
        "openid offline_access accounts:read"
    );
}

#[tokio::test]
async fn a_stolen_token_is_of_no_use_on_another_phone_and_the_owner_keeps_it() {
    let world = World::start().await;
    let (alice, mallory) = (Client::app(), Client::app());
    let token = tokens(&world, &alice).await.member("refresh_token");
    let stolen = mallory.refresh(&world, &token).await.send(&world).await;
    assert_eq!(stolen.refused(), refused("refresh_token_of_another_key"));
    assert_eq!(alice.refresh(&world, &token).await.send(&world).await.status, 200);
}

/// RFC 9449 §5: a client with a key of its own is held to that key; the proof's may be another one after a restart.
#[tokio::test]
async fn a_confidential_client_may_refresh_with_another_proof_key_and_the_new_token_is_bound_to_that() {
    let world = World::start().await;
    let (before, after) = (Client::partner(&world), Client::partner(&world));
    assert_ne!(before.jkt(), after.jkt());
    let token = tokens(&world, &before).await.member("refresh_token");
    for client in [&after, &before, &after] {
        let reply = client.refresh(&world, &token).await.send(&world).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let payload = reply.member("access_token").split('.').nth(1).unwrap().to_owned();
        let claims: serde_json::Value = serde_json::from_slice(&crypto::b64::decode(&payload).unwrap()).unwrap();
        assert_eq!(claims["cnf"]["jkt"], client.jkt());
    }
    // Its own key is what it cannot be without.
    let mut stolen = after.refresh(&world, &token).await;
    stolen.assertion().key = std::sync::Arc::new(crypto::p256::SigningKey::generate());
    let expected = refusal(401, "invalid_client", "client_authentication/signature_invalid");
    assert_eq!(stolen.send(&world).await.refused(), expected);
}

#[tokio::test]
async fn a_token_of_another_client_is_refused() {
    let world = World::start().await;
    let (app, mut partner) = (Client::app(), Client::partner(&world));
    // Even when both hold the same key.
    partner.key = app.key.clone();
    let token = tokens(&world, &app).await.member("refresh_token");
    let reply = partner.refresh(&world, &token).await.send(&world).await;
    assert_eq!(reply.refused(), refused("refresh_token_of_another_client"));
}

#[tokio::test]
async fn unknown_and_malformed_tokens_are_refused() {
    let world = World::start().await;
    let client = Client::app();
    let token = tokens(&world, &client).await.member("refresh_token");
    let reply = client.refresh(&world, &token[..token.len() - 1]).await.send(&world).await;
    assert_eq!(reply.refused(), refused("refresh_token_malformed"));
    let body = format!("rdrt_{}", crypto::random::token(32));
    let sum = crypto::b64::encode(&crypto::hash::sha256(body.as_bytes()));
    let reply = client.refresh(&world, &format!("{body}{}", &sum[..6])).await.send(&world).await;
    assert_eq!(reply.refused(), refused("refresh_token_unknown"));
    let reply = client.draft(&world, "/token", &[("grant_type", "refresh_token")]).await.send(&world).await;
    assert_eq!(reply.refused(), refusal(400, "invalid_request", "request/parameter_missing"));
}

#[tokio::test]
async fn a_token_ends_after_thirty_idle_days_and_after_ninety_in_all() {
    let world = World::start().await;
    let client = Client::app();
    let token = tokens(&world, &client).await.member("refresh_token");
    world.clock.advance(30 * DAY);
    assert_eq!(client.refresh(&world, &token).await.send(&world).await.refused(), refused("refresh_token_expired"));

    let token = tokens(&world, &client).await.member("refresh_token");
    for _ in 0..3 {
        world.clock.advance(30 * DAY - 60);
        assert_eq!(client.refresh(&world, &token).await.send(&world).await.status, 200);
    }
    world.clock.advance(180);
    assert_eq!(client.refresh(&world, &token).await.send(&world).await.refused(), refused("refresh_token_expired"));
}

#[tokio::test]
async fn a_phone_without_a_fresh_attestation_gets_no_new_token() {
    let world = World::start().await;
    let client = Client::app();
    let token = tokens(&world, &client).await.member("refresh_token");
    let mut draft = client.refresh(&world, &token).await;
    draft.attestation = None;
    draft.set("client_id", APP);
    let expected = refusal(401, "invalid_client", "client_authentication/client_assertion_missing");
    assert_eq!(draft.send(&world).await.refused(), expected);
}
