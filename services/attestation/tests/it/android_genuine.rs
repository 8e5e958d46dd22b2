//! Genuine Android chains come out as their sources say (`shared/vectors/README.md`).

use std::fs;
use std::path::Path;

use attestation::evidence::android::{self, Expected, KeyDescription, Trust};
use attestation::evidence::chain::{Anchors, Certificate, Key};
use attestation::evidence::policy::{AndroidPolicy, DailyEnrolments, Level, RequiredProvisioning};
use attestation::evidence::revocation::StatusList;
use attestation::evidence::{Examination, Reason};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{corpus, description};

/// A policy that asks for what this very key says of its app, so that only the device decides.
pub(crate) fn policy_for(key: &KeyDescription) -> AndroidPolicy {
    let id = key.software.attestation_application_id.as_ref();
    AndroidPolicy {
        client_id: "redoubt-mobile".into(),
        package: id
            .and_then(|id| id.packages.first())
            .map_or_else(String::new, |p| String::from_utf8_lossy(&p.name).into_owned())
            .into(),
        signer_digests: id
            .map(|id| id.signatures.iter().map(|s| s.as_slice().try_into().unwrap()).collect())
            .unwrap_or_default(),
        minimum_build: 0.into(),
        minimum_level: Level::Tee,
        minimum_attestation_version: 1,
        provisioning: RequiredProvisioning::Any,
        maximum_certificate_lead_years: 8,
        minimum_patch: 0,
        patch_lead_months: 3,
        creation_age: 300,
        creation_skew: 120,
        maximum_issued: 0,
        daily_enrolments: DailyEnrolments::default(),
        accept_leaf_issuer_mismatch: false,
        shadow: Vec::new(),
    }
}

pub(crate) fn leaf(chain: &[Vec<u8>]) -> KeyDescription {
    KeyDescription::of(&Certificate::parse(&chain[0]).unwrap()).unwrap()
}

/// The key that the leaf certifies; zeros where it is no P-256 key.
fn device_key(chain: &[Vec<u8>]) -> [u8; 65] {
    match Certificate::parse(&chain[0]).unwrap().key() {
        Key::P256(point) => point,
        _ => [0; 65],
    }
}

/// When the key says it was made.
pub(crate) fn made(key: &KeyDescription) -> i64 {
    let millis = key.software.creation_date_time.or(key.hardware.creation_date_time).unwrap_or_default();
    i64::try_from(millis / 1000).unwrap()
}

pub(crate) fn examine(
    chain: &[Vec<u8>],
    challenge: &[u8],
    policy: &AndroidPolicy,
    revoked: &StatusList,
    now: i64,
) -> Examination {
    let anchors = Anchors::google().unwrap();
    let expected = Expected { challenge, device_key: &device_key(chain), build: None };
    android::examine(chain, &expected, &Trust { anchors: &anchors, revoked, policy }, now)
}

fn genuine(chain: &[Vec<u8>], challenge: &[u8]) -> Examination {
    let key = leaf(chain);
    examine(chain, challenge, &policy_for(&key), &StatusList::default(), made(&key) + 60)
}

fn testdata(name: &str) -> Option<std::path::PathBuf> {
    corpus::root().map(|root| root.join("keyattestation/testdata").join(name))
}

#[test]
fn every_parse_equals_its_json() {
    let Some(root) = corpus::root() else { return };
    let mut compared = 0;
    for device in ["akita/sdk34", "caiman/sdk36", "marlin/sdk29", "tokay/sdk37"] {
        for entry in fs::read_dir(root.join("keyattestation/testdata").join(device)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let chain = corpus::pem(&path.with_extension("pem"));
            assert_eq!(description::to_json(&leaf(&chain)), corpus::json(&path), "{}", path.display());
            compared += 1;
        }
    }
    println!("{compared} genuine key descriptions equal their JSON");
    assert_eq!(compared, 11);
}

#[test]
fn the_complete_authorization_list_is_read_back() {
    let Some(path) = testdata("complete_authlist.json") else { return };
    let expected = corpus::json(&path);
    assert_eq!(description::to_json(&KeyDescription::parse(&description::encode(&expected)).unwrap()), expected);
}

#[test]
fn a_remotely_provisioned_locked_pixel_is_genuine_in_its_time_and_only_then() {
    for (file, level) in [("SB_EC_RKP.pem", Level::StrongBox), ("TEE_EC_RKP.pem", Level::Tee)] {
        let Some(path) = testdata("caiman/sdk36").map(|folder| folder.join(file)) else { return };
        let chain = corpus::pem(&path);
        let key = leaf(&chain);
        let found = genuine(&chain, &key.challenge);
        assert_eq!((found.refusals, found.level), (vec![], level), "{file}");
        assert_eq!(found.notes, [Reason::BootKeyZero]);
        // The attesting certificate lives from 2025-09-24 to 2025-10-03.
        let policy = policy_for(&key);
        let at = |now| examine(&chain, &key.challenge, &policy, &StatusList::default(), corpus::seconds(now)).refusals;
        assert_eq!(at("2025-10-04T00:00:00Z"), [Reason::Expired]);
        assert_eq!(at("2025-09-24T00:00:00Z"), [Reason::NotYetValid]);
    }
}

#[test]
fn unlocked_hardware_has_a_good_chain_and_is_refused_by_policy() {
    for file in ["SB_RSA_NONE", "TEE_EC_NONE", "TEE_RSA_BASE+IMEI", "TEE_RSA_NONE", "TEE_RSA_NONE_USERAUTH"] {
        let Some(path) = testdata("akita/sdk34").map(|folder| folder.join(format!("{file}.pem"))) else { return };
        refused_as_unlocked(&corpus::pem(&path), file, !file.contains("EC"));
    }
    for file in ["TEE_MLDSA_FACTORY", "TEE_MLDSA_RKP"] {
        let Some(path) = testdata("tokay/sdk37").map(|folder| folder.join(format!("{file}.pem"))) else { return };
        let chain = corpus::pem(&path);
        assert_eq!(Certificate::parse(&chain[0]).unwrap().key(), Key::MlDsa, "{file}");
        refused_as_unlocked(&chain, file, true);
    }
}

fn refused_as_unlocked(chain: &[Vec<u8>], name: &str, other_key_type: bool) {
    let refusals = genuine(chain, &leaf(chain).challenge).refusals;
    assert!(
        refusals.contains(&Reason::DeviceUnlocked) && refusals.contains(&Reason::BootUnverified),
        "{name}: {refusals:?}"
    );
    assert_eq!(refusals.contains(&Reason::KeyType), other_key_type, "{name}: {refusals:?}");
    assert!(
        refusals.iter().all(|reason| !reason.code().starts_with("chain.")),
        "{name}: the chain itself is genuine: {refusals:?}"
    );
}

#[test]
fn a_software_root_is_refused() {
    for file in ["TEE_EC_NONE.pem", "TEE_RSA_NONE.pem"] {
        let Some(path) = testdata("marlin/sdk29").map(|folder| folder.join(file)) else { return };
        let chain = corpus::pem(&path);
        let found = genuine(&chain, &leaf(&chain).challenge);
        assert_eq!((found.refusals, found.level), (vec![Reason::RootUntrusted], Level::Software), "{file}");
    }
}

/// As the reference reads them: `01` is true, and the order of tags is no question.
#[test]
fn odd_descriptions_are_read_and_noted() {
    let Some(folder) = testdata("invalid") else { return };
    let odd = |file: &str| {
        let chain = corpus::pem(&folder.join(file));
        let key = KeyDescription::of(&Certificate::parse(&chain[0]).unwrap()).unwrap();
        let now = corpus::seconds("2023-01-01T00:00:00Z");
        let found = examine(&chain, &key.challenge, &policy_for(&key), &StatusList::default(), now);
        let codes = |reasons: &[Reason]| reasons.iter().map(|reason| reason.code()).collect::<Vec<_>>();
        (key.hardware.root_of_trust.unwrap().device_locked, codes(&found.refusals), codes(&found.notes))
    };
    let (locked, refusals, notes) = odd("malformed_rot_device_locked.pem");
    assert!(locked && notes.contains(&"android.boolean_not_der"), "{notes:?}");
    assert!(refusals.iter().all(|code| !code.starts_with("chain.") && !code.ends_with("malformed")), "{refusals:?}");
    // Its leaf was changed after it had been signed: for that it is refused, and not for the order.
    let (_, refusals, _) = odd("tags_not_in_ascending_order.pem");
    assert_eq!(refusals, ["chain.signature_invalid"]);
}

#[test]
fn p256_with_sha384_is_verified() {
    let Some(path) = testdata("p256_sha384_intermediate.pem") else { return };
    let chain = corpus::pem(&path);
    let certificates: Vec<_> = chain.iter().map(|der| Certificate::parse(der).unwrap()).collect();
    assert_eq!(certificates[0].issued_by(&certificates[1]), Ok(()));
    assert_eq!(certificates[1].issued_by(&certificates[2]), Ok(()));
    assert_eq!(certificates[0].issued_by(&certificates[2]), Err(Reason::IssuerMismatch));
}

#[test]
fn googles_older_samples_are_refused_and_their_serials_found() {
    let Some(root) = corpus::root() else { return };
    let folder = root.join("android-key-attestation/src/test/resources");
    for (name, first) in [
        ("algorithm_EC_SecurityLevel_StrongBox", Reason::RootUntrusted),
        ("algorithm_RSA_SecurityLevel_StrongBox", Reason::RootUntrusted),
        ("algorithm_EC_SecurityLevel_TEE", Reason::DeviceUnlocked),
        ("algorithm_RSA_SecurityLevel_TEE", Reason::DeviceUnlocked),
    ] {
        let chain: Vec<_> = (0..4).flat_map(|i| corpus::pem(&folder.join(format!("pem/{name}/cert{i}.pem")))).collect();
        assert_eq!(leaf(&chain).challenge, b"abc", "{name}");
        let refusals = genuine(&chain, b"abc").refusals;
        assert!(refusals.contains(&first), "{name}: {refusals:?}");
        serials_are_found(&chain);
    }
    let list = StatusList::parse(&fs::read(folder.join("status.json")).unwrap()).unwrap();
    assert_eq!(list.len(), 5);
    let decimal = 6_681_152_659_205_225_093_u64;
    assert!(list.lists(&decimal.to_be_bytes(), None), "listed in decimal");
    assert!(list.lists(&0xcc66_e9a9_3713_b6e6_43b2_6c15_8797_86f7_u128.to_be_bytes(), None), "SUSPENDED refuses");
    assert!(!list.lists(&[1], None));
}

/// Each certificate above the leaf refuses its chain when its serial is listed minimal, padded to whole bytes, or in upper case.
fn serials_are_found(chain: &[Vec<u8>]) {
    for der in &chain[1..3] {
        let certificate = Certificate::parse(der).unwrap();
        let padded = hex::encode(certificate.serial());
        let minimal = padded.trim_start_matches('0').to_owned();
        for spelling in [padded.clone(), minimal, padded.to_uppercase()] {
            let list =
                StatusList::parse(format!(r#"{{"entries":{{"{spelling}":{{"status":"SUSPENDED"}}}}}}"#).as_bytes())
                    .unwrap();
            assert!(list.lists(certificate.serial(), None), "{spelling}");
        }
    }
}

#[test]
fn locked_phones_of_twelve_models_are_genuine() {
    let Some(root) = corpus::root() else { return };
    let (mut models, mut strongboxes) = (0, 0);
    for entry in fs::read_dir(root.join("AttestationSamples")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let Some(chain) = corpus::numbered(&folder, "") else { continue };
        sample(&chain, &name, Level::Tee);
        models += 1;
        if let Some(chain) = corpus::numbered(&folder, "strongbox-") {
            sample(&chain, &name, Level::StrongBox);
            strongboxes += 1;
        }
    }
    println!("{models} models, {strongboxes} with StrongBox");
    assert_eq!((models, strongboxes), (12, 4));
}

pub(crate) fn sample(chain: &[Vec<u8>], name: &str, level: Level) -> Examination {
    let key = leaf(chain);
    let mut policy = policy_for(&key);
    assert_eq!(policy.package.as_str(), "app.attestation.auditor", "{name}");
    // Taken years ago; and three of these clocks are wrong by decades (microseconds for milliseconds, time since boot).
    policy.shadow = vec![Reason::CreationTime];
    let now = corpus::seconds("2026-11-23T00:00:00Z");
    let mut found = examine(chain, b"sample", &policy, &StatusList::default(), now);
    if name == "POCOPHONE F1" {
        // Its leaf names an issuer without the `title` that the parent's subject has: refused unless the operator says otherwise.
        assert_eq!(found.refusals, [Reason::IssuerMismatch]);
        policy.accept_leaf_issuer_mismatch = true;
        found = examine(chain, b"sample", &policy, &StatusList::default(), now);
    }
    assert_eq!((&found.refusals, found.level), (&vec![], level), "{name}");
    // The factory chains end at Google's RSA root, whose included certificate expired; the key counts, so it may also be left out.
    assert_eq!(
        examine(&chain[..3], b"sample", &policy, &StatusList::default(), now).refusals,
        [],
        "{name} without its root"
    );
    found
}

/// One genuine chain with one bit changed, at every byte: never genuine, never a panic.
#[test]
fn no_flipped_bit_is_accepted() {
    let Some(path) = testdata("caiman/sdk36/TEE_EC_RKP.pem") else { return };
    let chain = corpus::pem(&path);
    let key = leaf(&chain);
    let (policy, challenge, now) = (policy_for(&key), key.challenge.clone(), made(&key) + 60);
    let device_key = device_key(&chain);
    let anchors = Anchors::google().unwrap();
    let revoked = StatusList::default();
    let mut flips = 0;
    for (position, der) in chain.iter().enumerate() {
        for byte in 0..der.len() {
            let mut forged = chain.clone();
            forged[position][byte] ^= 1 << (byte % 8);
            let expected = Expected { challenge: &challenge, device_key: &device_key, build: None };
            let found = android::examine(
                &forged,
                &expected,
                &Trust { anchors: &anchors, revoked: &revoked, policy: &policy },
                now,
            );
            assert!(!found.is_genuine(), "certificate {position}, byte {byte}");
            flips += 1;
        }
    }
    println!("{flips} flipped bits, none accepted");
}

#[test]
fn the_corpus_roots_are_the_pinned_ones() {
    let Some(root) = corpus::root() else { return };
    let anchors = Anchors::google().unwrap();
    let Value::Array(roots) = corpus::json(Path::new(&root).join("keyattestation/roots.json").as_path()) else {
        panic!()
    };
    assert_eq!(roots.len(), 2);
    for pem in roots {
        let body: String = pem.as_str().unwrap().lines().filter(|line| !line.starts_with("-----")).collect();
        assert!(anchors.contains(&Certificate::parse(&STANDARD.decode(body).unwrap()).unwrap()));
    }
}
