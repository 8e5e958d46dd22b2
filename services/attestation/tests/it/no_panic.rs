//! Whatever comes, the parsers answer and do not panic.

use attestation::evidence::android::{self, Expected, KeyDescription, Trust};
use attestation::evidence::apple;
use attestation::evidence::chain::{Anchors, Certificate};
use attestation::evidence::policy::{AndroidPolicy, AppleEnvironment, ApplePolicy};
use attestation::evidence::revocation::StatusList;
use proptest::prelude::*;

fn apple_policy() -> ApplePolicy {
    let (team, bundle) = ("T".to_owned(), "b".to_owned());
    ApplePolicy {
        team,
        bundle,
        environment: AppleEnvironment::Production,
        minimum_build: 0.into(),
        validation_categories: vec![],
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
        prop_assert!(apple::verify_assertion(&bytes, &[4; 65], &[0; 32], None, &policy).is_err());
    }

    #[test]
    fn status_lists(bytes in prop::collection::vec(any::<u8>(), 0..400), serial in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(StatusList::parse(&bytes).is_err());
        let _answered = StatusList::default().lists(&serial, Some("0"));
    }
}
