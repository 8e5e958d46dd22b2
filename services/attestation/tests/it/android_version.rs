//! What an attestation version brings with it: hashes, a way of provisioning and an age; on forged chains one by one, on genuine ones counted.

use attestation::evidence::Reason;
use attestation::evidence::policy::{AndroidPolicy, RequiredProvisioning};
use attestation::evidence::revocation::StatusList;
use serde_json::{Value, json};

use crate::android_forged::Forge;
use crate::android_genuine::{examine, leaf, made, policy_for};
use crate::corpus;
use crate::forge::{NOW, YEAR};

const HASH: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// The forge with another version, and with what all of that version have.
fn of_version(mut forge: Forge, version: u64) -> Forge {
    for field in ["attestationVersion", "keyMintVersion"] {
        forge.description[field] = json!(version.to_string());
    }
    if version >= 400 {
        forge.description["softwareEnforced"]["moduleHash"] = json!(HASH);
    }
    forge
}

fn without(forge: &mut Forge, list: &str, member: &str) {
    let list = forge.description.pointer_mut(list).unwrap().as_object_mut().unwrap();
    assert!(list.remove(member).is_some(), "{member}");
}

#[test]
fn a_boot_hash_is_asked_of_version_3_and_up() {
    for (version, refusals) in [(2, vec![]), (3, vec![Reason::BootHashMissing]), (300, vec![Reason::BootHashMissing])] {
        let mut forge = of_version(Forge::factory(), version);
        forge.policy.minimum_attestation_version = 1;
        assert_eq!(forge.refusals(), [], "{version} with it");
        without(&mut forge, "/hardwareEnforced/rootOfTrust", "verifiedBootHash");
        assert_eq!(forge.refusals(), refusals, "{version}");
    }
}

#[test]
fn a_module_hash_is_asked_of_version_400_and_up() {
    assert_eq!(of_version(Forge::remote(), 300).refusals(), []);
    for version in [400, 500] {
        let mut forge = of_version(Forge::remote(), version);
        assert_eq!(forge.refusals(), [], "{version} with it");
        without(&mut forge, "/softwareEnforced", "moduleHash");
        assert_eq!(forge.refusals(), [Reason::ModuleHashMissing], "{version}");
        forge.description["hardwareEnforced"]["moduleHash"] = json!(HASH);
        assert_eq!(forge.refusals(), [], "{version}, in the hardware's list");
    }
}

#[test]
fn remote_provisioning_is_asked_as_the_policy_says() {
    use RequiredProvisioning::{Any, Remote, RemoteFromVersion};
    let refused = vec![Reason::ProvisioningRefused];
    for (asked, version, factory) in [
        (Any, 400, vec![]),
        (Remote, 3, refused.clone()),
        (RemoteFromVersion(300), 200, vec![]),
        (RemoteFromVersion(300), 299, vec![]),
        (RemoteFromVersion(300), 300, refused.clone()),
        (RemoteFromVersion(300), 400, refused),
    ] {
        let mut forge = of_version(Forge::factory(), version);
        forge.policy.provisioning = asked;
        assert_eq!(forge.refusals(), factory, "{asked:?} {version}");
        let mut forge = of_version(Forge::remote(), version);
        forge.policy.provisioning = asked;
        assert_eq!(forge.refusals(), [], "{asked:?} {version}, remote");
    }
}

/// 2016-05-26, a batch that leaked: no phone of it has ever seen `KeyMint`.
#[test]
fn a_certificate_of_2016_attests_no_key_mint_of_2025() {
    let issued = 1_464_220_800;
    let refusals = |version: u64, issued: i64, years: Option<u32>| {
        let mut forge = of_version(Forge::factory(), version);
        forge.specs[1].not_before = issued;
        forge.policy.maximum_certificate_lead_years = years.unwrap_or(forge.policy.maximum_certificate_lead_years);
        forge.refusals()
    };
    let refused = [Reason::CertificateTooOld];
    assert_eq!(refusals(400, issued, None), refused);
    assert_eq!(refusals(500, issued, None), refused);
    assert_eq!(refusals(900, issued, None), refused, "a version that is not known yet is no older than the last");
    assert_eq!(refusals(300, issued, None), [], "seven years and some months before KeyMint 3");
    assert_eq!(refusals(300, issued, Some(7)), refused, "an operator may ask for more");
    assert_eq!(refusals(400, issued, Some(0)), [], "or for nothing");
    // To the second: Android 16 came on 2025-06-10, and years are Gregorian means.
    let limit = 1_749_513_600 - 8 * 31_556_952;
    assert_eq!(refusals(400, limit, None), []);
    assert_eq!(refusals(400, limit - 1, None), refused);
    assert_eq!(refusals(400, NOW - YEAR, Some(1)), []);
}

/// None of it says that anybody lied, and an operator can wait and see.
#[test]
fn rules_about_the_version_are_no_lies_and_may_be_shadowed() {
    use Reason::{BootHashMissing, CertificateTooOld, ModuleHashMissing, ProvisioningRefused};
    for reason in [BootHashMissing, CertificateTooOld, ModuleHashMissing, ProvisioningRefused] {
        assert!(!reason.is_lie() && reason.may_be_shadowed(), "{}", reason.code());
    }
    let mut forge = of_version(Forge::factory(), 400);
    without(&mut forge, "/softwareEnforced", "moduleHash");
    forge.policy.shadow = vec![ModuleHashMissing];
    let chain = forge.chain();
    let found = forge.examine(&chain, &forge.specs[0].point());
    assert_eq!((found.refusals, found.notes), (vec![], vec![ModuleHashMissing]));
}

/// An operator who says nothing gets a note of every new phone with a factory key, and no refusal.
#[test]
fn by_default_a_factory_key_of_a_new_version_is_noted() {
    let parsed = |more: Value| {
        let mut policy = json!({"package": "dev.redoubt.app", "signer_digests": ["07".repeat(32)]});
        policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<AndroidPolicy>(policy)
    };
    let mut forge = Forge::factory();
    forge.policy = parsed(json!({})).unwrap();
    let chain = forge.chain();
    let found = forge.examine(&chain, &forge.specs[0].point());
    assert_eq!((found.refusals, found.notes), (vec![], vec![Reason::ProvisioningRefused]));
    let provisioning = |value: Value| parsed(json!({"provisioning": value})).map(|policy| policy.provisioning);
    assert_eq!(provisioning(json!("any")).unwrap(), RequiredProvisioning::Any);
    assert_eq!(provisioning(json!("remote")).unwrap(), RequiredProvisioning::Remote);
    let from = RequiredProvisioning::RemoteFromVersion(400);
    assert_eq!(provisioning(json!({"remote_from_version": 400})).unwrap(), from);
    for wrong in [json!("factory"), json!({"remote_from_version": "x"}), json!({"remote_from_version": 3, "any": 1})] {
        assert!(provisioning(wrong.clone()).is_err(), "{wrong}");
    }
}

/// `attestation config` prints what a file may say.
#[test]
fn the_ways_of_provisioning_are_printed_in_the_form_of_the_file() {
    let printed = |provisioning| {
        let mut forge = Forge::factory();
        forge.policy.provisioning = provisioning;
        runtime::config::print(&forge.policy).unwrap()
    };
    assert!(printed(RequiredProvisioning::Any).contains("provisioning = \"any\""));
    assert!(printed(RequiredProvisioning::Remote).contains("provisioning = \"remote\""));
    assert!(printed(RequiredProvisioning::default()).contains("[provisioning]\nremote_from_version = 300"));
}

/// The counts that the defaults rest on.
#[test]
fn genuine_chains_have_what_their_version_brings() {
    let chains = corpus::android_chains();
    let (mut judged, mut boot, mut module, mut new, mut factory) = (0, 0, 0, 0, 0);
    let mut older_than = [0; 4];
    for (name, chain) in &chains {
        let key = leaf(chain);
        let found = |change: &dyn Fn(&mut AndroidPolicy)| {
            let mut policy = policy_for(&key);
            policy.accept_leaf_issuer_mismatch = true;
            change(&mut policy);
            // Some clocks count from the phone's start.
            let now = made(&key).max(corpus::seconds("2019-01-01T00:00:00Z")) + 60;
            examine(chain, &key.challenge, &policy, &StatusList::default(), now).refusals
        };
        let usual = found(&|_| {});
        if usual.iter().any(|reason| reason.code().starts_with("chain.")) {
            continue;
        }
        judged += 1;
        boot += usize::from(key.attestation_version >= 3);
        module += usize::from(key.attestation_version >= 400);
        new += usize::from(key.attestation_version >= 300);
        for reason in [Reason::BootHashMissing, Reason::ModuleHashMissing, Reason::CertificateTooOld] {
            assert!(!usual.contains(&reason), "{name}: {}", reason.code());
        }
        let provisioning = found(&|policy| policy.provisioning = RequiredProvisioning::default());
        factory += usize::from(provisioning.contains(&Reason::ProvisioningRefused));
        for (years, count) in (1..).zip(&mut older_than) {
            let refusals = found(&|policy| policy.maximum_certificate_lead_years = years);
            *count += usize::from(refusals.contains(&Reason::CertificateTooOld));
        }
    }
    println!(
        "{judged} of {} genuine chains judged: {boot} with a boot hash, {module} with a module hash, {factory} of {new} of version 300 \
         and up from the factory, {older_than:?} issued 1, 2, 3, 4 years before their version",
        chains.len()
    );
    if !chains.is_empty() {
        assert_eq!((chains.len(), judged, boot, module, new, factory), (33, 30, 24, 3, 9, 1));
        assert_eq!(older_than, [4, 1, 0, 0]);
    }
}
