//! Whatever comes, the parsers answer and do not panic.

use attestation::evidence::android::{self, Expected, KeyDescription, Trust};
use attestation::evidence::chain::{Anchors, Certificate};
use attestation::evidence::policy::{AndroidPolicy, AppleEnvironment, ApplePolicy};
use attestation::evidence::revocation::StatusList;
use attestation::evidence::{Failed, Reason, apple};
use proptest::prelude::*;

use crate::apple_forged::{BINDING, Forge, assertion};
use crate::{apple_leaf, der};

fn apple_policy() -> ApplePolicy {
    let (team, bundle) = ("T".to_owned(), "b".into());
    ApplePolicy {
        client_id: "redoubt-mobile".into(),
        team,
        bundle,
        environment: AppleEnvironment::Production,
        minimum_build: 0.into(),
        validation_categories: vec![],
        platforms: vec!["iphoneos".to_owned()],
        shadow: vec![],
    }
}

fn android_policy() -> AndroidPolicy {
    serde_json::from_value(serde_json::json!({"package": "p", "signer_digests": []})).unwrap()
}

/// Bytes that look like DER for a while: tags and lengths from the right sets.
fn nearly_der() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        prop::sample::select(vec![
            0x30, 0x31, 0x02, 0x04, 0x05, 0x0a, 0x01, 0x03, 0xa0, 0xa1, 0xbf, 0x80, 0x81, 0x82, 0x83, 0x84
        ]),
        0u8..40,
        any::<u8>(),
    ];
    prop::collection::vec(byte, 0..300)
}

/// Bytes that look like CBOR for a while: heads of maps, texts, bytes, arrays and tags, definite and not, and the names that are known.
fn nearly_cbor() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        prop::sample::select(vec![
            0xa0_u8, 0xa1, 0xa2, 0xa4, 0xbf, 0xff, 0x61, 0x7f, 0x5f, 0x44, 0x82, 0x9f, 0xc1, 0xd8, 0xf6, 0xfb
        ])
        .prop_map(|head| vec![head]),
        prop::sample::select(vec!["apple_bundle_version_01", "apple_validation_category_01", "a"]).prop_map(|name| {
            let mut cbor = minicbor::Encoder::new(Vec::new());
            cbor.str(name).unwrap();
            cbor.into_writer()
        }),
        Just(vec![0x44, 4, 0, 0, 0]),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Whole maps of what iOS 27 tells, each field of one type or another.
fn nearly_maps() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec!["apple_bundle_version_01", "apple_validation_category_01", "a"]);
    let value = prop::sample::select(vec![vec![0x62, b'1', b'2'], vec![0x44, 4, 0, 0, 0], vec![0x0c], vec![0x80]]);
    prop::collection::vec((name, value), 0..4).prop_map(|fields| {
        let mut cbor = minicbor::Encoder::new(Vec::new());
        cbor.map(fields.len() as u64).unwrap();
        for (name, value) in fields {
            cbor.str(name).unwrap().writer_mut().extend(value);
        }
        cbor.into_writer()
    })
}

/// Tagged fields as Apple's certificate has them, of which some are known, in a sequence that is whole.
fn nearly_apples() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(vec![3_u32, 5, 1026, 1204, 1400, 9000]);
    let text = prop::sample::select(vec!["iphoneos", "macosx", "REDOUBT001.dev.redoubt.app", "", "rsec"]);
    let value = prop_oneof![text.prop_map(|text| der::octets(text.as_bytes())), nearly_der(), Just(der::null())];
    let fields = prop::collection::vec((tag, value).prop_map(|(tag, value)| der::explicit(tag, &value)), 0..6);
    fields.prop_map(|fields| der::sequence(&fields))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn certificates_and_descriptions(bytes in nearly_der()) {
        prop_assert!(Certificate::parse(&bytes).is_err());
        let _answered = KeyDescription::parse(&bytes).is_ok();
    }

    #[test]
    fn chains(chain in prop::collection::vec(nearly_der(), 0..8), now in any::<i64>()) {
        let (anchors, revoked, policy) = (Anchors::google().unwrap(), StatusList::default(), android_policy());
        let expected = Expected { challenge: b"", device_key: &[0; 65], build: None };
        let trust = Trust { anchors: &anchors, revoked: &revoked, policy: &policy };
        prop_assert!(!android::examine(&chain, &expected, &trust, now).is_genuine());
    }

    #[test]
    fn app_attest(bytes in prop::collection::vec(any::<u8>(), 0..400), now in any::<i64>()) {
        let (anchors, policy) = (Anchors::apple().unwrap(), apple_policy());
        let expected = apple::Expected { client_data_hash: &[0; 32], key_id: &[0; 32], build: None };
        let trust = apple::Trust { anchors: &anchors, policy: &policy };
        prop_assert!(!apple::examine(&bytes, &expected, &trust, now).is_genuine());
        let expected = apple::ExpectedAssertion { client_data_hash: &[0; 32], build: None, has_shown_map: false };
        prop_assert!(apple::verify_assertion(&bytes, &[4; 65], &expected, &policy).is_err());
    }

    /// Under a good signature, so that all that stands behind it is read.
    #[test]
    fn signed_authenticator_data(tail in prop_oneof![nearly_cbor(), nearly_maps()]) {
        let (key, policy) = (crypto::p256::SigningKey::generate(), apple_policy());
        let public = key.public();
        let object = assertion(&key, &policy.app_id(), 1, &tail, true);
        let verify = |has_shown_map| {
            let expected = apple::ExpectedAssertion { client_data_hash: &BINDING, build: None, has_shown_map };
            apple::verify_assertion(&object, public.as_uncompressed(), &expected, &policy)
        };
        let first = verify(false);
        let readable = |failed: &Failed| failed.refusals == [Reason::AuthDataUnreadable];
        prop_assert!(first.as_ref().map_or_else(readable, |_| true));
        // Whatever it is, it does not pass for the map.
        let has_map = first.as_ref().is_ok_and(|asserted| asserted.has_map);
        prop_assert_eq!(verify(true).is_ok(), has_map);
    }

    /// In a certificate that Apple has signed, whatever is in its extensions is at worst another system's or another app's.
    #[test]
    fn signed_extensions_of_apples_leaf(contents in prop::collection::vec((5_u64..8, prop_oneof![nearly_der(), nearly_apples()]), 0..4)) {
        let mut forge = Forge::new();
        forge.extensions = contents.into_iter().map(|(last, content)| apple_leaf::extension(last, content)).collect();
        let object = forge.object();
        let refusals = forge.examine(&object).refusals;
        let known = [Reason::AppMismatch, Reason::PlatformRefused, Reason::MacSecurity];
        prop_assert!(refusals.iter().all(|reason| known.contains(reason)), "{refusals:?}");
    }

    #[test]
    fn status_lists(bytes in prop::collection::vec(any::<u8>(), 0..400), serial in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(StatusList::parse(&bytes).is_err());
        let _answered = StatusList::default().lists(&serial, Some("0"));
    }
}
