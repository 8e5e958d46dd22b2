//! The emulated phones against what real ones wrote, and against the rules that verifiers apply.

mod ios;
mod slots;

use std::collections::BTreeSet;

use asn1_rs::{Any, FromDer, Sequence};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm};
use minicbor::Decoder;
use x509_parser::certificate::X509Certificate;

use super::android::{AndroidAttack, AndroidPhone, DeviceProfile};
use crate::missing::vectors;
use crate::pki::TestRoot;

const KEY_DESCRIPTION: &str = "1.3.6.1.4.1.11129.2.1.17";

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
    let phone = AndroidPhone::new(&root, DeviceProfile::factory()).unwrap();
    assert_eq!(phone.generate_key(b"challenge").unwrap().len(), 4);
    let phone = AndroidPhone::new(&root, DeviceProfile::genuine()).unwrap();
    let chain = phone.generate_key(b"challenge").unwrap();
    assert_eq!(chain.len(), 5);
    verify_chain(&chain);
    let (_, pem) = x509_parser::pem::parse_x509_pem(root.certificate_pem.as_bytes()).unwrap();
    assert_eq!(chain[4], pem.contents);
    // P-384, as Google's of 2025: 97 octets of a point.
    assert_eq!(certificate(&chain[4]).public_key().subject_public_key.data.len(), 97);
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
    let (_, ours) = android(DeviceProfile::factory());
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

/// As Google provisioned a Pixel 9 Pro in September 2025.
#[test]
fn a_remotely_provisioned_chain_has_the_structure_of_a_genuine_one() {
    let Some(folder) = vectors() else { return };
    let text = std::fs::read_to_string(folder.join("keyattestation/testdata/caiman/sdk36/TEE_EC_RKP.pem")).unwrap();
    let genuine: Vec<_> =
        x509_parser::pem::Pem::iter_from_buffer(text.as_bytes()).map(|pem| pem.unwrap().contents).collect();
    let (_, ours) = android(DeviceProfile::genuine());
    for (at, name) in ["key", "attestation certificate", "Droid CA3", "Droid CA2"].into_iter().enumerate() {
        assert_eq!(shape(&ours[at]), shape(&genuine[at]), "{name}");
    }
    let software = |leaf: &[u8]| {
        let description = elements(extension(&certificate(leaf), KEY_DESCRIPTION));
        (description[0].2.clone(), tags(&authorizations(&description[6].2)))
    };
    assert_eq!(software(&ours[0]), software(&genuine[0]), "version and software list");
    let issued = |attesting: &[u8]| {
        let certificate = certificate(attesting);
        let mut information = Decoder::new(extension(&certificate, "1.3.6.1.4.1.11129.2.1.30"));
        information.map().unwrap();
        (information.u8().unwrap(), information.u64().unwrap())
    };
    assert_eq!((issued(&ours[1]), issued(&genuine[1])), ((1, 8), (1, 64)));
}

/// Whoever has the key attests as many phones as he likes.
#[test]
fn phones_of_one_leaked_keybox_have_one_attestation_key() {
    let phone = AndroidPhone::new(&TestRoot::google().unwrap(), DeviceProfile::factory()).unwrap();
    let copy = phone.with_leaked_keybox(DeviceProfile::factory());
    let (one, other) = (phone.generate_key(b"challenge").unwrap(), copy.generate_key(b"challenge").unwrap());
    verify_chain(&other);
    assert!(one[1..] == other[1..] && one[0] != other[0]);
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
    assert_eq!(chain.len(), 6);
    verify_chain(&chain);
    assert_eq!(named(&chain), phone.device_key().unwrap().public().as_uncompressed());
}
