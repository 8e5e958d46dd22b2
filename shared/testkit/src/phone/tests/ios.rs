//! The emulated iPhones.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use crypto::hash::sha256;
use minicbor::Decoder;

use super::super::ios::{IosAttack, IosPhone, IosProfile};
use super::{certificate, elements, extension, shape, tags, vectors, verify_chain};
use crate::pki::TestRoot;

const NONCE: &str = "1.2.840.113635.100.8.2";

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

pub(super) fn ios(profile: IosProfile) -> std::sync::Arc<IosPhone> {
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
    assert_eq!(elements(extension(&leaf, NONCE))[0].2, super::super::der::octets(&nonce));
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
    let (_, object) = ios(IosProfile::ios_14()).attest_key(&[0; 32]).unwrap();
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

/// The extensions of an iPhone (iOS 18.6, tags in its order) and of a Mac (macOS 27.2), as other verifiers have published them.
#[test]
fn a_certificate_names_the_system_that_the_phone_is_on() {
    let of = |profile: IosProfile| {
        let (_, object) = ios(profile).attest_key(&[0; 32]).unwrap();
        let leaf = attestation(&object).certificates.remove(0);
        let certificate = certificate(&leaf);
        let count = certificate.extensions().len();
        let system = elements(extension(&certificate, "1.2.840.113635.100.8.7"));
        let tags: Vec<u32> = system.iter().map(|(_, tag, _)| *tag).collect();
        (count, tags, system.last().unwrap().2.clone())
    };
    let mut expected = vec![1400, 1104, 1401, 1403, 1404, 1405];
    expected.extend((1406..=1413).chain(1418..=1420).chain([1026]));
    let (phone, tags, platform) = of(IosProfile::genuine());
    assert_eq!((tags, platform), (expected.clone(), super::super::der::octets(b"iphoneos")));
    let (mac, tags, platform) = of(IosProfile::mac("1".parse().unwrap()).unwrap());
    assert_eq!((tags, platform), (expected, super::super::der::octets(b"macosx")));
    assert_eq!(mac, phone + 1, "and the key's access control");
    assert_eq!(of(IosProfile::ios_14()).1, [1400]);
}

/// The map of iOS 27 stands behind attestation and assertion alike.
#[test]
fn ios_27_tells_build_and_way_in_attestation_and_assertion() {
    let phone = ios(IosProfile::ios_27("1.4".parse().unwrap()).unwrap());
    let map = super::super::ios::build_info("1.4", super::super::ios::APP_STORE).unwrap();
    let (_, object) = phone.attest_key(&[0; 32]).unwrap();
    assert_eq!(attestation(&object).authenticator_data[164..], map);
    let (_, object) = phone.generate_assertion(&[0; 32]).unwrap().unwrap();
    assert_eq!(assertion(&object).1[37..], map);
    // 62 bytes for a version of one digit, as Apple's published sample has.
    assert_eq!(super::super::ios::build_info("1", super::super::ios::APP_STORE).unwrap().len(), 62);
}

pub(super) fn assertion(object: &[u8]) -> (Vec<u8>, Vec<u8>) {
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
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &leaf.public_key().subject_public_key.data);
    for counter in 1..=3_u32 {
        let (_, object) = phone.generate_assertion(&[7; 32]).unwrap().unwrap();
        let (signature, data) = assertion(&object);
        assert_eq!(data[32..], [&[0x40], counter.to_be_bytes().as_slice()].concat());
        let nonce = sha256(&[data.as_slice(), &[7; 32]].concat());
        key.verify(&nonce, &signature).unwrap();
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
    assert_eq!(nonce, super::super::der::octets(&sha256(&[data.as_slice(), &[1; 32]].concat())));

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
