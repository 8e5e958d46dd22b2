//! What genuine hardware writes although DER has it otherwise is noted; what could be read in two ways is refused.

use attestation::evidence::android::KeyDescription;
use attestation::evidence::policy::AndroidPolicy;
use attestation::evidence::revocation::StatusList;
use attestation::evidence::{Examination, Reason};
use rcgen::{CustomExtension, SigningKey as _};
use serde_json::json;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::android_forged::{CHALLENGE, Forge, KEY_DESCRIPTION, locked_tee};
use crate::forge::{NOW, YEAR};
use crate::{corpus, der, description, forge};

/// The value of the extension with these properties of the hardware.
fn with_hardware(hardware: &[Vec<u8>]) -> Vec<u8> {
    let mut outer = vec![der::integer(300), der::enumerated(1), der::integer(300), der::enumerated(1)];
    let software = der::sequence(&description::fields(&locked_tee()["softwareEnforced"]));
    outer.extend([der::octets(CHALLENGE), der::octets(&[]), software, der::sequence(hardware)]);
    der::sequence(&outer)
}

fn fields() -> Vec<Vec<u8>> {
    description::fields(&locked_tee()["hardwareEnforced"])
}

/// The fields with another root of trust, its `deviceLocked` being this content of a BOOLEAN.
fn locked_as(content: &[u8]) -> Vec<Vec<u8>> {
    let root =
        der::sequence(&[der::octets(&[1; 32]), der::element(&[1], content), der::enumerated(0), der::octets(&[2; 32])]);
    let identifier = &der::explicit(704, &[])[..3];
    let other = |field: &Vec<u8>| field.starts_with(identifier);
    fields().into_iter().map(|field| if other(&field) { der::explicit(704, &root) } else { field }).collect()
}

fn examined(extension: Vec<u8>) -> Examination {
    let mut forge = Forge::factory();
    forge.specs[0].extensions = vec![CustomExtension::from_oid_content(KEY_DESCRIPTION, extension)];
    let chain = forge::chain(&forge.specs);
    forge.examine(&chain, &forge.specs[0].point())
}

fn codes(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.code()).collect()
}

#[test]
fn a_boolean_that_is_not_ders_is_read_and_noted() {
    let boolean = |content: &[u8]| {
        let found = examined(with_hardware(&locked_as(content)));
        (codes(&found.refusals), codes(&found.notes))
    };
    assert_eq!(boolean(&[0xff]), (vec![], vec![]));
    for octet in [0x01, 0x80, 0xfe] {
        assert_eq!(boolean(&[octet]), (vec![], vec!["android.boolean_not_der"]), "{octet:02x}");
    }
    assert_eq!(boolean(&[0]), (vec!["android.device_unlocked"], vec![]), "false is false");
    for content in [&[][..], &[1, 1], &[0, 0xff]] {
        assert_eq!(boolean(content), (vec!["android.extension_malformed"], vec![]), "{content:?}");
    }
}

#[test]
fn tags_out_of_order_are_read_and_noted_and_a_tag_twice_is_refused() {
    let (fields, mut swapped) = (fields(), fields());
    swapped.reverse();
    let found = |fields: &[Vec<u8>]| {
        let found = examined(with_hardware(fields));
        (codes(&found.refusals), codes(&found.notes))
    };
    assert_eq!(found(&fields), (vec![], vec![]));
    assert_eq!(found(&swapped), (vec![], vec!["android.tags_unordered"]));
    let mut unlocked = locked_as(&[0]);
    unlocked.reverse();
    assert_eq!(found(&unlocked), (vec!["android.device_unlocked"], vec!["android.tags_unordered"]));
    let malformed = (vec!["android.extension_malformed"], vec![]);
    assert_eq!(found(&[&fields[..1], &fields[..]].concat()), malformed, "twice, in a row");
    assert_eq!(found(&[&fields[..], &fields[..1]].concat()), malformed, "twice, at both ends");
    let unknown =
        [der::explicit(900, &der::null()), der::explicit(720, &der::null()), der::explicit(900, &der::null())];
    assert_eq!(found(&[&fields[..], &unknown[..]].concat()), malformed, "an unknown one twice");
    let many: Vec<_> = (800..1000).map(|tag| der::explicit(tag, &der::null())).collect();
    assert_eq!(found(&[&fields[..], &many[..]].concat()), malformed, "more than any schema has");
}

#[test]
fn descriptions_that_are_not_der_are_refused() {
    let good = with_hardware(&fields());
    for (name, bytes) in [
        ("a byte more", [good.clone(), vec![0]].concat()),
        ("a byte less", good[..good.len() - 1].to_vec()),
        ("empty", Vec::new()),
    ] {
        assert_eq!(examined(bytes).refusals, [Reason::ExtensionMalformed], "{name}");
    }
    // A tag of a future KeyMint is not read, whatever is in it.
    let future = with_hardware(&[fields(), vec![der::explicit(720, &[1, 1, 1])]].concat());
    assert!(KeyDescription::parse(&future).is_ok_and(|key| key.hardware.unknown == [720]));
}

/// The single-use challenge proves that the key is new; when it was made is the word of a clock that anybody sets.
#[test]
fn a_wrong_clock_is_noted_and_refused_only_by_who_asks_for_it() {
    let by_default = json!({"package": "dev.redoubt.app", "signer_digests": ["07".repeat(32)]});
    let by_default: AndroidPolicy = serde_json::from_value(by_default).unwrap();
    // A StrongBox that counts from its boot, a day behind, a year ahead, microseconds for milliseconds, and no word at all.
    for made in [Some(48), Some(NOW - 86_400), Some(NOW + YEAR), Some(NOW * 1000), None] {
        let mut forge = Forge::remote();
        let software = forge.description["softwareEnforced"].as_object_mut().unwrap();
        software.remove("creationDateTime");
        if let Some(made) = made {
            software.insert("creationDateTime".to_owned(), json!((made * 1000).to_string()));
        }
        assert_eq!(forge.refusals(), [Reason::CreationTime], "{made:?}");
        forge.policy = by_default.clone();
        let chain = forge.chain();
        let found = forge.examine(&chain, &forge.specs[0].point());
        assert_eq!((found.refusals, found.notes), (vec![], vec![Reason::CreationTime]), "{made:?}");
        forge.description["attestationChallenge"] = json!("dGhlIGJpbmRpbmc=");
        assert_eq!(forge.refusals(), [Reason::ChallengeMismatch], "and still the challenge must be ours");
    }
}

/// A stricter reader refuses this phone: its StrongBox writes true as 01.
#[test]
fn a_genuine_pixel_3_is_genuine() {
    let Some(folder) = corpus::root().map(|root| root.join("odd/Pixel 3")) else { return };
    let notes = |prefix: &str, level| {
        let chain = corpus::numbered(&folder, prefix).unwrap();
        codes(&crate::android_genuine::sample(&chain, "Pixel 3", level).notes)
    };
    assert!(notes("strongbox-", attestation::evidence::policy::Level::StrongBox).contains(&"android.boolean_not_der"));
    assert!(!notes("", attestation::evidence::policy::Level::Tee).contains(&"android.boolean_not_der"));
}

/// A subject with several serial numbers is listed under each of them.
#[test]
fn every_serial_number_of_a_name_is_looked_up() {
    const PRINTABLE: u8 = 0x13;
    let attribute = |kind: u8, tag: u8, text: &str| {
        let oid = der::element(&[6], &[0x55, 4, kind]);
        der::set(&[der::sequence(&[oid, der::element(&[tag], text.as_bytes())])])
    };
    let named = |serials: &[(u8, &str)]| {
        let mut parts = vec![attribute(12, PRINTABLE, "TEE")];
        parts.extend(serials.iter().map(|(tag, serial)| attribute(5, *tag, serial)));
        der::sequence(&parts)
    };
    let both = named(&[(PRINTABLE, "5ee8e1017e57dfe8"), (PRINTABLE, "0badc0de0badc0de")]);
    // A string type that is not read as text: the bytes are looked up all the same.
    let strange = named(&[(PRINTABLE, "5ee8e1017e57dfe8"), (0x14, "0badc0de0badc0de")]);
    for name in [both, strange] {
        let mut forge = Forge::factory();
        let mut chain = forge.chain();
        let old = subject(&chain[1]);
        chain[1] = renamed(&chain[1], &old, &name, &forge.specs[2].key);
        chain[0] = renamed(&chain[0], &old, &name, &forge.specs[1].key);
        let device_key = forge.specs[0].point();
        assert_eq!(forge.examine(&chain, &device_key).refusals, []);
        for serial in ["5ee8e1017e57dfe8", "badc0de0badc0de", "0BADC0DE0BADC0DE"] {
            let list = format!(r#"{{"entries":{{"{serial}":{{"status":"REVOKED"}}}}}}"#);
            forge.revoked = StatusList::parse(list.as_bytes()).unwrap();
            assert_eq!(forge.examine(&chain, &device_key).refusals, [Reason::Revoked], "{serial}");
        }
    }
}

fn subject(der: &[u8]) -> Vec<u8> {
    X509Certificate::from_der(der).unwrap().1.subject().as_raw().to_vec()
}

/// The certificate with one name for another, signed anew.
fn renamed(der: &[u8], old: &[u8], new: &[u8], signer: &rcgen::KeyPair) -> Vec<u8> {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    let tbs = certificate.tbs_certificate.as_ref();
    // Identifier, 0x82, two octets of length.
    assert_eq!(tbs[..2], [0x30, 0x82]);
    let content = &tbs[4..];
    let at = content.windows(old.len()).position(|window| window == old).unwrap();
    let body = der::element(&[0x30], &[&content[..at], new, &content[at + old.len()..]].concat());
    let signature = der::element(&[3], &[vec![0], signer.sign(&body).unwrap()].concat());
    // The algorithm stands between: what is left of the original without its first and last part.
    let raw = &der[4 + tbs.len()..];
    let algorithm = raw[..2 + usize::from(raw[1])].to_vec();
    der::sequence(&[body, algorithm, signature])
}
