//! What iOS 27 tells of the build, once told, is told always.

use attestation::evidence::apple::{self, Asserted, ExpectedAssertion};
use attestation::evidence::policy::ApplePolicy;
use attestation::evidence::{Failed, Reason};
use minicbor::Encoder;

use crate::apple_forged::{BINDING, Forge, assertion, ios_27};

/// An assertion with this tail, of an instance that has shown the map or has not.
fn asserted(tail: &[u8], has_shown_map: bool, shadow: Vec<Reason>) -> Result<Asserted, Failed> {
    let (key, forge) = (crypto::p256::SigningKey::generate(), Forge::new());
    let policy = ApplePolicy { shadow, ..forge.policy };
    let object = assertion(&key, &policy.app_id(), 1, tail, true);
    let expected = ExpectedAssertion { client_data_hash: &BINDING, build: Some(&forge.build), has_shown_map };
    apple::verify_assertion(&object, key.public().as_uncompressed(), &expected, &policy)
}

/// One field of the two.
fn half(name: &str) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    cbor.map(1).unwrap().str(name).unwrap();
    match name {
        "apple_bundle_version_01" => cbor.str("12").unwrap(),
        _ => cbor.bytes(&[4, 0, 0, 0]).unwrap(),
    };
    cbor.into_writer()
}

#[test]
fn an_assertion_without_the_map_is_refused_after_one_with_it() {
    let (whole, has_map) = (ios_27("12", 4), |tail: &[u8], before| {
        asserted(tail, before, vec![]).map(|asserted| asserted.has_map).map_err(|failed| failed.refusals)
    });
    assert_eq!(has_map(&[], false), Ok(false), "an earlier iOS");
    assert_eq!(has_map(&whole, false), Ok(true), "the update to iOS 27");
    assert_eq!(has_map(&whole, true), Ok(true));
    let missing = Err(vec![Reason::MapMissing]);
    assert_eq!(has_map(&[], true), missing);
    assert_eq!(has_map(&[0xa0], true), missing, "an empty one");
    for name in ["apple_bundle_version_01", "apple_validation_category_01", "apple_cd_hash_01"] {
        assert_eq!(has_map(&half(name), false), Ok(false), "{name} alone is not all that iOS 27 tells");
        assert_eq!(has_map(&half(name), true), missing, "{name}");
    }
}

/// An iOS that tells less one day makes no liar of anybody, and an operator can let it in.
#[test]
fn a_missing_map_is_no_lie_and_may_be_shadowed() {
    assert!(!Reason::MapMissing.is_lie() && Reason::MapMissing.may_be_shadowed());
    let found = asserted(&[], true, vec![Reason::MapMissing]).unwrap();
    assert_eq!((found.has_map, found.notes), (false, vec![Reason::MapMissing]));
}

#[test]
fn an_attestation_says_whether_it_has_the_map() {
    for (tail, has_map) in [(vec![], false), (vec![0xa0], false), (ios_27("12", 4), true)] {
        let mut forge = Forge::new();
        forge.tail = tail;
        let object = forge.object();
        let found = forge.examine(&object);
        assert_eq!((found.refusals, found.has_map), (vec![], has_map));
    }
}
