//! An attestation key that has left its phone, in software, attests whatever it is told: what is said of it, and what an operator can do.

use attestation::config::Config;
use attestation::evidence::Reason;
use attestation::evidence::policy::RequiredProvisioning;
use testkit::phone::android::{AndroidPhone, DeviceProfile, Provisioning};

use crate::android_forged::Forge;
use crate::forge::{COMMON_NAME, ORGANIZATION, SERIAL, Spec, TITLE};
use crate::world::{Phone, World};

/// The phone that the keybox came from, and two that never were.
fn three_phones(world: &World, profile: &DeviceProfile) -> Vec<Phone> {
    let first = AndroidPhone::new(&world.pki.google_test_root().unwrap(), profile.clone()).unwrap();
    let copies = [(); 2].map(|()| first.with_leaked_keybox(profile.clone()));
    [first].into_iter().chain(copies).map(Phone::Android).collect()
}

fn remote_only(config: &mut Config) {
    let android = config.policy.android.as_mut().unwrap();
    (android.provisioning, android.shadow) = (RequiredProvisioning::Remote, vec![Reason::CreationTime]);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_each_phone_of_a_factory_keybox_is_let_in_with_a_note() {
    let world = World::new().await;
    for phone in three_phones(&world, &DeviceProfile::factory()) {
        let (reply, _) = phone.enroll(&world).await;
        assert_eq!(world.verdict(&reply).await, Vec::<String>::new());
        assert_eq!(world.notes(&reply).await, ["android.provisioning"]);
    }
    let (reply, _) = Phone::android(&world, DeviceProfile::genuine()).enroll(&world).await;
    assert_eq!(
        (world.verdict(&reply).await, world.notes(&reply).await),
        (vec![], vec![]),
        "a remotely provisioned one"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_asks_for_remote_provisioning_refuses_them_and_calls_nobody_a_liar() {
    let world = World::with(remote_only).await;
    // That the description speaks of another version or of a StrongBox does not help.
    let older = DeviceProfile { attestation_version: 3, ..DeviceProfile::factory() };
    for profile in [DeviceProfile::factory(), older] {
        for phone in three_phones(&world, &profile) {
            let (reply, _) = phone.enroll(&world).await;
            assert_eq!(world.verdict(&reply).await, ["android.provisioning"]);
            assert_eq!(world.verdict(&phone.renew(&world).await).await, ["instance.not_believed"]);
        }
    }
    let (reply, _) = Phone::android(&world, DeviceProfile::genuine()).enroll(&world).await;
    assert_eq!(world.verdict(&reply).await, Vec::<String>::new());
    world.stop().await;
}

/// Google counts what it has issued to a device, and says so in each certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_issued_many_certificates_is_refused_by_who_counts() {
    let world = World::with(|config| config.policy.android.as_mut().unwrap().maximum_issued = 100).await;
    for (issued, reasons) in [(8, vec![]), (100, vec![]), (101, vec!["android.certificate_farm".to_owned()])] {
        let provisioning = Provisioning::Remote { issued };
        let phone = Phone::android(&world, DeviceProfile { provisioning, ..DeviceProfile::genuine() });
        let (reply, _) = phone.enroll(&world).await;
        assert_eq!(world.verdict(&reply).await, reasons, "{issued}");
    }
    world.stop().await;
}

/// Attesting certificates are authorities, so a leaked key could certify another for each phone: new to every list, every count, every calendar.
#[test]
fn a_leaked_key_certifies_no_attesting_key() {
    for shape in [Forge::factory, Forge::remote] {
        let names: [&[(&[u64], &str)]; 2] = [
            &[(TITLE, "TEE"), (SERIAL, "0123456789abcdef")],
            &[(COMMON_NAME, "0123456789abcdef"), (ORGANIZATION, "TEE"), (SERIAL, "0123456789abcdef")],
        ];
        for name in names {
            let mut forge = shape();
            forge.specs.insert(1, Spec::p256(name));
            assert_eq!(forge.refusals(), [Reason::ShapeUnknown], "{name:?}");
        }
    }
}
