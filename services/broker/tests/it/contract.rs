//! What a fuzzer makes of `openapi.json` with the running broker. Without Python and pip the test says so, loudly, and proves nothing.

use testkit::fuzz::{self, Fuzzed};
use testkit::partner;

use crate::bench::Bench;

#[tokio::test]
async fn a_fuzzer_finds_no_answer_that_the_document_does_not_say() {
    let bench = Bench::start().await;
    let secret = partner::Options::of(&bench.pki).unwrap().webhook_secret.trim().to_owned();
    let arguments = ["--tls-verify".to_owned(), bench.pki.public_ca().display().to_string()];
    let url = format!("https://localhost:{}", bench.broker.public.unwrap().port());
    let environment = [("BROKER_WEBHOOK_SECRET", secret)];
    let place = env!("CARGO_TARGET_TMPDIR");
    let fuzzed = Fuzzed { service: "broker", place, url: &url, environment: &environment, arguments: &arguments };
    if fuzz::holds(fuzzed).await {
        assert!(bench.count("webhook_inbox").await > 0, "what was signed has been taken");
    }
}
