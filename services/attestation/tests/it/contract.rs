//! What a fuzzer makes of `openapi.json` with the running service. Without Python and pip the test says so, loudly, and proves nothing.

use testkit::fuzz::{self, Fuzzed};
use testkit::server;

use crate::world::World;

#[tokio::test]
async fn a_fuzzer_finds_no_answer_that_the_document_does_not_say() {
    let world = World::new().await;
    let mut arguments = vec!["--tls-verify".to_owned(), world.pki.public_ca().display().to_string()];
    for (name, value) in server::app_headers(&world.pki).unwrap() {
        arguments.extend(["--header".to_owned(), format!("{name}: {value}")]);
    }
    let url = format!("https://localhost:{}", world.running.public.unwrap().port());
    let place = env!("CARGO_TARGET_TMPDIR");
    fuzz::holds(Fuzzed { service: "attestation", place, url: &url, environment: &[], arguments: &arguments }).await;
    world.stop().await;
}
