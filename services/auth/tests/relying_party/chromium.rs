//! A person in Chromium: what only a browser can tell of policies and cookies. Without one the test says so, as in `drivers.rs`.

use huskarl::grant::authorization_code::StartInput;
use serde_json::{Value, json};

use crate::drivers::{PLAYWRIGHT, browser};
use crate::npm::Script;
use crate::world::{Setup, World, free_port, scopes};

#[tokio::test]
async fn chromium_goes_on_beyond_the_callback_and_takes_no_planted_cookie_for_ours() {
    let Some(browser) = browser().await else { return };
    let port = free_port().to_string();
    let redirect = format!("https://localhost:{port}/callback");
    let world = World::start_for(&redirect).await;
    let (certificate, key) = world.client_tls();
    let environment =
        [("BROWSER", &*browser), ("CERTIFICATE", &*certificate), ("KEY", &*key), ("CALLBACK_PORT", &*port)];
    let Some(mut script) = Script::start(&PLAYWRIGHT, include_str!("chromium.mjs"), &environment).await else { return };
    let grant = world.grant(&world.metadata().await, Setup { redirect: redirect.clone(), ..Setup::default() }).await;
    let mut scope = scopes();
    scope.extend(["profile".to_owned(), "email".to_owned()]);
    let start = async || grant.start(StartInput::scope(scope.clone())).await.unwrap();
    let callback = |told: &Value| {
        assert_eq!((&told["ended"], &told["onward"]), (&json!("/landed"), &json!(true)), "{told}");
        format!("https://localhost:{port}{}", told["called"].as_str().unwrap()).parse().unwrap()
    };

    // `form-action` holds for the whole chain of redirects that a form's answer begins, the client's own among them.
    let first = start().await;
    script.tell(&first.authorization_url.to_string()).await;
    let told: Value = script.told("onward").await;
    assert_eq!(told["boxes"], json!([false, false]), "no box is ticked for the person");
    let completed = grant.complete(&first.pending_state, callback(&told)).await.unwrap();
    let granted = completed.token_response.raw_token_response().scope.clone().unwrap();
    assert_eq!(granted, "openid offline_access accounts:read profile", "the box that was ticked, and not the other");

    // A valid cookie of another sign-in, so that whoever took it for ours would answer that one.
    let (attacker, victim) = (start().await, start().await);
    script.tell(&attacker.authorization_url.to_string()).await;
    script.tell(&victim.authorization_url.to_string()).await;
    let told: Value = script.told("planted").await;
    script.ended().await;
    let kept = told["kept"].as_array().unwrap();
    for spelling in ["encoded", "encoded_lower", "encoded_letter"] {
        assert!(kept.contains(&json!(spelling)), "Chromium keeps it, and we must not take it: {told}");
    }
    assert!(!kept.contains(&json!("plain")), "{told}");
    assert_eq!(told["before_ours"], true, "the longer path comes first: {told}");
    assert!(grant.complete(&victim.pending_state, callback(&told)).await.is_ok(), "it was the victim's sign-in");
    world.stop().await;
}
