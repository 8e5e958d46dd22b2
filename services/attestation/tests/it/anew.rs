//! Only a lie sticks. What a policy refuses, or what is not understood although it is signed, gets decoys while it is so, at enrolment as
//! at renewal; and a pardon lifts what stuck.

use std::process::Command;
use std::sync::Arc;

use attestation::evidence::Reason;
use crypto::p256::SigningKey;
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::{IosAttack, IosPhone, IosProfile, build_info};

use crate::service::{accepted, shape};
use crate::world::{Phone, Reply, World};

/// The same installation with something else on it, or with another system below it.
fn same_device(world: &World, key: &Arc<SigningKey>, profile: IosProfile) -> Phone {
    let phone = IosPhone::new(&world.pki.apple_test_root().unwrap(), profile).unwrap();
    Phone::Ios(phone, key.clone())
}

fn ios_27(build: &str, category: u32) -> IosProfile {
    let appended = build_info(build, category).unwrap();
    IosProfile { appended, ..IosProfile::ios_27(build.parse().unwrap()).unwrap() }
}

/// Two decoys that look like any other; the first for its own reason, the second because nothing good was shown yet.
async fn refused(world: &World, phone: &Phone, reply: &Reply, reason: &str) {
    assert!(!accepted(world, phone, reply, None).await, "{reason}");
    assert_eq!(world.verdict(reply).await, [reason]);
    let renewed = phone.renew(world).await;
    assert!(!accepted(world, phone, &renewed, None).await, "{reason}: a refusal is not renewed into a belief");
    let reasons = world.verdict(&renewed).await;
    assert!(reasons.contains(&"instance.not_believed".to_owned()), "{reasons:?}");
    assert!(!reasons.contains(&"instance.decoyed".to_owned()), "{reasons:?}");
}

async fn believed(world: &World, phone: &Phone) {
    let (reply, session) = phone.enroll(world).await;
    assert_eq!(world.verdict(&reply).await, Vec::<String>::new());
    assert!(accepted(world, phone, &reply, Some(&session)).await);
    let renewed = phone.renew(world).await;
    assert!(accepted(world, phone, &renewed, None).await, "{:?}", world.verdict(&renewed).await);
}

async fn iphones() -> World {
    World::with(|config| {
        let apple = config.policy.apple.as_mut().unwrap();
        (apple.minimum_build, apple.validation_categories) = ("1.4".parse().unwrap(), vec![4]);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_refuses_at_enrolment_is_judged_anew() {
    let world = iphones().await;
    // One name, twice.
    let duplicate = b"\xa2\x61a\x01\x61a\x01".to_vec();
    let cases = [
        (ios_27("1.3.9", 4), "evidence.build_refused"),
        (ios_27("1.4", 2), "apple.validation_category"),
        (IosProfile { appended: build_info("1.4.0", 4).unwrap(), ..ios_27("1.4", 4) }, "evidence.build_mismatch"),
        (IosProfile { appended: vec![0], ..ios_27("1.4", 4) }, "apple.auth_data_unreadable"),
        (IosProfile { appended: duplicate, ..ios_27("1.4", 4) }, "apple.auth_data_unreadable"),
    ];
    for (profile, reason) in cases {
        let phone = Phone::ios(&world, profile);
        let (reply, _) = phone.enroll(&world).await;
        refused(&world, &phone, &reply, reason).await;
        // Neither evidence nor key were used up, or the genuine phone would be shut out for ever.
        assert_eq!(world.sql("select 1 from used_evidence union all select 1 from app_attest_keys").await, Ok(0));
        let Phone::Ios(_, key) = &phone else { unreachable!() };
        believed(&world, &same_device(&world, key, ios_27("1.4", 4))).await;
        world.sql_as_owner("delete from app_attest_keys; delete from used_evidence").await;
    }
    world.stop().await;
}

/// Certificates that are not valid yet, or no more, are a matter of time.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_out_of_their_time_are_judged_anew() {
    let world = World::new().await;
    for (days, reason) in [(3, "chain.expired"), (-3, "chain.not_yet_valid")] {
        let phone = Phone::ios(&world, IosProfile::genuine());
        world.clock.advance(days * 86_400);
        let (reply, _) = phone.enroll(&world).await;
        refused(&world, &phone, &reply, reason).await;
        world.clock.advance(-days * 86_400);
        believed(&world, &phone).await;
    }
    world.stop().await;
}

/// An Android key has one attestation, so a new one is made; the old one is refused for what it is, and is no liar's.
#[tokio::test(flavor = "multi_thread")]
async fn an_android_phone_below_a_threshold_is_no_liar_and_is_not_believed() {
    let world = World::with(|config| {
        let android = config.policy.android.as_mut().unwrap();
        (android.minimum_build, android.minimum_attestation_version, android.minimum_patch) = (2.into(), 200, 200_001);
        (android.creation_age, android.shadow) = (300, vec![]);
    })
    .await;
    let genuine = || DeviceProfile { package_version: 2, ..DeviceProfile::genuine() };
    for (profile, reason) in [
        (DeviceProfile { package_version: 1, ..genuine() }, "evidence.build_refused"),
        (DeviceProfile { attestation_version: 100, ..genuine() }, "android.version_too_old"),
        (DeviceProfile { patch_age_months: 400, ..genuine() }, "android.patch_too_old"),
    ] {
        let phone = Phone::android(&world, profile);
        let (reply, _) = phone.enroll(&world).await;
        refused(&world, &phone, &reply, reason).await;
    }
    let phone = Phone::android(&world, genuine());
    world.clock.advance(-3600);
    let (reply, _) = phone.enroll(&world).await;
    refused(&world, &phone, &reply, "android.creation_time").await;
    world.clock.advance(3600);
    believed(&world, &phone).await;
    world.stop().await;
}

/// A good instance that attests anew and is refused loses its belief and not its name.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_attests_anew_and_is_refused_can_come_back() {
    let world = iphones().await;
    let key = Arc::new(SigningKey::generate());
    let good = || same_device(&world, &key, ios_27("1.4", 4));
    believed(&world, &good()).await;
    let old = same_device(&world, &key, ios_27("1.3", 4));
    let (reply, _) = old.enroll(&world).await;
    assert_eq!(world.verdict(&reply).await, ["evidence.build_refused"]);
    // It signs with an App Attest key that was not let in: refused, and still no lie.
    let reply = old.renew(&world).await;
    assert_eq!(world.verdict(&reply).await, ["evidence.build_refused", "instance.not_believed"]);
    believed(&world, &good()).await;
    world.stop().await;
}

/// What is not understood under a good signature costs answers while it is so.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_is_not_understood_costs_one_answer() {
    let world = iphones().await;
    let phone = Phone::ios(&world, ios_27("1.4", 4));
    believed(&world, &phone).await;
    let Phone::Ios(hardware, key) = &phone else { unreachable!() };
    let odd = Phone::Ios(hardware.with_profile(|profile| profile.appended = vec![0xa1]), key.clone());
    let reply = odd.renew(&world).await;
    assert_eq!(world.verdict(&reply).await, ["apple.auth_data_unreadable"]);
    let reply = phone.renew(&world).await;
    assert!(accepted(&world, &phone, &reply, None).await, "{:?}", world.verdict(&reply).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_sticks_whatever_else_is_wrong() {
    let world = iphones().await;
    let liar = Phone::ios(&world, IosProfile { attack: Some(IosAttack::OtherKey), ..ios_27("1.3", 4) });
    let (reply, _) = liar.enroll(&world).await;
    assert_eq!(world.verdict(&reply).await, ["apple.key_id_mismatch", "evidence.build_refused"]);
    let Phone::Ios(_, key) = &liar else { unreachable!() };
    let (reply, _) = same_device(&world, key, ios_27("1.4", 4)).enroll(&world).await;
    assert_eq!(world.verdict(&reply).await, ["instance.decoyed"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pardon_is_the_one_way_back_and_leaves_a_line() {
    let mut config = None;
    let world = World::with(|given| config = Some(given.clone())).await;
    let mut config = config.unwrap();
    config.common.database.as_mut().unwrap().migrator_url_file = Some(world.database.files.migrator.clone());
    let file = config.keys.master_file.with_file_name("pardon.toml");
    std::fs::write(&file, runtime::config::print(&config).unwrap()).unwrap();
    let pardon = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attestation"));
        let output = command.arg("pardon").args(arguments).arg("--config").arg(&file).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };

    let liar = Phone::ios(&world, IosProfile { attack: Some(IosAttack::OtherKey), ..IosProfile::genuine() });
    let Phone::Ios(_, key) = &liar else { unreachable!() };
    let jkt = identity::Jwk::from(key.public()).thumbprint();
    let jkt = jkt.as_str();
    let honest = same_device(&world, key, IosProfile::genuine());
    assert!(!pardon(&[jkt, "--reason", "nobody of this name"]).0);
    liar.enroll(&world).await;
    let before = honest.enroll(&world).await.0;
    assert_eq!(world.verdict(&before).await, ["instance.decoyed"]);

    for arguments in [&[][..], &[jkt], &[jkt, "--reason", " "], &[jkt, "--reason", "a\nb"], &["x", "--reason", "why"]] {
        let (done, _, error) = pardon(arguments);
        assert!(!done && !error.is_empty(), "{arguments:?}");
    }
    let (done, out, error) = pardon(&[jkt, "--reason", "ticket 4711: a defect of ours"]);
    assert!(done, "{error}");
    let line = out.lines().find(|line| line.contains("\"audit\"")).unwrap_or_default();
    assert!(line.contains("pardoned") && line.contains(jkt) && line.contains("ticket 4711"), "{out}");
    assert!(!pardon(&[jkt, "--reason", "again"]).0, "it is not decoyed any more");

    // A pardon is not a belief: the instance must attest, and may.
    let renewed = liar.renew(&world).await;
    assert!(!accepted(&world, &liar, &renewed, None).await);
    assert!(world.verdict(&renewed).await.contains(&"instance.not_believed".to_owned()));
    let kept = "select 1 from pardons where jkt = (select jkt from instances) and reason like 'ticket 4711%'";
    assert_eq!(world.sql_as_owner(kept).await, 1);
    assert_eq!(shape(&renewed.body), shape(&liar.renew(&world).await.body));
    world.stop().await;
}

/// The app role can neither pardon nor use a pardon for more than it is.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_pardons_only_through_its_function() {
    let world = World::new().await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    phone.enroll(&world).await;
    world.sql_as_app("update instances set decoyed = true").await.unwrap();
    for (statement, refusal) in [
        ("update instances set decoyed = false", "a decoyed instance stays decoyed"),
        ("select pardon(jkt, 'because') from instances", "permission denied"),
        ("insert into pardons (jkt, reason) select jkt, 'because' from instances", "permission denied"),
        ("select 1 from pardons", "permission denied"),
    ] {
        let error = world.sql_as_app(statement).await.unwrap_err();
        assert!(error.contains(refusal), "{statement}: {error}");
    }
    assert_eq!(world.sql_as_owner("select 1 from instances where pardon(jkt, 'because')").await, 1);
    assert_eq!(world.sql_as_app("select 1 from instances where not decoyed and believed").await, Ok(1));
    world.sql_as_app("update instances set decoyed = true").await.unwrap();
    let error = world.sql_as_app("update instances set decoyed = false").await.unwrap_err();
    assert!(error.contains("stays decoyed"), "a pardon of before is none: {error}");
    world.stop().await;
}

/// The list of what sticks, whole, so that a new reason is thought about.
#[test]
fn what_is_no_lie() {
    let no_lies = [
        ["chain.not_yet_valid", "chain.expired", "android.extension_malformed", "apple.auth_data_unreadable"],
        ["chain.revoked", "android.enrolment_limit", "apple.map_missing", "apple.platform"],
        ["evidence.level_too_low", "evidence.build_refused", "evidence.build_mismatch", "android.version_too_old"],
        ["android.patch_too_old", "android.patch_in_future", "android.creation_time", "android.certificate_farm"],
        ["apple.validation_category", "apple.counter_replayed", "policy.platform_unsupported", "instance.not_believed"],
        [
            "android.provisioning",
            "android.certificate_too_old",
            "android.boot_hash_missing",
            "android.module_hash_missing",
        ],
        [
            "android.device_unlocked",
            "android.boot_unverified",
            "android.root_of_trust_missing",
            "chain.signature_unknown",
        ],
    ]
    .concat();
    let lies = [
        [
            "chain.signature_invalid",
            "chain.root_untrusted",
            "evidence.challenge_mismatch",
            "chain.certificate_malformed",
        ],
        ["evidence.key_mismatch", "evidence.app_mismatch", "evidence.reused", "instance.decoyed"],
        ["android.origin_not_generated", "android.key_use", "android.signer_mismatch", "apple.object_malformed"],
        ["apple.nonce_mismatch", "apple.key_id_mismatch", "apple.environment_mismatch", "apple.assertion_missing"],
        ["android.extension_misplaced", "android.level_inconsistent", "chain.issuer_mismatch", "chain.not_authority"],
    ]
    .concat();
    let reason = |code: &str| serde_json::from_value::<Reason>(serde_json::json!(code)).unwrap();
    assert!(no_lies.into_iter().all(|code| !reason(code).is_lie()));
    assert!(lies.into_iter().all(|code| reason(code).is_lie()));
}

#[test]
fn every_subcommand_explains_itself_without_a_configuration() {
    let subcommands = ["serve", "migrate", "healthcheck", "config", "openapi", "pardon", "api-key"];
    testkit::scene::explains_itself(env!("CARGO_BIN_EXE_attestation"), "attestation", &subcommands);
}
