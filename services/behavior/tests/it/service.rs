//! Who may come in, and how the service starts and says that it is ready.

use behavior::Behavior;
use runtime::Service as _;
use serde_json::{Value, json};
use testkit::database::TestDatabase;
use testkit::pki::Pki;
use testkit::{clock::ManualClock, scene};

use crate::world::{World, config};

#[test]
fn every_route_is_for_peers_and_none_is_public() {
    let routes = Behavior::describe();
    assert!(routes.iter().all(|route| route.listener == "internal" && route.guard.starts_with("Peer<")), "{routes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_lets_in_whom_it_is_for_and_nobody_else() {
    let world = World::new().await;
    assert_eq!(world.running.public, None);
    let decision = format!("/internal/v1/decisions/{}", world.id());
    let case = format!("/desk/cases/{}", world.id());
    let asked = json!({ "requests": [world.question("u", "p", "1")] });
    let label = json!({ "about": "event", "id": world.id(), "label": "fraud" });
    let events = json!({ "events": [world.paid(1, "u", "p", "1")] });
    for (path, body, welcome) in [
        ("/internal/v1/events", Some(&events), &["ledger", "auth"][..]),
        ("/internal/v1/scores", Some(&asked), &["ledger"]),
        ("/internal/v1/labels", Some(&label), &["operator"]),
        (&decision, None, &["operator"]),
        ("/desk", None, &["analyst"]),
        (&case, None, &["analyst"]),
        (&case, Some(&label), &[]),
    ] {
        for peer in ["auth", "attestation", "ledger", "broker", "behavior", "operator", "analyst", "partner"] {
            let reply = match body {
                Some(body) => world.post(peer, path, body).await,
                None => world.get(peer, path).await,
            };
            if welcome.contains(&peer) {
                assert!([200, 404].contains(&reply.status), "{peer} {path}: {reply:?}");
            } else if body.is_some() && path == case && peer == "analyst" {
                assert_eq!(reply.refused, ["origin/origin_mismatch"], "it may, from its own page: {reply:?}");
            } else {
                assert_eq!(reply.problem(), (403, "auth.forbidden", ""), "{peer} {path}");
                assert_eq!(reply.refused, ["authorization/peer_not_allowed"], "{peer} {path}");
            }
        }
    }
    world.stop().await;
}

/// Which version of the features a file was made for; this build has 2.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_or_rules_for_other_features_stop_the_start_with_both_versions_named() {
    let pki = Pki::temporary().unwrap();
    let database = TestDatabase::create("behavior", behavior::MIGRATIONS).await.unwrap();
    let folder = crate::scratch("wrong-files");
    let good = config(&pki, &database);
    let changed = |name: &str, file: &std::path::Path, from: &str, to: &str| {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(from));
        let path = folder.join(name);
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        path
    };
    let (model, rules) = (good.judgement.model_file.clone(), good.judgement.rules_file.clone());
    let old_model = changed("old.json", &model, "\"features_version\": 3", "\"features_version\": 7");
    let strange_model = changed("strange.json", &model, "\"amount\",", "\"shoe_size\",");
    let old_rules = changed("old.toml", &rules, "features_version = 3", "features_version = 7");
    for (model_file, rules_file, says) in [
        (old_model, rules.clone(), "was trained on version 7 of the features, this build has version 3"),
        (strange_model, rules.clone(), "asks for the feature \"shoe_size\", which this build does not have"),
        (folder.join("none.json"), rules, "No such file"),
        (model, old_rules, "were written for version 7 of the features, this build has version 3"),
    ] {
        let mut config = good.clone();
        config.judgement = behavior::config::Judgement { model_file, rules_file, dry_run: None };
        let started = runtime::start::<Behavior>(config, std::sync::Arc::new(ManualClock::now())).await;
        let error = format!("{:#}", started.err().unwrap());
        assert!(error.contains(says), "{error}");
    }
}

/// Whoever were judged before would be a stranger to us.
#[tokio::test(flavor = "multi_thread")]
async fn as_long_as_the_profiles_cannot_be_made_nobody_is_judged_and_readiness_says_so() {
    let pki = Pki::temporary().unwrap();
    let database = TestDatabase::create("behavior", behavior::MIGRATIONS).await.unwrap();
    let world = World::new().await;
    // Somebody else holds the log, so that it can be read by nobody.
    let pool = storage::pool(&crypto::SecretString::from(database.superuser_url.as_str()), 1).unwrap();
    let mut holder = storage::connection(&pool).await.unwrap();
    diesel_async::SimpleAsyncConnection::batch_execute(&mut holder, "begin; lock table events").await.unwrap();
    let clock = std::sync::Arc::new(ManualClock::now());
    let running = runtime::start::<Behavior>(config(&pki, &database), clock).await.unwrap();
    scene::until(async || {
        let (status, said) = scene::health(&running, &pki).await.unwrap();
        status == 503 && said["detail"] == "the profiles: being made of what has happened, 0 of 0 lines so far"
    })
    .await;
    let ledger = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("ledger"))).unwrap();
    let url = format!("https://localhost:{}/internal/v1/scores", running.internal.port());
    let asked = json!({ "requests": [world.question("u", "p", "1")] });
    let answer = ledger.post(url).json(&asked).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["detail"], "the profiles are being made");
    drop(holder);
    drop(pool);
    scene::until_ready(&running, &pki).await;
    running.stop().await.unwrap();
    world.stop().await;
}
