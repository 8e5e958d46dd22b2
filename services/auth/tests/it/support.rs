//! What the operator does for whoever has lost a second factor.

use serde_json::{Value, json};
use testkit::passkey::Passkey;
use testkit::{audit, server};

use crate::browser::{Browser, PASSWORD};
use crate::database::count;
use crate::draft::Client;
use crate::passkey::{add, logged_in, owner};
use crate::second_factor::{App, awaiting, enrolled, type_code};
use crate::world::World;

async fn removes(world: &World, name: &str, body: &Value) -> (u16, Value) {
    let client = server::client(&world.pki.internal_ca(), Some(&world.pki.internal(name))).unwrap();
    let asked = client.post(world.internal_url("/internal/v1/second-factor-removals")).json(body);
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn an_operator_removes_what_somebody_has_lost_and_ends_what_they_have_under_way() {
    let world = World::start().await;
    let (email, passkey, _) = owner(&world).await;
    let mut thief = logged_in(&world, &email, &passkey).await;
    let app = App::read(&thief.get("/second-factor/new").await);
    assert_eq!(thief.post("/second-factor/new", &[("code", &app.code(world.now()))]).await.status, 303);
    assert_eq!(add(&mut thief, &Passkey::generate(), "Another").await.status, 303);
    let (others, others_app) = enrolled(&world).await;

    let whose = json!({ "email": format!(" {}", email.to_uppercase()) });
    let (status, said) = removes(&world, "operator", &whose).await;
    assert_eq!((status, &said["app"], &said["passkeys"]), (200, &json!(true), &json!(2)), "{said}");
    for (table, left) in [("totp_secrets", 1), ("passkeys", 0), ("recovery_codes", 10)] {
        assert_eq!(
            count(&world, &format!("select count(*) as count from {table}")).await,
            left,
            "{table}: the other's"
        );
    }
    assert_eq!(thief.get("/consent").await.refusal(), "interaction/interaction_unknown");
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    assert_eq!(browser.log_in(&email, PASSWORD).await.leads_to().as_deref(), Some("/consent"));
    let (mut browser, _) = awaiting(&world, &Client::app(), &others).await;
    assert_eq!(type_code(&mut browser, &others_app.code(world.now())).await.status, 303);

    let (status, said) = removes(&world, "operator", &whose).await;
    assert_eq!((status, &said["app"], &said["passkeys"]), (200, &json!(false), &json!(0)), "{said}");
}

#[tokio::test]
async fn nobody_but_an_operator_removes_a_second_factor_and_nobody_elses_is_removed() {
    let world = World::start().await;
    let (email, _) = enrolled(&world).await;
    for name in ["ledger", "broker", "attestation", "partner"] {
        assert_eq!(removes(&world, name, &json!({ "email": email })).await.0, 403, "{name}");
    }
    for body in [json!({}), json!({ "email": 1 }), json!({ "email": email, "subject": "x" })] {
        assert_eq!(removes(&world, "operator", &body).await.0, 400, "{body}");
    }
    for unknown in ["nobody@example.com", "", "not an address"] {
        let (status, said) = removes(&world, "operator", &json!({ "email": unknown })).await;
        assert_eq!((status, said["code"].as_str()), (404, Some("auth.person_not_found")), "{unknown}");
        assert_eq!(audit::of(said["request_id"].as_str().unwrap()), ["support/person_unknown"], "{unknown}");
    }
    let public = world.http.post(world.url("/internal/v1/second-factor-removals")).json(&json!({ "email": email }));
    assert_eq!(public.send().await.unwrap().status(), 404);
    assert_eq!(count(&world, "select count(*) as count from totp_secrets").await, 1);
}
