//! Whatever comes, the parsers answer and do not panic.

use attestation::evidence::android::{self, Expected, KeyDescription, Trust};
use attestation::evidence::chain::{Anchors, Certificate};
use attestation::evidence::policy::{AndroidPolicy, AppleEnvironment, ApplePolicy};
use attestation::evidence::revocation::StatusList;
use attestation::evidence::{Reason, apple};
use proptest::prelude::*;

use crate::apple_forged::{BINDING, assertion};

fn apple_policy() -> ApplePolicy {
    let (team, bundle) = ("T".to_owned(), "b".to_owned());
    ApplePolicy {
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
    fn signed_authenticator_data(tail in nearly_cbor()) {
        let (key, policy) = (crypto::p256::SigningKey::generate(), apple_policy());
        let public = key.public();
        let expected = apple::ExpectedAssertion { client_data_hash: &BINDING, build: None, has_shown_map: false };
        let verify = |object: &[u8]| apple::verify_assertion(object, public.as_uncompressed(), &expected, &policy);
        let asserted = verify(&assertion(&key, &policy.app_id(), 1, &tail, true));
        let readable = asserted.map_or_else(|failed| failed.refusals == [Reason::AuthDataUnreadable], |_| true);
        prop_assert!(readable);
    }

    #[test]
    fn status_lists(bytes in prop::collection::vec(any::<u8>(), 0..400), serial in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(StatusList::parse(&bytes).is_err());
        let _answered = StatusList::default().lists(&serial, Some("0"));
    }
}
