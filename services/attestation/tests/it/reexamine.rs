//! Evidence that was let in is judged anew: by today's anchors, list and policy, and by no clock.

use attestation::evidence::android::{self, Trust};
use attestation::evidence::chain::{Anchors, Certificate};
use attestation::evidence::policy::{AndroidPolicy, AppleEnvironment, Level, RequiredProvisioning};
use attestation::evidence::revocation::StatusList;
use attestation::evidence::{Failed, Reason};
use serde_json::json;

use crate::forge::{self, COMMON_NAME, NOW, SERIAL, Spec, YEAR};
use crate::{android_forged, android_genuine, apple_forged, corpus};

fn list(serial: &str) -> StatusList {
    StatusList::parse(format!(r#"{{"entries":{{"{serial}":{{"status":"REVOKED"}}}}}}"#).as_bytes()).unwrap()
}

fn android(forge: &android_forged::Forge, chain: &[Vec<u8>]) -> Failed {
    let anchors = forge::anchors(forge.specs.last().unwrap());
    android::reexamine(chain, &Trust { anchors: &anchors, revoked: &forge.revoked, policy: &forge.policy })
}

#[test]
fn a_chain_that_was_let_in_stands_whatever_the_time() {
    for mut forge in [android_forged::Forge::factory(), android_forged::Forge::remote()] {
        for spec in &mut forge.specs {
            (spec.not_before, spec.not_after) = (NOW - 100, NOW - 50);
        }
        // Nor does it matter what challenge, key and clock it was about.
        forge.description["attestationChallenge"] = json!("");
        forge.description["softwareEnforced"]["creationDateTime"] = json!("48");
        let mut chain = forge.chain();
        assert_eq!(android(&forge, &chain), Failed::default());
        chain.pop();
        assert_eq!(android(&forge, &chain), Failed::default(), "without its root");
    }
}

#[test]
fn a_chain_is_judged_anew_by_what_is_revoked_and_by_every_floor() {
    type Change = fn(&mut android_forged::Forge);
    let cases: [(&str, Change, Reason); 10] = [
        ("the attesting certificate", |f| f.revoked = list("5ee8e1017e57dfe8"), Reason::Revoked),
        ("the root", |f| f.revoked = list("f92009e853b6b045"), Reason::Revoked),
        ("level", |f| f.policy.minimum_level = Level::StrongBox, Reason::LevelTooLow),
        ("version", |f| f.policy.minimum_attestation_version = 400, Reason::VersionTooOld),
        ("provisioning", |f| f.policy.provisioning = RequiredProvisioning::Remote, Reason::ProvisioningRefused),
        ("age", |f| f.policy.maximum_certificate_lead_years = 1, Reason::CertificateTooOld),
        ("patch", |f| f.policy.minimum_patch = 202_607, Reason::PatchTooOld),
        ("build", |f| f.policy.minimum_build = 13.into(), Reason::BuildRefused),
        (
            "a root of the same name",
            |f| f.specs[3] = Spec::p384(&[(SERIAL, "f92009e853b6b045")]),
            Reason::RootUntrusted,
        ),
        ("another root", |f| f.specs[3] = Spec::p384(&[(COMMON_NAME, "another")]), Reason::RootUntrusted),
    ];
    for (name, change, reason) in cases {
        let mut forge = android_forged::Forge::factory();
        // Two years before KeyMint 3.
        forge.specs[1].not_before = 1_696_377_600 - 2 * YEAR;
        let chain = forge.chain();
        change(&mut forge);
        assert_eq!(android(&forge, &chain), reason.into(), "{name}");
    }
    assert_eq!(android(&android_forged::Forge::factory(), &[]).refusals, [Reason::ChainSize]);
}

#[test]
fn a_rule_in_shadow_is_noted_of_stored_evidence_too() {
    let mut forge = android_forged::Forge::factory();
    let chain = forge.chain();
    (forge.policy.minimum_patch, forge.policy.minimum_build) = (202_607, 13.into());
    forge.policy.shadow = vec![Reason::PatchTooOld];
    let failed = Failed { refusals: vec![Reason::BuildRefused], notes: vec![Reason::PatchTooOld] };
    assert_eq!(android(&forge, &chain), failed);
}

/// What decides how many certificates a device may have asked for stands in the stored chain as well.
#[test]
fn devices_behind_one_attestation_key_have_one_digest() {
    let mut forge = android_forged::Forge::factory();
    let chain = forge.chain();
    let found = forge.examine(&chain, &forge.specs[0].point());
    let key = Certificate::parse(&chain[1]).unwrap().spki().raw.to_vec();
    assert_eq!(found.attesting, Some(crypto::hash::sha256(&key)));
    assert_eq!(found.provisioning, Some(android::Provisioning::Factory));
    forge.specs[0].key = Spec::p256(&[]).key;
    let other = [vec![forge.specs[0].signed_by(&forge.specs[1])], chain[1..].to_vec()].concat();
    let second = forge.examine(&other, &forge.specs[0].point());
    assert!(second.attesting == found.attesting && second.evidence_hash != found.evidence_hash);
    // Certified again, under another serial number and in another encoding.
    forge.specs[1].serial = vec![7];
    let again = forge.chain();
    assert_ne!(again[1], chain[1]);
    assert_eq!(forge.examine(&again, &forge.specs[0].point()).attesting, found.attesting);
    let mut remote = android_forged::Forge::remote();
    let chain_of_one = remote.chain();
    let found_of_one = remote.examine(&chain_of_one, &remote.specs[0].point());
    assert_eq!(found_of_one.provisioning, Some(android::Provisioning::Remote));
    // A chain that is not good says nothing of who attests.
    forge.revoked = list("5ee8e1017e57dfe8");
    assert_eq!(forge.examine(&chain, &forge.specs[0].point()).attesting, None);
}

#[test]
fn an_app_attest_object_is_judged_anew_without_its_times_and_its_build() {
    let mut forge = apple_forged::Forge::new();
    forge.tail = apple_forged::ios_27("12", 4);
    (forge.leaf.not_before, forge.leaf.not_after) = (NOW - 100, NOW - 50);
    let object = forge.object();
    assert_eq!(forge.reexamine(&object), Failed::default());
    (forge.policy.minimum_build, forge.policy.validation_categories) = (13.into(), vec![2]);
    assert_eq!(forge.reexamine(&object), Failed::default(), "every assertion tells these anew");
    forge.policy.environment = AppleEnvironment::Development;
    assert_eq!(forge.reexamine(&object), Reason::EnvironmentMismatch.into());
    forge.root = Spec::p384(&[(COMMON_NAME, "Apple App Attestation Root CA")]);
    assert_eq!(forge.reexamine(&object), Reason::RootUntrusted.into());
    assert_eq!(forge.reexamine(&[]), Reason::ObjectMalformed.into());
}

/// Its attesting certificate lived for nine days in 2025, and its attesting serial number is looked up all the same.
#[test]
fn a_genuine_chain_stands_years_later_until_it_is_listed() {
    let Some(root) = corpus::root() else { return };
    let chain = corpus::pem(&root.join("keyattestation/testdata/caiman/sdk36/TEE_EC_RKP.pem"));
    let leaf = android_genuine::leaf(&chain);
    let policy = AndroidPolicy { minimum_patch: 202_501, ..android_genuine::policy_for(&leaf) };
    let anchors = Anchors::google().unwrap();
    let reexamine =
        |revoked: &StatusList| android::reexamine(&chain, &Trust { anchors: &anchors, revoked, policy: &policy });
    assert_eq!(reexamine(&StatusList::default()), Failed::default());
    let attesting = Certificate::parse(&chain[1]).unwrap();
    let serial = hex::encode(attesting.serial());
    assert_eq!(reexamine(&list(&serial)), Reason::Revoked.into());
}
