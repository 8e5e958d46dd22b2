//! What a fuzzer makes of `openapi.json` with the running provider. Without Python and pip the test says so, loudly, and proves nothing.

use testkit::fuzz::{self, Fuzzed};

use crate::world::World;

#[tokio::test]
async fn a_fuzzer_finds_no_answer_that_the_document_does_not_say() {
    let world = World::start().await;
    let [authority, _] = world.files();
    let arguments = ["--tls-verify".to_owned(), authority];
    let place = env!("CARGO_TARGET_TMPDIR");
    let fuzzed = Fuzzed { service: "auth", place, url: &world.issuer, environment: &[], arguments: &arguments };
    fuzz::holds(fuzzed).await;
    world.stop().await;
}
