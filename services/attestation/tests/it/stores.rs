//! The store that all processes of attestation share, a real Redis, goes away while phones come. Its routes for phones count there; what is good once
//! is remembered in the database.

use api::attestation::Platform;
use defense::config::Rate;
use reqwest::Response;
use runtime::Clock as _;
use serde_json::{Value, json};
use testkit::phone::ios::IosProfile;
use testkit::redis::shared;
use testkit::{scene, server};

use crate::world::{Phone, World};

/// What an address may do in an hour. A challenge and what is done with it cost five each.
const UNITS: u32 = 60;

async fn health(world: &World) -> (u16, Value) {
    scene::health(&world.running, &world.pki).await.unwrap()
}

async fn until_ready(world: &World) {
    scene::until_ready(&world.running, &world.pki).await;
}

fn url(world: &World, path: &str) -> String {
    format!("https://localhost:{}{path}", world.running.public.unwrap().port())
}

async fn post(world: &World, path: &str, body: &Value) -> Response {
    world.client.post(url(world, path)).json(body).send().await.unwrap()
}

#[tokio::test]
async fn without_the_store_no_phone_proves_anything_and_nothing_is_used_up() {
    let Some(mut redis) = testkit::redis::start() else { return };
    let store = shared(&redis).unwrap();
    let world = World::with(|config| {
        config.defense.shared_store = Some(store);
        config.defense.rates.address = Rate { units: UNITS, seconds: 3_600 };
    })
    .await;
    until_ready(&world).await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    let used = world.challenge(Platform::Ios, "attestation").await;
    let used = phone.attest(&used, world.clock.unix()).body;
    assert_eq!(world.post("/v1/attestations", &used).await.status, 201);
    let challenge = world.challenge(Platform::Ios, "assertion").await;
    let renewal = phone.assert(&challenge, world.clock.unix()).body;

    redis.kill();
    let asked = json!({ "platform": "ios", "purpose": "assertion" });
    for (path, body) in [("/v1/challenges", &asked), ("/v1/attestations", &used), ("/v1/assertions", &renewal)] {
        let reply = post(&world, path, body).await;
        assert_eq!((reply.status().as_u16(), reply.headers().contains_key("retry-after")), (503, true), "{path}");
        let anybody = server::client(&world.pki.public_ca(), None).unwrap();
        let reply = anybody.post(url(&world, path)).json(body).send().await.unwrap();
        assert_eq!(reply.status(), 403, "{path}: without a key, whatever the store knows");
    }
    // What is not there is looked for within a bound, which this process counts by itself and from nothing.
    let mut answers = Vec::new();
    for _ in 0..UNITS + 5 {
        answers.push(world.client.get(url(&world, "/v1/nothing")).send().await.unwrap().status().as_u16());
    }
    assert_eq!(answers, [vec![404; UNITS as usize], vec![429; 5]].concat());
    // Who verifies tokens still learns with what.
    assert!(world.audience_keys("ledger").await.is_ok());
    let (ready, said) = health(&world).await;
    assert_eq!((ready, &said["status"]), (200, &json!("degraded")));
    assert!(said["missing"][0].as_str().unwrap().starts_with("the shared store: "), "{said}");

    redis.restart().unwrap();
    until_ready(&world).await;
    let code = async |path: &str, body: &Value| {
        let reply = world.post(path, body).await;
        (reply.status, reply.body["code"].as_str().unwrap_or_default().to_owned())
    };
    let invalid = (400, "attestation.challenge_invalid".to_owned());
    assert_eq!(code("/v1/attestations", &used).await, invalid, "used before the store went");
    assert_eq!(world.post("/v1/assertions", &renewal).await.status, 201, "refused while it was away, and not used up");
    assert_eq!(code("/v1/assertions", &renewal).await, invalid, "nor twice");
}
