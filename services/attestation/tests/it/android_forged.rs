//! Android evidence that is wrong in exactly one thing, and is refused for exactly that.

use attestation::evidence::android::{self, Expected, Trust};
use attestation::evidence::policy::{AndroidPolicy, Level};
use attestation::evidence::revocation::StatusList;
use attestation::evidence::{Examination, Reason};
use rcgen::CustomExtension;
use serde_json::{Value, json};

use crate::description;
use crate::forge::{self, COMMON_NAME, NOW, ORGANIZATION, SERIAL, Spec, TITLE, YEAR};

pub(crate) const KEY_DESCRIPTION: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17];
pub(crate) const CHALLENGE: &[u8] = b"the binding of this request";
const SIGNER: [u8; 32] = [7; 32];

/// Evidence in parts, to be changed and put together.
pub(crate) struct Forge {
    pub(crate) description: Value,
    /// Leaf first, root last.
    pub(crate) specs: Vec<Spec>,
    pub(crate) policy: AndroidPolicy,
    pub(crate) revoked: StatusList,
}

fn policy() -> AndroidPolicy {
    serde_json::from_value(json!({
        "package": "dev.redoubt.app", "signer_digests": ["07".repeat(32)], "minimum_build": 10, "minimum_patch": 202_501,
        "provisioning": "any", "shadow": [],
    }))
    .unwrap()
}

pub(crate) fn locked_tee() -> Value {
    use base64::Engine as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    json!({
        "attestationVersion": "300", "attestationSecurityLevel": "TRUSTED_ENVIRONMENT",
        "keyMintVersion": "300", "keyMintSecurityLevel": "TRUSTED_ENVIRONMENT",
        "attestationChallenge": base64(CHALLENGE), "uniqueId": "",
        "softwareEnforced": {
            "creationDateTime": ((NOW - 5) * 1000).to_string(),
            "attestationApplicationId": {"packages": [{"name": "dev.redoubt.app", "version": "12"}], "signatures": [base64(&SIGNER)]},
        },
        "hardwareEnforced": {
            "purposes": ["2"], "algorithms": "3", "keySize": "256", "digests": ["4"], "ecCurve": "1", "noAuthRequired": true,
            "origin": "GENERATED",
            "rootOfTrust": {
                "verifiedBootKey": base64(&[1; 32]), "deviceLocked": true, "verifiedBootState": "VERIFIED", "verifiedBootHash": base64(&[2; 32]),
            },
            "osVersion": "160000", "osPatchLevel": "202606", "vendorPatchLevel": "20260605", "bootPatchLevel": "20260605",
        },
    })
}

impl Forge {
    /// A factory-provisioned phone.
    pub(crate) fn factory() -> Self {
        let specs = vec![
            Spec::leaf("Android Keystore Key", CustomExtension::from_oid_content(KEY_DESCRIPTION, Vec::new())),
            Spec::p256(&[(TITLE, "TEE"), (SERIAL, "5ee8e1017e57dfe8")]),
            Spec::p384(&[(TITLE, "TEE"), (SERIAL, "b701bdebaa0e163c")]),
            Spec::p384(&[(SERIAL, "f92009e853b6b045")]),
        ];
        Self { description: locked_tee(), specs, policy: policy(), revoked: StatusList::default() }
    }

    /// A remotely provisioned one.
    pub(crate) fn remote() -> Self {
        let mut forge = Self::factory();
        forge.specs.splice(
            1..3,
            [
                Spec::p256(&[(COMMON_NAME, "f165849ef08b4658"), (ORGANIZATION, "TEE")]),
                Spec::p256(&[(ORGANIZATION, "Google LLC"), (COMMON_NAME, "Droid CA3")]),
                Spec::p384(&[(ORGANIZATION, "Google LLC"), (COMMON_NAME, "Droid CA2")]),
            ],
        );
        forge
    }

    /// The extension with the description as it is now.
    fn extension(&self) -> CustomExtension {
        CustomExtension::from_oid_content(KEY_DESCRIPTION, description::encode(&self.description))
    }

    pub(crate) fn chain(&mut self) -> Vec<Vec<u8>> {
        self.specs[0].extensions = vec![self.extension()];
        forge::chain(&self.specs)
    }

    pub(crate) fn examine(&self, chain: &[Vec<u8>], device_key: &[u8; 65]) -> Examination {
        let anchors = forge::anchors(self.specs.last().unwrap());
        let expected = Expected { challenge: CHALLENGE, device_key, build: Some(&12.into()) };
        android::examine(
            chain,
            &expected,
            &Trust { anchors: &anchors, revoked: &self.revoked, policy: &self.policy },
            NOW,
        )
    }

    pub(crate) fn refusals(&mut self) -> Vec<Reason> {
        let chain = self.chain();
        self.examine(&chain, &self.specs[0].point()).refusals
    }
}

#[test]
fn both_shapes_are_genuine_with_and_without_their_root() {
    for mut forge in [Forge::factory(), Forge::remote()] {
        let mut chain = forge.chain();
        let device_key = forge.specs[0].point();
        assert_eq!(forge.examine(&chain, &device_key).refusals, []);
        chain.pop();
        assert_eq!(forge.examine(&chain, &device_key).refusals, []);
        assert_eq!(forge.examine(&chain, &device_key).level, Level::Tee);
    }
}

/// Each change to the description, and the one reason it is refused for.
#[test]
fn a_description_that_is_wrong_in_one_thing_is_refused_for_it() {
    let hardware = |pointer: &'static str, value: Value| (format!("/hardwareEnforced{pointer}"), value);
    let software = |pointer: &'static str, value: Value| (format!("/softwareEnforced{pointer}"), value);
    let top = |pointer: &'static str, value: Value| (pointer.to_owned(), value);
    let made = |seconds: i64| json!((seconds * 1000).to_string());
    let cases: Vec<((String, Value), Reason)> = vec![
        (top("/attestationChallenge", json!("dGhlIGJpbmRpbmc=")), Reason::ChallengeMismatch),
        (top("/attestationChallenge", json!("")), Reason::ChallengeMismatch),
        (top("/attestationVersion", json!("2")), Reason::VersionTooOld),
        (top("/keyMintSecurityLevel", json!("SOFTWARE")), Reason::LevelInconsistent),
        (hardware("/rootOfTrust/deviceLocked", json!(false)), Reason::DeviceUnlocked),
        (hardware("/rootOfTrust/verifiedBootState", json!("SELF_SIGNED")), Reason::BootUnverified),
        (hardware("/rootOfTrust/verifiedBootState", json!("UNVERIFIED")), Reason::BootUnverified),
        (hardware("/rootOfTrust/verifiedBootState", json!("FAILED")), Reason::BootUnverified),
        (hardware("/origin", json!("2")), Reason::OriginNotGenerated),
        (hardware("/origin", json!("1")), Reason::OriginNotGenerated),
        (hardware("/purposes", json!(["1", "2"])), Reason::KeyUse),
        (hardware("/purposes", json!(["2", "7"])), Reason::KeyUse),
        (hardware("/purposes", json!(["3"])), Reason::KeyUse),
        (hardware("/digests", json!(["0", "4"])), Reason::KeyUse),
        (hardware("/digests", json!(["2"])), Reason::KeyUse),
        (hardware("/algorithms", json!("1")), Reason::KeyUse),
        (hardware("/ecCurve", json!("2")), Reason::KeyUse),
        (hardware("/allApplications", json!(true)), Reason::AllApplications),
        (software("/allApplications", json!(true)), Reason::AllApplications),
        (hardware("/osPatchLevel", json!("201901")), Reason::PatchTooOld),
        (hardware("/osPatchLevel", json!("209901")), Reason::PatchInFuture),
        (hardware("/bootPatchLevel", json!("20990105")), Reason::PatchInFuture),
        (software("/creationDateTime", made(NOW - YEAR)), Reason::CreationTime),
        (software("/creationDateTime", made(NOW + 3600)), Reason::CreationTime),
        (software("/attestationApplicationId/packages/0/name", json!("dev.redoubt.app.clone")), Reason::AppMismatch),
        (software("/attestationApplicationId/packages/0/version", json!("13")), Reason::BuildMismatch),
        (software("/attestationApplicationId/signatures", json!([])), Reason::SignerMismatch),
        (software("/attestationApplicationId/signatures/0", json!("AAAA")), Reason::SignerMismatch),
    ];
    for ((pointer, value), reason) in cases {
        let mut forge = Forge::factory();
        let name = format!("{pointer} = {value}");
        set(&mut forge.description, &pointer, value);
        assert_eq!(forge.refusals(), [reason], "{name}");
    }
}

/// Like assignment by JSON pointer, and adds a last member that is not there yet.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(array) => array[member.parse::<usize>().unwrap()] = value,
        object => object[member] = value,
    }
}

#[test]
fn another_package_or_signer_beside_ours_is_refused() {
    let mut forge = Forge::factory();
    let packages = forge.description.pointer_mut("/softwareEnforced/attestationApplicationId/packages").unwrap();
    packages.as_array_mut().unwrap().push(json!({"name": "shares.our.user.id", "version": "12"}));
    assert_eq!(forge.refusals(), [Reason::AppMismatch]);
    let mut forge = Forge::factory();
    let signatures = forge.description.pointer_mut("/softwareEnforced/attestationApplicationId/signatures").unwrap();
    signatures.as_array_mut().unwrap().push(json!("CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg="));
    assert_eq!(forge.refusals(), [Reason::SignerMismatch]);
}

/// `versionCodeMajor` 3 and `versionCode` 12, and the floor in the middle of it.
#[test]
fn a_build_above_32_bits_is_compared_whole() {
    let long = (3_u64 << 32) + 12;
    let examined = |named: u64, floor: u64| {
        let mut forge = Forge::factory();
        let version = json!(long.to_string());
        set(&mut forge.description, "/softwareEnforced/attestationApplicationId/packages/0/version", version);
        forge.policy.minimum_build = floor.into();
        let (chain, anchors) = (forge.chain(), forge::anchors(forge.specs.last().unwrap()));
        let (device_key, build) = (forge.specs[0].point(), named.into());
        let expected = Expected { challenge: CHALLENGE, device_key: &device_key, build: Some(&build) };
        let trust = Trust { anchors: &anchors, revoked: &forge.revoked, policy: &forge.policy };
        android::examine(&chain, &expected, &trust, NOW).refusals
    };
    assert_eq!(examined(long, long), []);
    assert_eq!(examined(long, long + 1), [Reason::BuildRefused]);
    assert_eq!(examined(12, 0), [Reason::BuildMismatch], "the lower half alone");
}

#[test]
fn what_only_the_system_says_of_the_boot_does_not_count() {
    let mut forge = Forge::factory();
    let root = forge.description["hardwareEnforced"].as_object_mut().unwrap().remove("rootOfTrust").unwrap();
    forge.description["softwareEnforced"]["rootOfTrust"] = root;
    assert_eq!(forge.refusals(), [Reason::RootOfTrustMissing]);
}

#[test]
fn a_software_key_is_refused_by_the_level_policy() {
    let mut forge = Forge::factory();
    for level in ["attestationSecurityLevel", "keyMintSecurityLevel"] {
        forge.description[level] = json!("SOFTWARE");
    }
    assert_eq!(forge.refusals(), [Reason::LevelTooLow]);
}

#[test]
fn strongbox_is_believed_only_under_a_strongbox_certificate() {
    let strongbox = |forge: &mut Forge| {
        for level in ["attestationSecurityLevel", "keyMintSecurityLevel"] {
            forge.description[level] = json!("STRONG_BOX");
        }
    };
    let mut forge = Forge::factory();
    strongbox(&mut forge);
    assert_eq!(forge.refusals(), [Reason::LevelInconsistent]);
    let mut forge = Forge::factory();
    forge.specs[1].name[0].1 = "StrongBox".to_owned();
    assert_eq!(forge.refusals(), [Reason::LevelInconsistent], "and the other way round");
    strongbox(&mut forge);
    forge.policy.minimum_level = Level::StrongBox;
    assert_eq!(forge.refusals(), []);
}

#[test]
fn a_rule_in_shadow_mode_is_noted_and_does_not_refuse_as_the_others_do() {
    let mut forge = Forge::factory();
    forge.description["hardwareEnforced"]["osPatchLevel"] = json!("201901");
    forge.policy.shadow = vec![Reason::PatchTooOld];
    forge.policy.minimum_build = 13.into();
    let chain = forge.chain();
    let found = forge.examine(&chain, &forge.specs[0].point());
    assert_eq!((found.refusals, found.notes), (vec![Reason::BuildRefused], vec![Reason::PatchTooOld]));
}

#[test]
fn another_key_than_the_device_key_is_refused() {
    let mut forge = Forge::factory();
    let chain = forge.chain();
    assert_eq!(forge.examine(&chain, &Spec::p256(&[]).point()).refusals, [Reason::KeyMismatch]);
    forge.specs[0].key = Spec::p384(&[]).key;
    let chain = forge.chain();
    assert_eq!(forge.examine(&chain, &[4; 65]).refusals, [Reason::KeyType]);
}

#[test]
fn a_chain_extended_by_an_apps_own_key_is_refused() {
    for shape in [Forge::factory, Forge::remote] {
        // The app's hardware key signs a leaf of the attacker's writing.
        let mut forge = shape();
        let honest = forge.extension();
        forge.specs[0].extensions = vec![honest.clone()];
        forge.specs.insert(0, Spec::leaf("Android Keystore Key", honest));
        assert_eq!(forge.refusals(), [Reason::ExtensionMisplaced]);
        // Even a key whose certificate did not carry the extension could not.
        forge.specs[1].extensions.clear();
        assert_eq!(forge.refusals(), [Reason::ShapeUnknown]);
        // Nor if the attacker chose its name.
        forge.specs[1].name =
            vec![(TITLE, "TEE".to_owned()), (SERIAL, "00".to_owned()), (ORGANIZATION, "TEE".to_owned())];
        forge.specs[2].authority = false;
        assert_eq!(forge.refusals(), [Reason::NotAuthority]);
    }
}

#[test]
fn the_extension_stands_once_and_on_the_leaf_only() {
    let mut forge = Forge::factory();
    let extension = forge.extension();
    forge.specs[2].extensions.push(extension.clone());
    assert_eq!(forge.refusals(), [Reason::ExtensionMisplaced], "on an intermediate");
    let mut forge = Forge::factory();
    forge.specs[0].extensions = vec![];
    let chain = forge::chain(&forge.specs);
    assert_eq!(forge.examine(&chain, &forge.specs[0].point()).refusals, [Reason::ExtensionMisplaced], "missing");
    forge.specs[0].extensions = vec![extension.clone(), extension];
    let chain = forge::chain(&forge.specs);
    assert!(!forge.examine(&chain, &forge.specs[0].point()).is_genuine(), "twice");
}

#[test]
fn order_and_number_of_certificates_are_those_of_a_device() {
    let mut forge = Forge::remote();
    let device_key = forge.specs[0].point();
    let chain = forge.chain();
    let refused = |chain: &[Vec<u8>]| forge.examine(chain, &device_key).refusals;
    for (name, order, reason) in [
        ("leaf twice", vec![0, 0, 1, 2, 3, 4], Reason::IssuerMismatch),
        ("intermediates swapped", vec![0, 1, 3, 2, 4], Reason::RootUntrusted),
        ("leaf last", vec![1, 2, 3, 4, 0], Reason::RootUntrusted),
        ("attesting certificate missing", vec![0, 2, 3, 4], Reason::IssuerMismatch),
        ("begins above the leaf", vec![1, 2, 3, 4], Reason::ShapeUnknown),
        ("two", vec![3, 4], Reason::ChainSize),
        ("none", vec![], Reason::ChainSize),
        ("seven", vec![0, 1, 2, 3, 4, 4, 4], Reason::ChainSize),
    ] {
        let reordered: Vec<_> = order.into_iter().map(|i: usize| chain[i].clone()).collect();
        assert_eq!(refused(&reordered), [reason], "{name}");
    }
    let mut forge = Forge::remote();
    forge.specs.insert(3, Spec::p384(&[(ORGANIZATION, "Google LLC"), (COMMON_NAME, "a")]));
    forge.specs.insert(3, Spec::p384(&[(ORGANIZATION, "Google LLC"), (COMMON_NAME, "b")]));
    let mut chain = forge.chain();
    chain.pop();
    assert_eq!(forge.examine(&chain, &forge.specs[0].point()).refusals, [Reason::ShapeUnknown], "extra intermediates");
}

#[test]
fn names_and_signatures_both_have_to_fit() {
    let forge = Forge::factory();
    let stranger = Spec::p256(&[(TITLE, "TEE"), (SERIAL, "5ee8e1017e57dfe8")]);
    let mut leaf = Spec::leaf("Android Keystore Key", forge.extension());
    let mut chain = forge::chain(&forge.specs);
    chain[0] = leaf.signed_by(&stranger);
    assert_eq!(forge.examine(&chain, &leaf.point()).refusals, [Reason::SignatureInvalid], "right name, wrong key");
    // An algorithm that is not known here is not understood.
    let modern = Spec::new(&[(TITLE, "TEE"), (SERIAL, "5ee8e1017e57dfe8")], &rcgen::PKCS_ED25519);
    leaf = Spec::leaf("Android Keystore Key", forge.extension());
    chain[0] = leaf.signed_by(&modern);
    chain[1] = modern.signed_by(&forge.specs[2]);
    assert_eq!(forge.examine(&chain, &leaf.point()).refusals, [Reason::SignatureUnknown]);
    chain = forge::chain(&forge.specs);
    leaf = Spec::leaf("Android Keystore Key", forge.extension());
    let renamed = Spec {
        name: vec![(SERIAL, "5ee8e1017e57dfe8".to_owned())],
        key: forge.specs[1].key.serialize_der().as_slice().try_into().unwrap(),
        ..stranger
    };
    chain[0] = leaf.signed_by(&renamed);
    assert_eq!(forge.examine(&chain, &leaf.point()).refusals, [Reason::IssuerMismatch], "right key, wrong name");
}

#[test]
fn a_root_of_the_same_name_is_another_root() {
    let mut forge = Forge::factory();
    let mut chain = forge.chain();
    let device_key = forge.specs[0].point();
    forge.specs[3] = Spec::p384(&[(SERIAL, "f92009e853b6b045")]);
    assert_eq!(forge.examine(&chain, &device_key).refusals, [Reason::RootUntrusted], "with its root");
    chain.pop();
    assert_eq!(forge.examine(&chain, &device_key).refusals, [Reason::RootUntrusted], "without");
}

#[test]
fn expiry_is_tolerated_in_factory_chains_only() {
    for position in [1, 2] {
        let mut forge = Forge::factory();
        forge.specs[position].not_after = NOW - 1;
        assert_eq!(forge.refusals(), [], "factory {position}");
        forge.specs[position].not_before = NOW + 1;
        assert_eq!(forge.refusals(), [Reason::NotYetValid], "factory {position}");
    }
    for position in [1, 2, 3] {
        let mut forge = Forge::remote();
        forge.specs[position].not_after = NOW - 1;
        assert_eq!(forge.refusals(), [Reason::Expired], "remote {position}");
    }
    let mut forge = Forge::factory();
    forge.specs[3].not_after = NOW - 1;
    assert_eq!(forge.refusals(), [], "an anchor is a key and does not expire");
}

#[test]
fn a_listed_serial_refuses_the_chain_in_every_spelling() {
    for (position, serial, spelling) in [
        (1, vec![0x0a, 0xbc], "abc"),
        (1, vec![0x0a, 0xbc], "0abc"),
        (1, vec![0x0a, 0xbc], "2748"),
        (2, vec![1], "b701bdebaa0e163c"),
        (2, vec![0x7f], "7F"),
        (3, vec![1], "f92009e853b6b045"),
    ] {
        for status in ["REVOKED", "SUSPENDED"] {
            let mut forge = Forge::factory();
            forge.specs[position].serial = serial.clone();
            let list = format!(r#"{{"entries":{{"{spelling}":{{"status":"{status}","reason":"KEY_COMPROMISE"}}}}}}"#);
            forge.revoked = StatusList::parse(list.as_bytes()).unwrap();
            assert_eq!(forge.refusals(), [Reason::Revoked], "{spelling} {status}");
        }
    }
}
