//! The emulated phones against what real ones wrote, and against the rules that verifiers apply.

use std::collections::BTreeSet;
use std::path::PathBuf;

use asn1_rs::{Any, FromDer, Sequence};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm};
use crypto::hash::sha256;
use crypto::p256::PublicKey;
use minicbor::Decoder;
use mobile_sdk::{Attestor as _, DeviceKeys as _, KeySlot};
use x509_parser::certificate::X509Certificate;

use super::android::{AndroidAttack, AndroidPhone, DeviceProfile};
use super::ios::{IosAttack, IosPhone, IosProfile};
use crate::pki::TestRoot;

const KEY_DESCRIPTION: &str = "1.3.6.1.4.1.11129.2.1.17";
const NONCE: &str = "1.2.840.113635.100.8.2";

/// Genuine evidence, or a loud word that there is none.
#[expect(clippy::disallowed_methods, reason = "the one setting of these tests")]
fn vectors() -> Option<PathBuf> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("REDOUBT_VECTORS").map_or(default, PathBuf::from);
    if !folder.is_dir() {
        eprintln!("NOT COMPARED WITH GENUINE EVIDENCE: {} is not there (set REDOUBT_VECTORS)", folder.display());
        return None;
    }
    Some(folder)
}

fn certificate(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = X509Certificate::from_der(der).unwrap();
    assert!(rest.is_empty());
    certificate
}

/// What a certificate looks like, apart from its values.
///
/// Not the signature's algorithm: makers sign with P-384 and SHA-256, for which there is no signing here (P-384 with SHA-384
/// instead). Verifiers meet the makers' combination in the genuine samples.
#[derive(Debug, PartialEq)]
struct Shape {
    subject: Vec<String>,
    extensions: BTreeSet<(String, bool)>,
    key: String,
}

fn shape(der: &[u8]) -> Shape {
    let certificate = certificate(der);
    let parameter = certificate.public_key().algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    Shape {
        subject: certificate.subject().iter_attributes().map(|attribute| attribute.attr_type().to_string()).collect(),
        extensions: certificate.extensions().iter().map(|known| (known.oid.to_id_string(), known.critical)).collect(),
        key: parameter.map(|oid| oid.to_id_string()).unwrap_or_default(),
    }
}

fn extension<'a>(certificate: &'a X509Certificate<'_>, oid: &str) -> &'a [u8] {
    certificate.extensions().iter().find(|known| known.oid.to_id_string() == oid).unwrap().value
}

/// The elements of a sequence as class, tag number and content.
fn elements(der: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    let (rest, sequence) = Sequence::from_der(der).unwrap();
    assert!(rest.is_empty(), "trailing bytes");
    let mut rest: &[u8] = &sequence.content;
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (after, any) = Any::from_der(rest).unwrap();
        elements.push((any.class() as u8, any.tag().0, any.data.to_vec()));
        rest = after;
    }
    elements
}

fn tags(der: &[u8]) -> Vec<(u8, u32)> {
    elements(der).into_iter().map(|(class, tag, _)| (class, tag)).collect()
}

/// A sequence around the content of one.
fn authorizations(content: &[u8]) -> Vec<u8> {
    super::der::sequence(&[content.to_vec()])
}

fn verify_chain(chain: &[Vec<u8>]) {
    for pair in chain.windows(2) {
        let (child, issuer) = (certificate(&pair[0]), certificate(&pair[1]));
        assert_eq!(child.issuer().as_raw(), issuer.subject().as_raw());
        let algorithm: &dyn VerificationAlgorithm = match issuer.public_key().subject_public_key.data.len() {
            65 => &ECDSA_P256_SHA256_ASN1,
            _ => &ECDSA_P384_SHA384_ASN1,
        };
        UnparsedPublicKey::new(algorithm, &issuer.public_key().subject_public_key.data)
            .verify(child.tbs_certificate.as_ref(), &child.signature_value.data)
            .unwrap();
    }
}

fn android(profile: DeviceProfile) -> (std::sync::Arc<AndroidPhone>, Vec<Vec<u8>>) {
    let phone = AndroidPhone::new(&TestRoot::google().unwrap(), profile).unwrap();
    let chain = phone.generate_key(b"challenge").unwrap();
    (phone, chain)
}

fn challenge_of(leaf: &[u8]) -> Vec<u8> {
    elements(extension(&certificate(leaf), KEY_DESCRIPTION))[4].2.clone()
}

#[test]
fn an_android_chain_verifies_up_to_the_test_root_and_names_the_device_key() {
    let root = TestRoot::google().unwrap();
    let phone = AndroidPhone::new(&root, DeviceProfile::genuine()).unwrap();
    let chain = phone.generate_key(b"challenge").unwrap();
    assert_eq!(chain.len(), 4);
    verify_chain(&chain);
    let (_, pem) = x509_parser::pem::parse_x509_pem(root.certificate_pem.as_bytes()).unwrap();
    assert_eq!(chain[3], pem.contents);
    let leaf = certificate(&chain[0]);
    let key = phone.device_key().unwrap();
    assert_eq!(leaf.public_key().subject_public_key.data.as_ref(), key.public().as_uncompressed());
    assert_eq!(challenge_of(&chain[0]), b"challenge");
    assert_eq!(leaf.validity().not_before.timestamp(), 0);
    assert_eq!(leaf.validity().not_after.timestamp(), i64::from(u32::MAX));
}

#[test]
fn an_android_chain_has_the_structure_of_a_genuine_one() {
    let Some(folder) = vectors() else { return };
    let genuine: Vec<Vec<u8>> = (0..4)
        .map(|at| std::fs::read(folder.join(format!("AttestationSamples/Pixel 5/cert-{at}.der.x509"))).unwrap())
        .collect();
    let (_, ours) = android(DeviceProfile::genuine());
    assert_eq!(shape(&ours[0]), shape(&genuine[0]), "key");
    assert_eq!(shape(&ours[1]), shape(&genuine[1]), "attestation certificate");
    assert_eq!(shape(&ours[2]), shape(&genuine[2]), "intermediate");

    let description = |leaf: &[u8]| extension(&certificate(leaf), KEY_DESCRIPTION).to_vec();
    let (ours, genuine) = (description(&ours[0]), description(&genuine[0]));
    assert_eq!(tags(&ours), tags(&genuine));
    for (at, name) in [(6, "softwareEnforced"), (7, "hardwareEnforced")] {
        let list = |description: &[u8]| tags(&authorizations(&elements(description)[at].2));
        assert_eq!(list(&ours), list(&genuine), "{name}");
    }
    let root_of_trust = |description: &[u8]| {
        let enforced = elements(&authorizations(&elements(description)[7].2));
        let (_, _, content) = enforced.into_iter().find(|(_, tag, _)| *tag == 704).unwrap();
        tags(&content)
    };
    assert_eq!(root_of_trust(&ours), root_of_trust(&genuine));
}

#[test]
fn each_android_attack_lies_about_one_thing() {
    let boot = |profile| {
        let (_, chain) = android(profile);
        verify_chain(&chain);
        let leaf = certificate(&chain[0]);
        let description = elements(extension(&leaf, KEY_DESCRIPTION));
        let enforced = elements(&authorizations(&description[7].2));
        let root_of_trust = enforced.into_iter().find(|(_, tag, _)| *tag == 704).unwrap().2;
        let parts = elements(&root_of_trust);
        (parts[1].2.clone(), parts[2].2.clone())
    };
    assert_eq!(boot(DeviceProfile::genuine()), (vec![0xff], vec![0]));
    assert_eq!(boot(DeviceProfile::unlocked()), (vec![0], vec![2]));

    let contains = |profile, digest: [u8; 32]| android(profile).1[0].windows(32).any(|window| window == digest);
    assert!(contains(DeviceProfile::genuine(), super::android::genuine_signer()));
    assert!(!contains(DeviceProfile::repackaged(), super::android::genuine_signer()));
}

#[test]
fn replayed_stolen_and_extended_android_chains() {
    let with = |attack| android(DeviceProfile { attack: Some(attack), ..DeviceProfile::genuine() });
    let (_, chain) = with(AndroidAttack::ReplayedChallenge(b"yesterday".to_vec()));
    assert_eq!(challenge_of(&chain[0]), b"yesterday");

    let named = |chain: &[Vec<u8>]| certificate(&chain[0]).public_key().subject_public_key.data.to_vec();
    let (phone, chain) = with(AndroidAttack::OtherKey);
    assert_ne!(named(&chain), phone.device_key().unwrap().public().as_uncompressed());

    let (phone, chain) = with(AndroidAttack::ChainExtension);
    assert_eq!(chain.len(), 5);
    verify_chain(&chain);
    assert_eq!(named(&chain), phone.device_key().unwrap().public().as_uncompressed());
}

/// The parts of an App Attest attestation object.
struct Attestation {
    certificates: Vec<Vec<u8>>,
    keys: Vec<String>,
    authenticator_data: Vec<u8>,
}

fn attestation(object: &[u8]) -> Attestation {
    let mut decoder = Decoder::new(object);
    let mut keys = Vec::new();
    let mut certificates = Vec::new();
    let mut authenticator_data = Vec::new();
    for _ in 0..decoder.map().unwrap().unwrap() {
        let key = decoder.str().unwrap().to_owned();
        match key.as_str() {
            "fmt" => assert_eq!(decoder.str().unwrap(), "apple-appattest"),
            "authData" => authenticator_data = decoder.bytes().unwrap().to_vec(),
            _ => {
                for _ in 0..decoder.map().unwrap().unwrap() {
                    let inner = decoder.str().unwrap().to_owned();
                    if inner == "x5c" {
                        let count = decoder.array().unwrap().unwrap();
                        certificates = (0..count).map(|_| decoder.bytes().unwrap().to_vec()).collect();
                    } else {
                        decoder.skip().unwrap();
                    }
                    keys.push(inner);
                }
            }
        }
        keys.push(key);
    }
    assert_eq!(decoder.position(), object.len(), "trailing bytes");
    Attestation { certificates, keys, authenticator_data }
}

fn genuine_attestation(folder: &std::path::Path) -> Attestation {
    let yaml = folder.join("devicecheck-appattest/src/test/resources/ios-14.4.yaml");
    let text = std::fs::read_to_string(yaml).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("attestationBase64: ")).unwrap();
    attestation(&crypto::b64::decode_standard(line.trim()).unwrap())
}

fn ios(profile: IosProfile) -> std::sync::Arc<IosPhone> {
    IosPhone::new(&TestRoot::apple().unwrap(), profile).unwrap()
}

#[test]
fn an_app_attest_object_passes_apples_steps() {
    let root = TestRoot::apple().unwrap();
    let phone = IosPhone::new(&root, IosProfile::genuine()).unwrap();
    let hash = sha256(b"client data");
    let (key_id, object) = phone.attest_key(&hash).unwrap();
    let Attestation { certificates, authenticator_data, .. } = attestation(&object);
    let (_, pem) = x509_parser::pem::parse_x509_pem(root.certificate_pem.as_bytes()).unwrap();
    verify_chain(&[certificates.clone(), vec![pem.contents]].concat());
    let leaf = certificate(&certificates[0]);
    let nonce = sha256(&[authenticator_data.as_slice(), &hash].concat());
    assert_eq!(elements(extension(&leaf, NONCE))[0].2, super::der::octets(&nonce));
    assert_eq!(sha256(&leaf.public_key().subject_public_key.data), key_id);
    assert_eq!(authenticator_data[..32], sha256(b"REDOUBT001.dev.redoubt.app"));
    assert_eq!(authenticator_data[32..37], [0x40, 0, 0, 0, 0]);
    assert_eq!(authenticator_data[37..53], *b"appattestdevelop");
    assert_eq!(authenticator_data[55..87], key_id);
}

#[test]
fn an_app_attest_object_has_the_structure_of_a_genuine_one() {
    let Some(folder) = vectors() else { return };
    let genuine = genuine_attestation(&folder);
    let (_, object) = ios(IosProfile::genuine()).attest_key(&[0; 32]).unwrap();
    let ours = attestation(&object);
    assert_eq!(ours.keys, genuine.keys);
    assert_eq!(ours.certificates.len(), genuine.certificates.len());
    for (ours, genuine) in ours.certificates.iter().zip(&genuine.certificates) {
        assert_eq!(shape(ours), shape(genuine));
    }
    assert_eq!(ours.authenticator_data.len(), genuine.authenticator_data.len());
    // Everything but app id, key id and coordinates is byte for byte the same.
    for range in [32..55, 87..97, 129..132] {
        assert_eq!(ours.authenticator_data[range.clone()], genuine.authenticator_data[range]);
    }
    let tags_of = |der: &[u8], oid| tags(extension(&certificate(der), oid));
    for oid in ["1.2.840.113635.100.8.5", "1.2.840.113635.100.8.7", NONCE] {
        assert_eq!(tags_of(&ours.certificates[0], oid), tags_of(&genuine.certificates[0], oid), "{oid}");
    }
}

fn assertion(object: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut decoder = Decoder::new(object);
    assert_eq!((decoder.map().unwrap(), decoder.str().unwrap()), (Some(2), "signature"));
    let signature = decoder.bytes().unwrap().to_vec();
    assert_eq!(decoder.str().unwrap(), "authenticatorData");
    (signature, decoder.bytes().unwrap().to_vec())
}

#[test]
fn assertions_verify_and_their_counter_rises() {
    let phone = ios(IosProfile::genuine());
    assert!(phone.generate_assertion(&[7; 32]).unwrap().is_none());
    let (_, object) = phone.attest_key(&[0; 32]).unwrap();
    let attested = attestation(&object);
    let leaf = certificate(&attested.certificates[0]);
    let key = PublicKey::from_uncompressed(&leaf.public_key().subject_public_key.data).unwrap();
    for counter in 1..=3_u32 {
        let (_, object) = phone.generate_assertion(&[7; 32]).unwrap().unwrap();
        let (signature, data) = assertion(&object);
        assert_eq!(data[32..], [&[0x40], counter.to_be_bytes().as_slice()].concat());
        let nonce = sha256(&[data.as_slice(), &[7; 32]].concat());
        key.verify_der(&nonce, &signature).unwrap();
    }
}

#[test]
fn each_ios_attack_lies_about_one_thing() {
    let with = |attack| ios(IosProfile { attack: Some(attack), ..IosProfile::genuine() });
    let nonce_of = |object: &[u8]| {
        let attested = attestation(object);
        let nonce = elements(extension(&certificate(&attested.certificates[0]), NONCE))[0].2.clone();
        (attested.authenticator_data, nonce)
    };
    let (_, object) = with(IosAttack::ReplayedChallenge([1; 32])).attest_key(&[0; 32]).unwrap();
    let (data, nonce) = nonce_of(&object);
    assert_eq!(nonce, super::der::octets(&sha256(&[data.as_slice(), &[1; 32]].concat())));

    let (key_id, object) = with(IosAttack::OtherKey).attest_key(&[0; 32]).unwrap();
    let attested = attestation(&object);
    let leaf = certificate(&attested.certificates[0]);
    assert_eq!(sha256(&leaf.public_key().subject_public_key.data), key_id);
    assert_ne!(attested.authenticator_data[97..129], leaf.public_key().subject_public_key.data[1..33]);

    let phone = with(IosAttack::StuckCounter);
    phone.attest_key(&[0; 32]).unwrap();
    for _ in 0..2 {
        let (_, object) = phone.generate_assertion(&[0; 32]).unwrap().unwrap();
        assert_eq!(assertion(&object).1[33..], 1_u32.to_be_bytes());
    }

    let other = ios(IosProfile::other_bundle());
    let (_, object) = other.attest_key(&[0; 32]).unwrap();
    assert_eq!(attestation(&object).authenticator_data[..32], sha256(other.app_id().as_bytes()));
}

/// Leaf of an Android chain, or App Attest key and counter of an assertion: what shows which slot it is of.
async fn shown(phone: &dyn mobile_sdk::Attestor, slot: KeySlot) -> (String, Vec<u8>) {
    match phone.assert(slot, &[7; 32]).await.unwrap() {
        Some(api::attestation::Assertion::AppAttest { key_id, assertion_object }) => {
            let object = crypto::b64::decode_standard(&assertion_object).unwrap();
            (key_id, assertion(&object).1[33..].to_vec())
        }
        None => match phone.attest(slot, &[7; 32]).await.unwrap() {
            api::attestation::Evidence::AndroidKey { certificates } => (certificates[0].clone(), Vec::new()),
            api::attestation::Evidence::AppAttest { .. } => unreachable!("an Android phone"),
        },
    }
}

#[tokio::test]
async fn a_key_in_one_slot_leaves_the_other_slot_alone() {
    let (android, _) = android(DeviceProfile::genuine());
    let before =
        (android.load(KeySlot::First).await.unwrap().unwrap().public(), shown(&*android, KeySlot::First).await);
    let second = android.create(KeySlot::Second, b"another").await.unwrap().public();
    assert_ne!(shown(&*android, KeySlot::Second).await, before.1);
    assert_eq!(second, android.load(KeySlot::Second).await.unwrap().unwrap().public());
    android.remove(KeySlot::Second).await.unwrap();
    assert!(android.load(KeySlot::Second).await.unwrap().is_none());
    assert_eq!(android.device_key().unwrap().public().as_uncompressed(), before.0.public_key().as_uncompressed());
    let after = (android.load(KeySlot::First).await.unwrap().unwrap().public(), shown(&*android, KeySlot::First).await);
    assert_eq!(after, before);

    let ios = ios(IosProfile::genuine());
    for slot in KeySlot::ALL {
        ios.create(slot, b"challenge").await.unwrap();
        ios.attest(slot, &[0; 32]).await.unwrap();
    }
    let first = shown(&*ios, KeySlot::First).await;
    let second = shown(&*ios, KeySlot::Second).await;
    assert_ne!(first.0, second.0);
    assert_eq!((first.1, second.1), (1_u32.to_be_bytes().to_vec(), 1_u32.to_be_bytes().to_vec()));
    ios.remove(KeySlot::Second).await.unwrap();
    assert!(ios.assert(KeySlot::Second, &[7; 32]).await.is_err());
    assert_eq!(shown(&*ios, KeySlot::First).await, (first.0, 2_u32.to_be_bytes().to_vec()));
}
