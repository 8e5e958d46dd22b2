//! Genuine App Attest objects come out as their sources say (`shared/vectors/README.md`).

use std::fs;
use std::path::PathBuf;

use attestation::evidence::apple::{self, Expected, ExpectedAssertion, Trust};
use attestation::evidence::chain::Anchors;
use attestation::evidence::policy::{AppleEnvironment, ApplePolicy};
use attestation::evidence::{Examination, Reason};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::corpus;

const DAY: i64 = 24 * 60 * 60;

struct Genuine {
    name: String,
    object: Vec<u8>,
    hash: [u8; 32],
    key_id: Vec<u8>,
    policy: ApplePolicy,
    now: i64,
}

fn policy(team: &str, bundle: &str, environment: AppleEnvironment) -> ApplePolicy {
    let (team, bundle) = (team.to_owned(), bundle.into());
    ApplePolicy {
        client_id: "redoubt-mobile".into(),
        team,
        bundle,
        environment,
        minimum_build: 0.into(),
        validation_categories: vec![4],
        platforms: vec!["iphoneos".to_owned()],
        shadow: Vec::new(),
    }
}

fn examine(genuine: &Genuine, policy: &ApplePolicy, now: i64) -> Examination {
    let anchors = Anchors::apple().unwrap();
    let expected = Expected { client_data_hash: &genuine.hash, key_id: &genuine.key_id, build: None };
    apple::examine(&genuine.object, &expected, &Trust { anchors: &anchors, policy }, now)
}

fn yaml_files() -> Vec<PathBuf> {
    let Some(root) = corpus::root() else { return Vec::new() };
    let folder = root.join("devicecheck-appattest/src/test/resources");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn devicecheck() -> Vec<Genuine> {
    let mut found = Vec::new();
    for path in yaml_files() {
        for document in corpus::documents(&path).into_iter().filter(|document| document["type"] == "attestation") {
            let client_data = STANDARD.decode(&document["clientDataBase64"]).unwrap();
            found.push(Genuine {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                object: STANDARD.decode(&document["attestationBase64"]).unwrap(),
                hash: crypto::hash::sha256(&client_data),
                key_id: STANDARD.decode(&document["keyIdBase64"]).unwrap(),
                policy: policy(
                    &document["teamIdentifier"],
                    &document["bundleIdentifier"],
                    AppleEnvironment::Development,
                ),
                now: corpus::seconds(&document["timestamp"]),
            });
        }
    }
    found
}

fn node_app_attest(kind: &str, environment: AppleEnvironment, now: &str) -> Option<Genuine> {
    let path = corpus::root()?.join(format!("node-app-attest/test/fixtures/attestation-{kind}.json"));
    let json = corpus::json(&path);
    let text = |name: &str| STANDARD.decode(json[name].as_str().unwrap()).unwrap();
    Some(Genuine {
        name: kind.to_owned(),
        object: text("attestation"),
        hash: crypto::hash::sha256(&text("challenge")),
        key_id: text("keyId"),
        policy: policy("V8H6LQ9448", "io.uebelacker.AppAttestExample", environment),
        now: corpus::seconds(now),
    })
}

#[test]
fn attestations_are_genuine_in_the_days_of_their_leaf_and_not_outside() {
    let all = devicecheck();
    for genuine in &all {
        let found = examine(genuine, &genuine.policy, genuine.now);
        assert_eq!((found.refusals, found.notes), (vec![], vec![]), "{}", genuine.name);
        assert_eq!(
            examine(genuine, &genuine.policy, genuine.now + 3 * DAY).refusals,
            [Reason::Expired],
            "{}",
            genuine.name
        );
        assert_eq!(
            examine(genuine, &genuine.policy, genuine.now - 3 * DAY).refusals,
            [Reason::NotYetValid],
            "{}",
            genuine.name
        );
        let production = ApplePolicy { environment: AppleEnvironment::Production, ..genuine.policy.clone() };
        assert_eq!(
            examine(genuine, &production, genuine.now).refusals,
            [Reason::EnvironmentMismatch],
            "{}",
            genuine.name
        );
    }
    println!("{} genuine attestations of devicecheck-appattest", all.len());
    assert!(all.is_empty() || all.len() == 7);
}

#[test]
fn a_development_and_a_production_key_are_told_apart() {
    use AppleEnvironment::{Development, Production};
    for (kind, environment, other, from, until) in [
        ("development", Development, Production, "2024-02-04T00:00:00Z", "2025-01-07T00:00:00Z"),
        ("production", Production, Development, "2024-02-07T00:00:00Z", "2024-12-20T00:00:00Z"),
    ] {
        let Some(genuine) = node_app_attest(kind, environment, from) else { return };
        let found = examine(&genuine, &genuine.policy, genuine.now);
        assert_eq!((found.refusals, found.notes), (vec![], vec![]), "{kind}");
        assert_eq!(examine(&genuine, &genuine.policy, corpus::seconds(until)).refusals, [], "{kind}");
        assert_eq!(
            examine(&genuine, &genuine.policy, corpus::seconds(until) + 3 * DAY).refusals,
            [Reason::Expired],
            "{kind}"
        );
        let wrong = ApplePolicy { environment: other, ..genuine.policy.clone() };
        assert_eq!(examine(&genuine, &wrong, genuine.now).refusals, [Reason::EnvironmentMismatch], "{kind}");
        let other_app = ApplePolicy { bundle: "io.uebelacker.Other".into(), ..genuine.policy.clone() };
        assert_eq!(examine(&genuine, &other_app, genuine.now).refusals, [Reason::AppMismatch], "{kind}");
    }
}

#[test]
fn assertions_verify_under_the_key_that_was_attested() {
    let attested = devicecheck();
    let mut verified = 0;
    for path in yaml_files() {
        for document in corpus::documents(&path).into_iter().filter(|document| document["type"] == "assertion") {
            let object = STANDARD.decode(&document["assertionBase64"]).unwrap();
            let key_id = STANDARD.decode(&document["keyIdBase64"]).unwrap();
            let genuine = attested.iter().find(|genuine| genuine.key_id == key_id).unwrap();
            let public = examine(genuine, &genuine.policy, genuine.now).assertion_key.unwrap().public;
            let hash = crypto::hash::sha256(&STANDARD.decode(&document["clientDataBase64"]).unwrap());
            let asserted = apple::verify_assertion(&object, &public, &about(&hash), &genuine.policy).unwrap();
            assert_eq!(asserted.counter.to_string(), document["counter"]);
            negatives(&object, &public, &hash, &genuine.policy);
            verified += 1;
        }
    }
    println!("{verified} genuine assertions");
    assert!(attested.is_empty() || verified == 7);
}

fn about(client_data_hash: &[u8; 32]) -> ExpectedAssertion<'_> {
    ExpectedAssertion { client_data_hash, build: None, has_shown_map: false }
}

fn negatives(object: &[u8], public: &[u8; 65], hash: &[u8; 32], policy: &ApplePolicy) {
    let verify = |object: &[u8], hash: &[u8; 32], policy: &ApplePolicy| {
        apple::verify_assertion(object, public, &about(hash), policy).map_err(|failed| failed.refusals)
    };
    assert_eq!(verify(object, &[7; 32], policy), Err(vec![Reason::SignatureInvalid]), "another request");
    let other = ApplePolicy { bundle: "other".into(), ..policy.clone() };
    assert_eq!(verify(object, hash, &other), Err(vec![Reason::AppMismatch]), "another app");
    assert_eq!(verify(&[object, &[0]].concat(), hash, policy), Err(vec![Reason::ObjectMalformed]), "a byte more");
    for byte in 0..object.len() {
        let mut forged = object.to_vec();
        forged[byte] ^= 1 << (byte % 8);
        assert!(verify(&forged, hash, policy).is_err(), "byte {byte}");
    }
}

/// The receipt is not verified yet, so its bytes are left out here, as they are left out of every decision.
#[test]
fn no_flipped_bit_outside_the_receipt_is_accepted() {
    let Some(genuine) = node_app_attest("production", AppleEnvironment::Production, "2024-02-07T00:00:00Z") else {
        return;
    };
    let receipt = find(&genuine.object, b"receipt").unwrap();
    let auth_data = genuine.object.len() - 164 - 2 - 9;
    let mut flips = 0;
    for byte in (0..receipt + 10).chain(auth_data..genuine.object.len()) {
        let mut forged = Genuine {
            object: genuine.object.clone(),
            name: String::new(),
            key_id: genuine.key_id.clone(),
            policy: genuine.policy.clone(),
            ..genuine
        };
        forged.object[byte] ^= 1 << (byte % 8);
        assert!(!examine(&forged, &forged.policy, forged.now).is_genuine(), "byte {byte}");
        flips += 1;
    }
    println!("{flips} flipped bits, none accepted");
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
