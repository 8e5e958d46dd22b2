//! Two key slots: whatever is done in one leaves the other alone.

use mobile_sdk::{Attestor as _, DeviceKeys as _, KeySlot};

use super::super::android::DeviceProfile;
use super::super::ios::IosProfile;
use super::android;
use super::ios::{assertion, ios};

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
