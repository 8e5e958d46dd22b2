//! Evidence is kept, and acts for as long as its instance renews: a raised floor, a revoked key, a limit, what iOS has told once.

use std::sync::Arc;

use attestation::config::Config;
use attestation::evidence::chain::Certificate;
use attestation::evidence::policy::{DailyEnrolments, Level};
use crypto::b64;
use runtime::Clock as _;
use serde_json::Value;
use testkit::phone::android::{DeviceProfile, SecurityLevel};
use testkit::phone::ios::{IosPhone, IosProfile};

use crate::service::{accepted, claims};
use crate::world::{Phone, Reply, World};

/// A policy that changed.
type Change = fn(&mut Config);

async fn believed(world: &World, phone: &Phone, reply: &Reply) {
    assert_eq!(world.verdict(reply).await, Vec::<String>::new());
    assert!(accepted(world, phone, reply, None).await);
}

async fn refused(world: &World, phone: &Phone, reply: &Reply, reason: &str) {
    assert_eq!(world.verdict(reply).await, [reason]);
    assert!(!accepted(world, phone, reply, None).await, "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_floor_acts_on_the_instances_that_there_are_and_makes_no_liars() {
    let world = World::new().await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    believed(&world, &phone, &phone.enroll(&world).await.0).await;
    let raised: [(Change, &str); 6] = [
        (|config| config.policy.android.as_mut().unwrap().signer_digests = vec![[7; 32]], "android.signer_mismatch"),
        (|config| config.policy.android.as_mut().unwrap().package = "other.app".into(), "evidence.app_mismatch"),
        (|config| config.policy.android.as_mut().unwrap().minimum_patch = 209_912, "android.patch_too_old"),
        (|config| config.policy.android.as_mut().unwrap().minimum_level = Level::StrongBox, "evidence.level_too_low"),
        (|config| config.policy.android.as_mut().unwrap().minimum_build = 1_000_000.into(), "evidence.build_refused"),
        (
            |config| config.policy.android.as_mut().unwrap().minimum_attestation_version = 10_000,
            "android.version_too_old",
        ),
    ];
    for (change, reason) in raised {
        let stricter = world.replica(change).await;
        refused(&stricter, &phone, &phone.renew(&stricter).await, reason).await;
        believed(&world, &phone, &phone.renew(&world).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_after_it_enrolled_renews_no_more_and_is_no_liar() {
    let world = World::new().await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    let challenge = world.challenge(phone.platform(), "attestation").await;
    let request = phone.attest(&challenge, world.clock.unix()).body;
    believed(&world, &phone, &world.post("/v1/attestations", &request).await).await;

    let attesting = b64::decode_standard(request["evidence"]["certificates"][1].as_str().unwrap()).unwrap();
    let serial = hex::encode(Certificate::parse(&attesting).unwrap().serial());
    let listed = |serial: String| {
        move |config: &mut Config| {
            let file = config.keys.master_file.with_file_name(format!("status-{serial}.json"));
            let list = serde_json::json!({"entries": {serial.trim_start_matches('0'): {"status": "REVOKED"}}});
            std::fs::write(&file, list.to_string()).unwrap();
            config.revocation.file = Some(file);
        }
    };
    let knows = world.replica(listed(serial)).await;
    refused(&knows, &phone, &phone.renew(&knows).await, "chain.revoked").await;
    let other = world.replica(listed("abcdef".to_owned())).await;
    believed(&other, &phone, &phone.renew(&other).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_iphone_of_the_other_environment_is_judged_anew() {
    let world = World::new().await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    believed(&world, &phone, &phone.enroll(&world).await.0).await;
    let production = |config: &mut Config| {
        config.policy.apple.as_mut().unwrap().environment = attestation::evidence::policy::AppleEnvironment::Production;
    };
    let stricter = world.replica(production).await;
    refused(&stricter, &phone, &phone.renew(&stricter).await, "apple.environment_mismatch").await;
    believed(&world, &phone, &phone.renew(&world).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_believed_is_not_kept_and_who_came_before_is_noted() {
    let world = World::new().await;
    let (android, ios) = (Phone::android(&world, DeviceProfile::genuine()), Phone::ios(&world, IosProfile::genuine()));
    Phone::android(&world, DeviceProfile::unlocked()).enroll(&world).await;
    assert_eq!(world.sql("select 1 from evidence").await, Ok(0));
    for phone in [&android, &ios] {
        phone.enroll(&world).await;
    }
    let whole = "select 1 from evidence where (cardinality(parts) >= 3 and patch_level > 202000) or \
                 (cardinality(parts) = 1 and patch_level is null)";
    assert_eq!(world.sql(whole).await, Ok(2));
    assert_eq!(world.sql("select 1 from evidence where octet_length(attesting) = 32").await, Ok(2));
    // Nobody but the owner removes it; as if both had enrolled under the former version.
    assert!(world.sql_as_app("delete from evidence").await.unwrap_err().contains("permission denied"));
    world.sql_as_owner("delete from evidence").await;
    for phone in [&android, &ios] {
        let reply = phone.renew(&world).await;
        believed(&world, phone, &reply).await;
        assert_eq!(world.notes(&reply).await, ["instance.evidence_not_kept"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_enrolments_by_one_attesting_certificate_only_so_many_are_believed_in_a_day() {
    let limit = |config: &mut Config| {
        config.policy.android.as_mut().unwrap().daily_enrolments = DailyEnrolments { factory: 3, remote: 3 };
    };
    let world = Arc::new(World::with(limit).await);
    let phone = Phone::android(&world, DeviceProfile::genuine());
    let mut attempts = Vec::new();
    for _ in 0..8 {
        let challenge = world.challenge(phone.platform(), "attestation").await;
        let (world, body) = (Arc::clone(&world), phone.attest(&challenge, world.clock.unix()).body);
        attempts.push(tokio::spawn(async move { world.verdict(&world.post("/v1/attestations", &body).await).await }));
    }
    let mut verdicts = Vec::new();
    for attempt in attempts {
        verdicts.push(attempt.await.unwrap());
    }
    verdicts.sort();
    let (believed_ones, others) = verdicts.split_at(3);
    assert!(believed_ones.iter().all(Vec::is_empty), "{verdicts:?}");
    assert!(others.iter().all(|reasons| *reasons == ["android.enrolment_limit"]), "{verdicts:?}");
    // Nothing sticks, another certificate is not concerned, and tomorrow is another day.
    assert_eq!(world.sql("select 1 from instances where decoyed").await, Ok(0));
    let other = Phone::android(&world, DeviceProfile::genuine());
    believed(&world, &other, &other.enroll(&world).await.0).await;
    world.clock.advance(86_400);
    believed(&world, &phone, &phone.enroll(&world).await.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_iphone_that_has_told_its_build_once_goes_on_telling_it() {
    let world = World::new().await;
    let with = |told: &Phone, appended: Vec<u8>| {
        let Phone::Ios(hardware, key) = told else { unreachable!() };
        Phone::Ios(hardware.with_profile(|profile| profile.appended = appended), key.clone())
    };
    let told = IosProfile::ios_27("1".parse().unwrap()).unwrap();
    // Told at enrolment, or later in an assertion.
    for first in [told.appended.clone(), Vec::new()] {
        let phone = Phone::Ios(
            IosPhone::new(&world.pki.apple_test_root().unwrap(), IosProfile { appended: first, ..told.clone() })
                .unwrap(),
            Arc::new(crypto::p256::SigningKey::generate()),
        );
        believed(&world, &phone, &phone.enroll(&world).await.0).await;
        let (tells, silent) = (with(&phone, told.appended.clone()), with(&phone, Vec::new()));
        believed(&world, &phone, &tells.renew(&world).await).await;
        refused(&world, &phone, &silent.renew(&world).await, "apple.map_missing").await;
        believed(&world, &phone, &tells.renew(&world).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_one_app() {
    let world = World::with(|config| {
        config.policy.android.as_mut().unwrap().client_id = "another-client".into();
    })
    .await;
    // Known here, but as the client of the iOS app.
    let phone = Phone::android(&world, DeviceProfile::genuine());
    refused(&world, &phone, &phone.enroll(&world).await.0, "evidence.app_mismatch").await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    believed(&world, &phone, &phone.enroll(&world).await.0).await;
}

/// An emulator knows that it has no hardware; a token that said so would tell it that it was found out.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoy_shows_no_level_that_a_genuine_token_cannot_have() {
    let world = World::new().await;
    let strict = world.replica(|config| config.policy.android.as_mut().unwrap().minimum_level = Level::StrongBox).await;
    let level =
        |reply: &Reply| -> Value { claims(reply.body["tokens"][0]["token"].as_str().unwrap())["level"].clone() };
    for (world, claimed, shown) in [
        (&world, SecurityLevel::Software, "tee"),
        (&world, SecurityLevel::StrongBox, "strongbox"),
        (&strict, SecurityLevel::TrustedEnvironment, "strongbox"),
    ] {
        let phone = Phone::android(world, DeviceProfile { level: claimed, ..DeviceProfile::unlocked() });
        let (reply, _) = phone.enroll(world).await;
        assert!(!accepted(world, &phone, &reply, None).await);
        assert_eq!(level(&reply), shown);
        assert_eq!(level(&phone.renew(world).await), shown, "a renewal shows what the enrolment did");
    }
}
