//! A person in Chromium, driven by `playwright-core` from npm: what only a browser can tell of policies and cookies.
//!
//! Without Chromium the test says so, loudly, and proves nothing; where `CI` is `true` it fails, unless somebody has set
//! `REDOUBT_CHROMIUM_WAIVED`: then no browser is looked for. `REDOUBT_CHROMIUM` names one that is not on the `PATH`.

use huskarl::grant::authorization_code::StartInput;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::npm::{self, Package, Script};
use crate::world::{Setup, World, free_port, scopes};

pub(crate) const PACKAGE: Package = Package {
    name: "playwright-core",
    version: "1.65.1",
    integrity: "sha512-hqPpz7blSMPxWVdoeE1yiBSzXsKiVOd2k+kjCvmUywD2GPO2Dd9HfcWnq9NN0GHbNZDFgZ9JfBFr+X5/BLo0qw==",
};

const WAIVED: &str = "REDOUBT_CHROMIUM_WAIVED";

#[tokio::test]
async fn chromium_goes_on_beyond_the_callback_and_takes_no_planted_cookie_for_ours() {
    let Some(browser) = browser().await else { return };
    let port = free_port().to_string();
    let redirect = format!("https://localhost:{port}/callback");
    let world = World::start_for(&redirect).await;
    let (certificate, key) = world.client_tls();
    let environment =
        [("BROWSER", &*browser), ("CERTIFICATE", &*certificate), ("KEY", &*key), ("CALLBACK_PORT", &*port)];
    let Some(mut script) = Script::start(&PACKAGE, include_str!("chromium.mjs"), &environment).await else { return };
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
    let told: Value = serde_json::from_str(&script.hears("onward").await).unwrap();
    assert_eq!(told["boxes"], json!([false, false]), "no box is ticked for the person");
    let completed = grant.complete(&first.pending_state, callback(&told)).await.unwrap();
    let granted = completed.token_response.raw_token_response().scope.clone().unwrap();
    assert_eq!(granted, "openid offline_access accounts:read profile", "the box that was ticked, and not the other");

    // A valid cookie of another sign-in, so that whoever took it for ours would answer that one.
    let (attacker, victim) = (start().await, start().await);
    script.tell(&attacker.authorization_url.to_string()).await;
    script.tell(&victim.authorization_url.to_string()).await;
    let told: Value = serde_json::from_str(&script.hears("planted").await).unwrap();
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

/// Where Chromium is; `None` after a complaint that nobody overlooks.
pub(crate) async fn browser() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test is told by its environment where the browser is, or that there is none"
    )]
    let (waived, configured) = (std::env::var_os(WAIVED).is_some(), std::env::var("REDOUBT_CHROMIUM").ok());
    if waived {
        testkit::missing::may_be_missing("Chromium", WAIVED, "it is waived");
        return None;
    }
    let usual = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(str::to_owned);
    let mut reasons = Vec::new();
    for name in configured.into_iter().chain(usual) {
        match starts(&name).await {
            Ok(path) => return Some(path),
            Err(reason) => reasons.push(reason),
        }
    }
    testkit::missing::may_be_missing("Chromium", WAIVED, &reasons.join("; "));
    None
}

/// Where the program is, if it starts: under a browser's name there may be a script that only says how to install one.
async fn starts(name: &str) -> Result<String, String> {
    let path = npm::run(Command::new("sh").args(["-c", "command -v -- \"$0\"", name])).await?;
    npm::run(Command::new(path.trim()).arg("--version")).await?;
    Ok(path.trim().to_owned())
}

#[tokio::test]
async fn a_browser_that_does_not_start_is_none() {
    assert!(starts("false").await.is_err() && starts("no-such-program").await.is_err());
    assert!(starts("cargo").await.is_ok());
}
