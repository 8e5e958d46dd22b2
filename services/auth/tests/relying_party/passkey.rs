//! A person in Chromium with a passkey of the browser's own virtual authenticator: it is made, shown, refused where its counter is behind, and done without; and
//! `axe` finds no fault with the pages. Without Chromium, npm or node the test says so, as in `drivers.rs`.

use huskarl::grant::authorization_code::StartInput;
use serde_json::json;

use crate::drivers::judged_by_axe;
use crate::npm::Script;
use crate::world::{Setup, World, scopes};

#[tokio::test]
async fn chromium_makes_a_passkey_and_shows_it_under_our_policy() {
    let Some(mut script) = judged_by_axe(include_str!("passkey.mjs")).await else { return };
    let world = World::start().await;
    let grant = world.grant(&world.metadata().await, Setup::default()).await;
    let open = async |script: &mut Script| {
        let started = grant.start(StartInput::scope(scopes())).await.unwrap();
        script.tell(&started.authorization_url.to_string()).await;
    };

    open(&mut script).await;
    let refused = "No passkey was made, or it took too long. Please try again.";
    assert_eq!(
        script.told("added").await,
        json!({ "nameless": "name", "without": 0, "refused": refused, "codes": 10, "rp": "localhost", "discoverable": true, "faults": [] })
    );
    open(&mut script).await;
    let unknown = "No passkey was shown, or it took too long. Try again, or type a code.";
    let present = "This device has a passkey of yours already.";
    assert_eq!(
        script.told("logged_in").await,
        json!({ "present": present, "unknown": unknown, "consents": true, "faults": [] })
    );
    assert_eq!(script.told("counted").await, json!({ "rises": true }));
    open(&mut script).await;
    let copied = "This passkey was not taken. Try it again, or type a code.";
    assert_eq!(script.told("copied").await, json!({ "copied": copied, "faults": [] }));
    open(&mut script).await;
    let shown = json!(["Log in"]);
    assert_eq!(script.told("scriptless").await, json!({ "hint": true, "shown": shown, "consents": true, "why": true }));
    let end = script.told("complaints").await;
    script.ended().await;
    assert_eq!(end, json!({ "complaints": [], "foreign": [] }));
    world.stop().await;
}
