//! What is refused honestly, and what the service refuses to start with.

use std::sync::Arc;

use api::attestation::Platform;
use attestation::config::{Config, Mode, OtherMaster, TestRoots};
use attestation::evidence::Reason;
use attestation::evidence::policy::AppleEnvironment;
use attestation::{Attestation, MIGRATIONS};
use runtime::Clock as _;
use serde_json::json;
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::IosProfile;
use testkit::pki::Pki;

use crate::world::{self, Phone, World};

const CHALLENGE_INVALID: (u16, &str, &str) = (400, "attestation.challenge_invalid", "challenge");

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_good_once_for_its_purpose_platform_and_time() {
    let world = World::new().await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    let now = || world.clock.unix();
    let post = async |challenge: &str| world.post("/v1/attestations", &phone.attest(challenge, now()).body).await;

    let unknown = crypto::b64::encode(&[7; 32]);
    assert_eq!(post(&unknown).await.problem(), CHALLENGE_INVALID, "unknown");
    assert_eq!(post("c2hvcnQ").await.problem(), CHALLENGE_INVALID, "not 32 bytes");

    let challenge = world.challenge(Platform::Ios, "attestation").await;
    assert_eq!(post(&challenge).await.status, 201);
    assert_eq!(post(&challenge).await.problem(), CHALLENGE_INVALID, "used");

    for (platform, purpose) in [(Platform::Ios, "assertion"), (Platform::Android, "attestation")] {
        let challenge = world.challenge(platform, purpose).await;
        assert_eq!(post(&challenge).await.problem(), CHALLENGE_INVALID, "{platform:?} {purpose}");
    }
    let challenge = world.challenge(Platform::Ios, "assertion").await;
    assert_eq!(post(&challenge).await.problem(), CHALLENGE_INVALID);
    let body = phone.assert(&challenge, now()).body;
    assert_eq!(
        world.post("/v1/assertions", &body).await.status,
        201,
        "it was never in danger, and is good for its own use"
    );

    let challenge = world.challenge(Platform::Ios, "attestation").await;
    world.clock.advance(119);
    assert_eq!(post(&challenge).await.status, 201, "in the last second");
    let challenge = world.challenge(Platform::Ios, "attestation").await;
    world.clock.advance(120);
    assert_eq!(post(&challenge).await.problem(), CHALLENGE_INVALID, "expired");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_names_its_field_and_uses_nothing_up() {
    let world = World::new().await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    let challenge = world.challenge(Platform::Android, "attestation").await;
    let good = phone.attest(&challenge, world.clock.unix()).body;
    let private =
        json!({"kty": "EC", "crv": "P-256", "x": good["device_key"]["x"], "y": good["device_key"]["y"], "d": "AAAA"});
    let other_challenge = crypto::b64::encode(&[1; 32]);
    let cases = [
        ("challenge", json!(7), "challenge"),
        ("platform", json!("windows"), "platform"),
        ("platform", json!("ios"), "challenge"),
        ("app", json!({"id": "a", "version": "1", "build": 1, "platform": "ios"}), "app.platform"),
        ("client_id", json!("somebody"), "client_id"),
        ("app", json!({"id": "", "version": "1", "build": 1, "platform": "android"}), "app.id"),
        ("app", json!({"id": "a", "version": "1\n", "build": 1, "platform": "android"}), "app.version"),
        ("app", json!({"id": "a", "version": "1", "build": -1, "platform": "android"}), "app.build"),
        ("app", json!({"id": "a", "version": "1", "build": "1.4.2", "platform": "android"}), "app.build"),
        ("app", json!({"id": "a", "version": "1", "build": "01", "platform": "android"}), "app.build"),
        ("app", json!({"id": "a", "version": "1", "build": "1.4b", "platform": "ios"}), "app.build"),
        ("app", json!({"id": "a", "version": "1", "build": "1".repeat(33), "platform": "ios"}), "app.build"),
        ("device_key", json!({}), "device_key"),
        ("device_key", private, "device_key"),
        ("session_public_key", json!("AAAA"), "session_public_key"),
        ("proof", json!("a.b.c"), "proof"),
        ("proof", phone.attest(&other_challenge, world.clock.unix()).body["proof"].clone(), "proof"),
        ("proof", phone.attest(&challenge, world.clock.unix() - 121).body["proof"].clone(), "proof"),
        ("evidence", json!({"format": "safetynet"}), "evidence"),
        ("evidence", json!({"format": "android-key-attestation", "certificates": ["!"]}), "evidence.certificates"),
        (
            "evidence",
            json!({"format": "apple-app-attest", "key_id": "AA==", "attestation_object": "AA=="}),
            "evidence.format",
        ),
        ("extra", json!(1), "extra"),
    ];
    // The phone made new keys for the cases; its first proof is still good for its first request.
    for (member, value, field) in cases {
        let mut body = good.clone();
        body[member] = value;
        let reply = world.post("/v1/attestations", &body).await;
        let (status, code, named) = reply.problem();
        assert!((400..500).contains(&status) && !code.is_empty(), "{member}: {}", reply.body);
        assert!(named.starts_with(field), "{member}: {named} is not {field}");
        let reason = reply.refused.as_deref().unwrap();
        let expected = match (member, code) {
            (_, "attestation.challenge_invalid") => ["attestation/challenge_invalid"; 2],
            (_, "attestation.evidence_malformed") => ["attestation/evidence_malformed"; 2],
            ("proof", _) => ["attestation/proof_invalid"; 2],
            // Some of it serde refuses, before there is anything to judge.
            _ => ["attestation/field_invalid", "request/body_invalid"],
        };
        assert!(expected.contains(&reason), "{member}: {reason}");
    }
    assert_eq!(world.post("/v1/attestations", &good).await.status, 201, "the challenge is still good");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_by_another_key_has_no_effect_on_the_instance() {
    let world = World::new().await;
    let victim = Phone::ios(&world, IosProfile::genuine());
    assert_eq!(victim.enroll(&world).await.0.status, 201);
    // The attacker knows the victim's public key and names it.
    let attacker = Phone::ios(&world, IosProfile::other_bundle());
    let challenge = world.challenge(Platform::Ios, "attestation").await;
    let mut body = attacker.attest(&challenge, world.clock.unix()).body;
    body["device_key"] = victim.attest(&challenge, world.clock.unix()).body["device_key"].clone();
    assert_eq!(world.post("/v1/attestations", &body).await.problem(), (400, "request.invalid", "proof"));
    assert_eq!(victim.enroll(&world).await.0.status, 201);
    let renewed = victim.renew(&world).await;
    assert_eq!(world.verdict(&renewed).await, Vec::<String>::new());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_has_never_attested_cannot_renew() {
    let world = World::new().await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    let unknown = phone.renew(&world).await;
    assert_eq!(unknown.problem(), (404, "attestation.instance_unknown", ""));
    assert_eq!(unknown.refused.as_deref(), Some("attestation/instance_unknown"));
    let challenge = world.challenge(Platform::Ios, "assertion").await;
    let mut body = phone.assert(&challenge, world.clock.unix()).body;
    body.as_object_mut().unwrap().remove("assertion");
    assert_eq!(world.post("/v1/assertions", &body).await.problem(), (400, "request.invalid", "assertion"));
    world.stop().await;
}

/// With the challenge rule in shadow (as nobody should), recorded evidence still enrols nobody a second time.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_enrols_once() {
    let world = World::with(|config| {
        config.policy.android.as_mut().unwrap().shadow = vec![Reason::ChallengeMismatch];
    })
    .await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    let challenge = world.challenge(Platform::Android, "attestation").await;
    let first = phone.attest(&challenge, world.clock.unix());
    assert_eq!(world.post("/v1/attestations", &first.body).await.status, 201);
    let challenge = world.challenge(Platform::Android, "attestation").await;
    let mut again = phone.assert(&challenge, world.clock.unix()).body;
    again["evidence"] = first.body["evidence"].clone();
    phone.sign(&mut again, world.clock.unix());
    let reply = world.post("/v1/attestations", &again).await;
    assert_eq!(world.verdict(&reply).await, ["evidence.reused"]);
    world.stop().await;
}

/// Why the service does not start.
async fn refusal(change: impl FnOnce(&mut Config)) -> String {
    let pki = Pki::temporary().unwrap();
    let database = TestDatabase::create("attestation", MIGRATIONS).await.unwrap();
    let mut config = world::config(&pki, &database);
    change(&mut config);
    match runtime::start::<Attestation>(config, Arc::new(ManualClock::now())).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    }
}

/// What every phone is told must be a public key, and somebody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_sealing_key_that_is_none_does_not_start() {
    let with = |text: &'static str| {
        move |config: &mut Config| {
            let file = config.keys.master_file.with_file_name("sealing.jwk");
            std::fs::write(&file, text).unwrap();
            config.tokens.sealing_keys = [("ledger".to_owned(), file)].into();
        }
    };
    let (x, y) = ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let private = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{x}"}}"#);
    for text in ["", "{}", r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, &*Box::leak(private.into_boxed_str())] {
        let message = refusal(with(text)).await;
        assert!(message.contains("tokens.sealing_keys.ledger") && message.contains("no public P-256 JWK"), "{message}");
    }
    let message = refusal(|config| config.tokens.audiences = vec!["another".to_owned()]).await;
    assert!(message.contains("names ledger, which gets no tokens"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_contradicts_itself_does_not_start() {
    let message = refusal(|config| config.policy.mode = Mode::Production).await;
    assert!(message.contains("trusts no test root"), "{message}");
    let message = refusal(|config| {
        config.policy.mode = Mode::Production;
        config.policy.test_roots = TestRoots::default();
    })
    .await;
    assert!(message.contains("revocation.file"), "{message}");
    let message = refusal(|config| {
        config.policy.mode = Mode::Production;
        config.policy.test_roots = TestRoots::default();
        config.policy.android = None;
    })
    .await;
    assert!(message.contains("environment"), "{message}");
    let message = refusal(|config| {
        config.policy.mode = Mode::Production;
        config.policy.test_roots = TestRoots::default();
        config.policy.android = None;
        let apple = config.policy.apple.as_mut().unwrap();
        apple.environment = AppleEnvironment::Production;
        apple.shadow = vec![Reason::ValidationCategory, Reason::SignatureInvalid];
    })
    .await;
    assert!(message.contains("does not put \"chain.signature_invalid\" in shadow"), "{message}");
    let message = refusal(|config| config.keys.decoy_master_file = config.keys.master_file.clone()).await;
    assert!(message.contains("decoys would be genuine"), "{message}");
    let floor = |config: &mut Config| config.policy.android.as_mut().unwrap().minimum_build = "1.4".parse().unwrap();
    let message = refusal(floor).await;
    assert!(message.contains("policy.android.minimum_build"), "{message}");
    let cut_off = |config: &mut Config| {
        world::with_list(config, r#"{"entries":{"1f":{"status":"REVOKED"}}}"#);
        config.revocation.minimum_entries = 2;
    };
    let message = refusal(cut_off).await;
    assert!(message.contains("revocation.minimum_entries"), "{message}");
    let twice = |config: &mut Config| {
        config.keys.other = Some(OtherMaster { master_file: config.keys.master_file.clone(), generation: 2 });
    };
    assert!(refusal(twice).await.contains("nothing would be replaced"));
    let message = refusal(|config| config.tokens.lifetime = 301).await;
    assert!(message.contains("tokens.lifetime"), "{message}");
    let message = refusal(|config| config.policy.test_roots.apple = vec!["/nonexistent.pem".into()]).await;
    assert!(message.contains("/nonexistent.pem"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_holds_the_rules_against_the_app_itself() {
    let world = World::new().await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    assert_eq!(phone.enroll(&world).await.0.status, 201);
    assert_eq!(phone.renew(&world).await.status, 201);
    assert_eq!(world.sql_as_app("update instances set decoyed = true").await, Ok(1));
    for (statement, refusal) in [
        ("update instances set decoyed = false", "a decoyed instance stays decoyed"),
        ("update app_attest_keys set counter = 0", "an assertion counter only rises"),
        ("update app_attest_keys set jkt = 'x'", "permission denied"),
        ("delete from verdicts", "permission denied"),
        ("update verdicts set genuine = true", "permission denied"),
        ("delete from used_evidence", "permission denied"),
        ("create table mine (x int)", "permission denied"),
    ] {
        let error = world.sql_as_app(statement).await.unwrap_err();
        assert!(error.contains(refusal), "{statement}: {error}");
    }
    world.stop().await;
}

/// Everything that makes evidence be about this app, this key and this request.
#[test]
fn no_rule_that_binds_may_be_shadowed() {
    use Reason::{
        AllApplications, AppMismatch, AssertionMissing, BootUnverified, BuildMismatch, ChallengeMismatch,
        CounterReplayed, DeviceUnlocked, EnvironmentMismatch, IssuerMismatch, KeyIdMismatch, KeyMismatch,
        NonceMismatch, NotBelieved, Revoked, RootUntrusted, SignatureInvalid, SignerMismatch, Sticky,
    };
    let binding = [
        [AllApplications, AppMismatch, AssertionMissing, BootUnverified, BuildMismatch, ChallengeMismatch],
        [CounterReplayed, DeviceUnlocked, EnvironmentMismatch, IssuerMismatch, KeyIdMismatch, KeyMismatch],
        [NonceMismatch, Revoked, RootUntrusted, SignatureInvalid, SignerMismatch, Sticky],
        [NotBelieved; 6],
    ];
    for reason in binding.concat() {
        assert!(!reason.may_be_shadowed(), "{}", reason.code());
    }
    assert!(Reason::PatchTooOld.may_be_shadowed());
}
