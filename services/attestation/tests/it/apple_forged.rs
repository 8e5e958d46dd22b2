//! App Attest objects that are wrong in exactly one thing, and are refused for exactly that.

use api::Build;
use attestation::evidence::apple::{self, Asserted, Expected, ExpectedAssertion, Trust};
use attestation::evidence::policy::{AppleEnvironment, ApplePolicy};
use attestation::evidence::{Examination, Failed, Reason};
use minicbor::Encoder;
use rcgen::CustomExtension;

use crate::der;
use crate::forge::{self, COMMON_NAME, NOW, Spec};

const NONCE: &[u64] = &[1, 2, 840, 113_635, 100, 8, 2];
pub(crate) const BINDING: [u8; 32] = [9; 32];

/// An object in parts.
pub(crate) struct Forge {
    pub(crate) leaf: Spec,
    intermediate: Spec,
    pub(crate) root: Spec,
    pub(crate) app_id: String,
    /// What the leaf tells besides the nonce.
    pub(crate) extensions: Vec<CustomExtension>,
    counter: u32,
    aaguid: [u8; 16],
    credential_id: [u8; 32],
    credential_key: [u8; 65],
    /// What follows the credential.
    pub(crate) tail: Vec<u8>,
    /// What the nonce is made over instead of the authenticator data and the binding.
    pub(crate) nonce: Option<[u8; 32]>,
    key_id: [u8; 32],
    /// What the request names.
    pub(crate) build: Build,
    pub(crate) policy: ApplePolicy,
    now: i64,
}

impl Forge {
    pub(crate) fn new() -> Self {
        let mut leaf = Spec::p256(&[(COMMON_NAME, "key id")]);
        leaf.authority = false;
        (leaf.not_before, leaf.not_after) = (NOW - 86_400, NOW + 2 * 86_400);
        let point = leaf.point();
        let id = crypto::hash::sha256(&point);
        Self {
            leaf,
            intermediate: Spec::p384(&[(COMMON_NAME, "Apple App Attestation CA 1")]),
            root: Spec::p384(&[(COMMON_NAME, "Apple App Attestation Root CA")]),
            app_id: "REDOUBT001.dev.redoubt.app".to_owned(),
            extensions: Vec::new(),
            counter: 0,
            aaguid: *b"appattest\0\0\0\0\0\0\0",
            credential_id: id,
            credential_key: point,
            tail: Vec::new(),
            nonce: None,
            key_id: id,
            build: 12.into(),
            policy: ApplePolicy {
                client_id: "redoubt-mobile".into(),
                team: "REDOUBT001".to_owned(),
                bundle: "dev.redoubt.app".into(),
                environment: AppleEnvironment::Production,
                minimum_build: 10.into(),
                validation_categories: vec![4],
                platforms: vec!["iphoneos".to_owned()],
                shadow: Vec::new(),
            },
            now: NOW,
        }
    }

    pub(crate) fn auth_data(&self) -> Vec<u8> {
        let mut cose = Encoder::new(Vec::new());
        cose.map(5)
            .unwrap()
            .u8(1)
            .unwrap()
            .u8(2)
            .unwrap()
            .u8(3)
            .unwrap()
            .i8(-7)
            .unwrap()
            .i8(-1)
            .unwrap()
            .u8(1)
            .unwrap();
        cose.i8(-2)
            .unwrap()
            .bytes(&self.credential_key[1..33])
            .unwrap()
            .i8(-3)
            .unwrap()
            .bytes(&self.credential_key[33..])
            .unwrap();
        let app = crypto::hash::sha256(self.app_id.as_bytes());
        let parts: [&[u8]; 8] = [
            &app,
            &[0x40],
            &self.counter.to_be_bytes(),
            &self.aaguid,
            &[0, 32],
            &self.credential_id,
            &cose.into_writer(),
            &self.tail,
        ];
        parts.concat()
    }

    /// The certificates with the nonce of this object.
    pub(crate) fn certificates(&mut self) -> Vec<Vec<u8>> {
        let nonce =
            self.nonce.unwrap_or_else(|| crypto::hash::sha256(&[self.auth_data().as_slice(), &BINDING].concat()));
        let content = der::sequence(&[der::explicit(1, &der::octets(&nonce))]);
        self.leaf.extensions = vec![CustomExtension::from_oid_content(NONCE, content)];
        self.leaf.extensions.extend(self.extensions.iter().cloned());
        vec![self.leaf.signed_by(&self.intermediate), self.intermediate.signed_by(&self.root)]
    }

    pub(crate) fn object(&mut self) -> Vec<u8> {
        let certificates = self.certificates();
        object(&certificates, &self.auth_data())
    }

    pub(crate) fn examine(&self, object: &[u8]) -> Examination {
        let anchors = forge::anchors(&self.root);
        let expected = Expected { client_data_hash: &BINDING, key_id: &self.key_id, build: Some(&self.build) };
        apple::examine(object, &expected, &Trust { anchors: &anchors, policy: &self.policy }, self.now)
    }

    /// What is said of an object that was let in before.
    pub(crate) fn reexamine(&self, object: &[u8]) -> Failed {
        let anchors = forge::anchors(&self.root);
        apple::reexamine(object, &Trust { anchors: &anchors, policy: &self.policy })
    }

    pub(crate) fn refusals(&mut self) -> Vec<Reason> {
        let object = self.object();
        self.examine(&object).refusals
    }
}

fn object(certificates: &[Vec<u8>], auth_data: &[u8]) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    cbor.map(3).unwrap().str("fmt").unwrap().str("apple-appattest").unwrap().str("attStmt").unwrap().map(2).unwrap();
    cbor.str("x5c").unwrap().array(certificates.len() as u64).unwrap();
    for certificate in certificates {
        cbor.bytes(certificate).unwrap();
    }
    cbor.str("receipt").unwrap().bytes(b"receipt").unwrap().str("authData").unwrap().bytes(auth_data).unwrap();
    cbor.into_writer()
}

/// The map that iOS 27 appends.
pub(crate) fn ios_27(version: &str, category: u32) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    cbor.map(2).unwrap().str("apple_bundle_version_01").unwrap().str(version).unwrap();
    cbor.str("apple_validation_category_01").unwrap().bytes(&category.to_le_bytes()).unwrap();
    cbor.into_writer()
}

type Change = fn(&mut Forge);

#[test]
fn an_object_that_is_wrong_in_one_thing_is_refused_for_it() {
    let cases: Vec<(&str, Change, Reason)> = vec![
        ("development key in production", |f| f.aaguid = *b"appattestdevelop", Reason::EnvironmentMismatch),
        ("aaguid padded with something else", |f| f.aaguid[15] = 1, Reason::EnvironmentMismatch),
        ("another bundle of the team", |f| f.app_id.push('2'), Reason::AppMismatch),
        ("counter 1", |f| f.counter = 1, Reason::CounterNotZero),
        ("key id of another key", |f| f.key_id[0] ^= 1, Reason::KeyIdMismatch),
        ("credential id of another key", |f| f.credential_id[0] ^= 1, Reason::KeyIdMismatch),
        ("credential of another key", |f| f.credential_key = Spec::p256(&[]).point(), Reason::KeyIdMismatch),
        ("nonce of another object", |f| f.nonce = Some([1; 32]), Reason::NonceMismatch),
        ("one second after the leaf's end", |f| f.leaf.not_after = NOW - 1, Reason::Expired),
        ("one second before the leaf's begin", |f| f.leaf.not_before = NOW + 1, Reason::NotYetValid),
        ("intermediate expired", |f| f.intermediate.not_after = NOW - 1, Reason::Expired),
        ("intermediate is no authority", |f| f.intermediate.authority = false, Reason::NotAuthority),
        ("a byte after the credential", |f| f.tail = vec![0], Reason::AuthDataUnreadable),
        ("sideloaded", |f| f.tail = ios_27("12", 5), Reason::ValidationCategory),
        ("from Xcode", |f| f.tail = ios_27("12", 3), Reason::ValidationCategory),
        ("another build than the request's", |f| f.tail = ios_27("11", 4), Reason::BuildMismatch),
        ("a byte after the map", |f| f.tail = [ios_27("12", 4), vec![0]].concat(), Reason::AuthDataUnreadable),
        ("a build below the floor", |f| f.policy.minimum_build = 13.into(), Reason::BuildRefused),
    ];
    assert_eq!(Forge::new().refusals(), []);
    for (name, change, reason) in cases {
        let mut forge = Forge::new();
        change(&mut forge);
        assert_eq!(forge.refusals(), [reason], "{name}");
    }
}

#[test]
fn the_map_of_ios_27_is_accepted_from_the_app_store() {
    let mut forge = Forge::new();
    forge.tail = ios_27("12", 4);
    // 164 bytes, and 62 more for a build number of one digit (here two).
    assert_eq!(forge.auth_data().len(), 164 + 63);
    assert_eq!(forge.refusals(), []);
}

/// What iOS attests is a string, and what the operator sets is an order.
#[test]
fn a_build_is_the_text_that_ios_27_attests_and_has_the_order_of_its_components() {
    for (named, told, floor, refusals) in [
        ("1.4.2", "1.4.2", "1.4.2", vec![]),
        ("01", "01", "1", vec![]),
        ("1.4.10", "1.4.10", "1.4.9", vec![]),
        ("2026.11.26.1432.1", "2026.11.26.1432.1", "2026.11", vec![]),
        ("1.4.9", "1.4.9", "1.4.10", vec![Reason::BuildRefused]),
        ("9", "9", "10", vec![Reason::BuildRefused]),
        // A number more or less, another spelling, a stage of development.
        ("1", "01", "0", vec![Reason::BuildMismatch]),
        ("1.4.2", "1.4", "0", vec![Reason::BuildMismatch]),
        ("1.4.2", "1.4.2.0", "0", vec![Reason::BuildMismatch]),
        ("1.4.2", "1.4.2b3", "0", vec![Reason::BuildMismatch]),
        ("1.4.2", "", "0", vec![Reason::BuildMismatch]),
    ] {
        let mut forge = Forge::new();
        (forge.build, forge.tail) = (named.parse().unwrap(), ios_27(told, 4));
        forge.policy.minimum_build = floor.parse().unwrap();
        assert_eq!(forge.refusals(), refusals, "{named} {told} {floor}");
        let key = crypto::p256::SigningKey::generate();
        let object = assertion(&key, &forge.policy.app_id(), 1, &forge.tail, true);
        let found = verify(&object, &key.public(), &forge.build, &forge.policy);
        assert_eq!(found.map_or_else(|failed| failed.refusals, |_| vec![]), refusals, "{named} {told} {floor}");
    }
}

#[test]
fn the_chain_is_two_certificates_up_to_the_pinned_key() {
    let mut forge = Forge::new();
    let certificates = forge.certificates();
    let auth_data = forge.auth_data();
    let with = |list: &[Vec<u8>]| forge.examine(&object(list, &auth_data)).refusals;
    let root = forge.root.self_signed().der().to_vec();
    assert_eq!(with(&certificates[..1]), [Reason::ObjectMalformed], "one");
    assert_eq!(with(&[certificates.clone(), vec![root.clone()]].concat()), [Reason::ObjectMalformed], "three");
    assert_eq!(with(&[certificates[1].clone(), certificates[0].clone()]), [Reason::IssuerMismatch], "swapped");
    assert_eq!(with(&[certificates[0].clone(), root]), [Reason::IssuerMismatch], "root for intermediate");
    let mut forge = Forge::new();
    let object = forge.object();
    forge.root = Spec::p384(&[(COMMON_NAME, "Apple App Attestation Root CA")]);
    assert_eq!(forge.examine(&object).refusals, [Reason::RootUntrusted], "a root of the same name");
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let mut forge = Forge::new();
    forge.leaf.key = Spec::p384(&[]).key;
    assert_eq!(forge.refusals(), [Reason::KeyType]);
}

#[test]
fn the_nonce_extension_stands_once_and_is_exact() {
    let nonce = |forge: &Forge| crypto::hash::sha256(&[forge.auth_data().as_slice(), &BINDING].concat());
    let extension = |content: Vec<u8>| CustomExtension::from_oid_content(NONCE, content);
    let good = |nonce: &[u8]| der::sequence(&[der::explicit(1, &der::octets(nonce))]);
    for name in ["missing", "a byte more", "another tag"] {
        let mut forge = Forge::new();
        forge.certificates();
        let nonce = nonce(&forge);
        forge.leaf.extensions = match name {
            "missing" => vec![],
            "a byte more" => vec![extension([good(&nonce), vec![0]].concat())],
            _ => vec![extension(der::sequence(&[der::explicit(2, &der::octets(&nonce))]))],
        };
        let certificates = [forge.leaf.signed_by(&forge.intermediate), forge.intermediate.signed_by(&forge.root)];
        assert_eq!(
            forge.examine(&object(&certificates, &forge.auth_data())).refusals,
            [Reason::NonceMismatch],
            "{name}"
        );
    }
}

#[test]
fn cbor_that_is_not_exactly_the_object_is_refused() {
    let mut forge = Forge::new();
    let good = forge.object();
    let refused = |bytes: &[u8]| assert!(!forge.examine(bytes).is_genuine());
    refused(&[good.as_slice(), &[0]].concat());
    refused(&good[..good.len() - 1]);
    refused(&[&[0xbf], &good[1..], &[0xff]].concat());
    refused(&[&[0xa4], &good[1..], b"\x63fmt\x6fapple-appattest"].concat());
    refused(&vec![0x81; 10_000]);
    refused(&vec![0; 20_000]);
}

/// What the App Attest key signs afterwards.
pub(crate) fn assertion(
    key: &crypto::p256::SigningKey,
    app_id: &str,
    counter: u32,
    tail: &[u8],
    hash_twice: bool,
) -> Vec<u8> {
    let (signature, data) = sign(key, app_id, counter, tail, hash_twice);
    let mut cbor = Encoder::new(Vec::new());
    cbor.map(2).unwrap().str("signature").unwrap().bytes(&signature).unwrap();
    cbor.str("authenticatorData").unwrap().bytes(&data).unwrap();
    cbor.into_writer()
}

/// Signature and authenticator data.
pub(crate) fn sign(
    key: &crypto::p256::SigningKey,
    app_id: &str,
    counter: u32,
    tail: &[u8],
    hash_twice: bool,
) -> (Vec<u8>, Vec<u8>) {
    let app = crypto::hash::sha256(app_id.as_bytes());
    let data = [app.as_slice(), &[0x40], &counter.to_be_bytes(), tail].concat();
    let signed = [data.as_slice(), &BINDING].concat();
    let signature = if hash_twice { key.sign(&crypto::hash::sha256(&signed)) } else { key.sign(&signed) };
    let part = |half: &[u8]| {
        let minimal: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if minimal[0] >= 0x80 { vec![0] } else { vec![] };
        der::element(&[2], &[sign, minimal].concat())
    };
    (der::sequence(&[part(&signature[..32]), part(&signature[32..])]), data)
}

/// Verifies the assertion of an instance that has shown no map yet.
pub(crate) fn verify(
    object: &[u8],
    key: &crypto::p256::PublicKey,
    build: &Build,
    policy: &ApplePolicy,
) -> Result<Asserted, Failed> {
    let expected = ExpectedAssertion { client_data_hash: &BINDING, build: Some(build), has_shown_map: false };
    apple::verify_assertion(object, key.as_uncompressed(), &expected, policy)
}

#[test]
fn assertions_are_refused_for_the_one_thing_that_is_wrong() {
    let key = crypto::p256::SigningKey::generate();
    let policy = Forge::new().policy;
    let app = policy.app_id();
    let verify = |object: &[u8]| verify(object, &key.public(), &12.into(), &policy);
    let refused = |reason: Reason| Err(Failed::from(reason));
    let counter = |object: &[u8]| verify(object).map(|asserted| asserted.counter);
    assert_eq!(counter(&assertion(&key, &app, 1, &[], true)), Ok(1));
    assert_eq!(counter(&assertion(&key, &app, u32::MAX, &ios_27("12", 4), true)), Ok(u32::MAX));
    for (name, object, reason) in [
        ("signed without the second hash", assertion(&key, &app, 1, &[], false), Reason::SignatureInvalid),
        ("another key", assertion(&crypto::p256::SigningKey::generate(), &app, 1, &[], true), Reason::SignatureInvalid),
        ("another app", assertion(&key, "REDOUBT001.other", 1, &[], true), Reason::AppMismatch),
        ("counter 0", assertion(&key, &app, 0, &[], true), Reason::CounterReplayed),
        ("sideloaded", assertion(&key, &app, 1, &ios_27("12", 5), true), Reason::ValidationCategory),
        ("a byte more", assertion(&key, &app, 1, &[0], true), Reason::AuthDataUnreadable),
    ] {
        assert_eq!(verify(&object), refused(reason), "{name}");
    }
    // r = s = 0 (CVE-2022-21449), and no numbers at all.
    for zero in [vec![0x30, 6, 2, 1, 0, 2, 1, 0], vec![0x30, 0]] {
        let app_hash = crypto::hash::sha256(app.as_bytes());
        let mut cbor = Encoder::new(Vec::new());
        cbor.map(2).unwrap().str("signature").unwrap().bytes(&zero).unwrap();
        cbor.str("authenticatorData").unwrap().bytes(&[app_hash.as_slice(), &[0x40, 0, 0, 0, 1]].concat()).unwrap();
        assert_eq!(verify(&cbor.into_writer()), refused(Reason::SignatureInvalid));
    }
}

#[test]
fn an_assertions_rule_in_shadow_mode_is_noted_whatever_else_is_wrong() {
    let key = crypto::p256::SigningKey::generate();
    let policy = ApplePolicy { shadow: vec![Reason::ValidationCategory], ..Forge::new().policy };
    let verify = |object: &[u8]| verify(object, &key.public(), &12.into(), &policy);
    let object = assertion(&key, &policy.app_id(), 1, &ios_27("12", 5), true);
    let notes = vec![Reason::ValidationCategory];
    assert_eq!(verify(&object), Ok(Asserted { counter: 1, has_map: true, notes: notes.clone() }));
    let object = assertion(&key, "REDOUBT001.other", 1, &ios_27("12", 5), true);
    assert_eq!(verify(&object), Err(Failed { refusals: vec![Reason::AppMismatch], notes }));
}
