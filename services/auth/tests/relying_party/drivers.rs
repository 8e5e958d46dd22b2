//! A browser, and what drives it and judges what it shows: `playwright-core` and `axe-core` from npm. The tests of the demonstration's report have these, too.
//!
//! Without Chromium a test says so, loudly, and proves nothing; where `CI` is `true` it fails, unless somebody has set
//! `REDOUBT_CHROMIUM_WAIVED`: then no browser is looked for. `REDOUBT_CHROMIUM` names one that is not on the `PATH`.

use std::process::Command;
use std::time::Duration;

use testkit::tools;

use crate::npm::{self, Package, Script};

/// A program says what it is in less.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);
pub(crate) const PLAYWRIGHT: Package = Package {
    name: "playwright-core",
    version: "1.65.1",
    integrity: "sha512-hqPpz7blSMPxWVdoeE1yiBSzXsKiVOd2k+kjCvmUywD2GPO2Dd9HfcWnq9NN0GHbNZDFgZ9JfBFr+X5/BLo0qw==",
};

/// What looks for what keeps people out (MPL-2.0; it runs in the test's browser and is part of nothing).
const AXE: Package = Package {
    name: "axe-core",
    version: "4.14.1",
    integrity: "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
};

const WAIVED: &str = "REDOUBT_CHROMIUM_WAIVED";

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
    let usual = tools::CHROMIUM.map(str::to_owned);
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

/// A script that drives the browser, judges what it shows by `axe` and leaves its pictures in the tests' folder; `None` after a complaint that nobody
/// overlooks.
pub(crate) async fn judged_by_axe(script: &str) -> Option<Script> {
    let browser = browser().await?;
    let axe = match npm::fetched(&AXE) {
        Ok(folder) => folder.join("node_modules/axe-core/axe.min.js"),
        Err(reason) => {
            testkit::missing::may_be_missing("npm's axe-core", "REDOUBT_NPM_WAIVED", &reason);
            return None;
        }
    };
    let environment = [("BROWSER", &*browser), ("AXE", axe.to_str().unwrap()), ("SHOTS", env!("CARGO_TARGET_TMPDIR"))];
    Script::start(&PLAYWRIGHT, script, &environment).await
}

/// Where the program is, if it starts: under a browser's name there may be a script that only says how to install one.
async fn starts(name: &str) -> Result<String, String> {
    let mut which = Command::new("sh");
    which.args(["-c", "command -v -- \"$0\"", name]);
    let path = tools::said_within(which, ANSWER_LIMIT).await?.trim().to_owned();
    let mut itself = Command::new(&path);
    itself.arg("--version");
    tools::said_within(itself, ANSWER_LIMIT).await?;
    Ok(path)
}

#[tokio::test]
async fn a_browser_that_does_not_start_is_none() {
    assert!(starts("false").await.is_err() && starts("no-such-program").await.is_err());
    assert!(starts("cargo").await.is_ok());
}
