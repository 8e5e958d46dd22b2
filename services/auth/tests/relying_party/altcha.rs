//! Our captcha's challenges are solved by programs that nobody here wrote: the library of ALTCHA's widget, from npm, and ALTCHA's library for
//! Python, from `PyPI`. And what we serve of the widget is what its package has.
//!
//! Where npm, or Python and pip, are missing, the tests say so, loudly, and prove nothing; where `CI` is `true` they fail, unless
//! `REDOUBT_NPM_WAIVED` or `REDOUBT_PIP_WAIVED` is set.

use std::path::Path;
use std::process::Stdio;

use crypto::hash;
use http::StatusCode;
use huskarl::grant::authorization_code::StartInput;
use testkit::tools;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::browser::Browser;
use crate::npm::{Package, Script};
use crate::world::{Setup, World, scopes};

const PACKAGE: Package = Package {
    name: "altcha",
    version: "3.2.2",
    integrity: "sha512-yNITQaRSkRe0u/hMxdzoXFFqxqn9iDt1rJ0reREU3D3uDD3w1oFz6v5C2PMww2XnGThtYUwe8MW+PxsiBglNqw==",
};
/// It needs nothing but Python.
const PINNED: &str = "altcha==2.3.0 --hash=sha256:92d118164866e1e80e3f1f1b1561c49ff4a0e8ae932e8b6cf560a2729c661cd1\n";
const SERVED: [&[u8]; 4] = [
    include_bytes!("../../assets/altcha/altcha.min.js"),
    include_bytes!("../../assets/altcha/altcha.css"),
    include_bytes!("../../assets/altcha/pbkdf2.js"),
    include_bytes!("../../assets/altcha/LICENSE.txt"),
];

/// A browser that is asked for a captcha at the login page, and the challenge.
async fn asked(world: &World) -> (Browser, String) {
    let grant = world.grant(&world.metadata().await, Setup::default()).await;
    let started = grant.start(StartInput::scope(scopes())).await.unwrap();
    let mut browser = Browser::new(world.wire.http.clone());
    browser.at_login(&started.authorization_url.to_string()).await;
    for _ in 0..2 {
        assert_eq!(browser.log_in("").await, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(testkit::captcha::on_page(&browser.shown), None);
    }
    assert_eq!(browser.log_in("").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.log_in("").await, StatusCode::FORBIDDEN, "three have failed");
    let challenge = testkit::captcha::on_page(&browser.shown).unwrap();
    (browser, challenge)
}

/// The answer is taken: the password is looked at. Once.
async fn is_taken(browser: &mut Browser, answer: &str) {
    assert_eq!(browser.log_in(answer).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.log_in(answer).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn npms_altcha_solves_ours_and_what_we_serve_of_it_is_as_published() {
    let Some(mut script) = Script::start(&PACKAGE, include_str!("altcha.mjs"), &[]).await else { return };
    let published = script.hears("files").await;
    let served: Vec<_> = SERVED.iter().map(|file| hex::encode(hash::sha256(file))).collect();
    assert_eq!(published, served.join(" "));
    let pinned = include_str!("../../assets/altcha/README.md");
    for word in served.iter().map(String::as_str).chain([PACKAGE.version, PACKAGE.integrity]) {
        assert!(pinned.contains(word), "assets/altcha/README.md says nothing of {word}");
    }
    let world = World::start().await;
    let (mut browser, challenge) = asked(&world).await;
    script.tell(&challenge).await;
    let answer = script.hears("answer").await;
    script.ended().await;
    is_taken(&mut browser, &answer).await;
    world.stop().await;
}

#[tokio::test]
async fn pypis_altcha_solves_ours() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let package = match tools::python(place, "altcha-2.3.0", PINNED, "") {
        Ok(folder) => folder,
        Err(reason) => {
            testkit::missing::may_be_missing("Python's altcha", "REDOUBT_PIP_WAIVED", &reason);
            return;
        }
    };
    let world = World::start().await;
    let (mut browser, challenge) = asked(&world).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/relying_party/altcha.py");
    let mut python = Command::new("python3")
        .args(["-I", script])
        .arg(package)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(challenge.as_bytes()).await.unwrap();
    let output = python.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", output.status);
    is_taken(&mut browser, String::from_utf8(output.stdout).unwrap().trim()).await;
    world.stop().await;
}
