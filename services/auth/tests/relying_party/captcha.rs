//! A person in Chromium who is asked for a captcha: the widget runs under our policy, loads nothing from elsewhere, and lets them go on; and `axe`
//! finds no fault with the pages. Without Chromium, npm or node the test says so, as in `drivers.rs`.

use huskarl::grant::authorization_code::StartInput;
use serde_json::json;

use crate::drivers::judged_by_axe;
use crate::npm::Script;
use crate::world::{Setup, World, scopes};

#[tokio::test]
async fn chromium_solves_it_by_itself_under_our_policy_and_shuts_nobody_out() {
    let Some(mut script) = judged_by_axe(include_str!("captcha.mjs")).await else { return };
    let world = World::start().await;
    let grant = world.grant(&world.metadata().await, Setup::default()).await;
    let open = async |script: &mut Script| {
        let started = grant.start(StartInput::scope(scopes())).await.unwrap();
        script.tell(&started.authorization_url.to_string()).await;
    };

    open(&mut script).await;
    assert_eq!(script.told("registered").await, json!({ "mark": true, "consents": true, "widgets": 0 }));
    // The second time the login is still under watch, and they are asked from the first failure on.
    for asked in [json!([0, 0, 1]), json!([1, 1, 1])] {
        open(&mut script).await;
        // Who is only asked has typed nothing that is said to be wrong.
        let wrong = if asked[0] == 0 { json!(["email", "password"]) } else { json!([]) };
        let complaint = json!({ "focus": "password", "wrong": wrong, "described": ["alert"] });
        let expected = json!({ "asked": asked, "complaint": complaint, "violations": [], "consents": true });
        assert_eq!(script.told("logged_in").await, expected);
    }
    open(&mut script).await;
    let scriptless = script.told("scriptless").await;
    assert_eq!(scriptless["focus"], "password", "the page itself says where one goes on");
    assert!(scriptless["says"].as_str().unwrap().contains("runs no scripts"), "{scriptless}");
    open(&mut script).await;
    let complaint = json!({ "focus": "password", "wrong": ["password"], "described": ["password-hint", "alert"] });
    assert_eq!(script.told("registered").await, json!({ "complaint": complaint, "violations": [], "consents": true }));
    let started = grant.start(StartInput::scope(scopes())).await.unwrap();
    let nothing = format!("{}/nothing", started.authorization_url.to_string().split("/authorize").next().unwrap());
    for _ in ["light", "dark"] {
        script.tell(&nothing).await;
        let expected = json!({ "heading": "Something is not right", "way": true, "width": 390, "violations": [] });
        assert_eq!(script.told("refused").await, expected);
    }
    let end = script.told("complaints").await;
    script.ended().await;
    assert_eq!(end, json!({ "complaints": [], "foreign": [] }));
    world.stop().await;
}
