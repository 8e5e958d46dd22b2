//! Renewal: what costs an instance one answer, what costs it all of them, and whose word the build is.

use api::attestation::{App, Platform};
use attestation::evidence::Reason;
use crypto::b64;
use crypto::hpke::KeyPair;
use identity::Jwk;
use runtime::Clock as _;
use serde_json::{Value, json};
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::IosProfile;

use crate::service::{accepted, claims};
use crate::world::{Phone, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_network_held_back_costs_one_answer() {
    let world = World::new().await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    phone.enroll(&world).await;
    let challenge = world.challenge(phone.platform(), "assertion").await;
    let held = phone.assert(&challenge, world.clock.unix()).body;
    assert!(accepted(&world, &phone, &phone.renew(&world).await, None).await);
    let late = world.post("/v1/assertions", &held).await;
    assert!(!accepted(&world, &phone, &late, None).await);
    assert_eq!(world.verdict(&late).await, ["apple.counter_replayed"]);
    assert!(accepted(&world, &phone, &phone.renew(&world).await, None).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_assertion_costs_all_answers() {
    let world = World::new().await;
    let phone = Phone::ios(&world, IosProfile::genuine());
    phone.enroll(&world).await;
    let challenge = world.challenge(phone.platform(), "assertion").await;
    let mut body = phone.assert(&challenge, world.clock.unix()).body;
    let object = &mut body["assertion"]["assertion_object"];
    let mut forged = b64::decode_standard(object.as_str().unwrap()).unwrap();
    *forged.last_mut().unwrap() ^= 0x40;
    *object = json!(b64::encode_standard(&forged));
    // On the way it would cost nothing: the phone's proof is about what the phone has shown.
    let reply = world.post("/v1/assertions", &body).await;
    assert_eq!(reply.problem(), (400, "request.invalid", "proof"));
    assert!(accepted(&world, &phone, &phone.renew(&world).await, None).await);
    phone.sign(&mut body, world.clock.unix());
    let reply = world.post("/v1/assertions", &body).await;
    assert_eq!(world.verdict(&reply).await, ["chain.signature_invalid"]);
    let reply = phone.renew(&world).await;
    assert_eq!(world.verdict(&reply).await, ["instance.decoyed"]);
    assert!(!accepted(&world, &phone, &reply, None).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_the_instance_no_longer_meets_costs_answers_while_it_does_not() {
    let world = World::with(|config| config.policy.android.as_mut().unwrap().minimum_build = 1.into()).await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    phone.enroll(&world).await;
    // As if it had enrolled under a policy that asked less.
    for (less, again, reason) in [
        ("level = 'software'", "level = 'tee'", "evidence.level_too_low"),
        ("app_build = '0'", "app_build = '1'", "evidence.build_refused"),
    ] {
        world.sql(&format!("update instances set {less}")).await.unwrap();
        let reply = phone.renew(&world).await;
        assert_eq!(world.verdict(&reply).await, [reason]);
        assert!(!accepted(&world, &phone, &reply, None).await);
        world.sql(&format!("update instances set {again}")).await.unwrap();
        assert!(accepted(&world, &phone, &phone.renew(&world).await, None).await, "{reason}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_shadow_mode_is_noted_on_renewal_too() {
    let world = World::with(|config| config.policy.android.as_mut().unwrap().shadow = vec![Reason::LevelTooLow]).await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    phone.enroll(&world).await;
    world.sql("update instances set level = 'software'").await.unwrap();
    let reply = phone.renew(&world).await;
    assert_eq!(world.verdict(&reply).await, Vec::<String>::new());
    assert_eq!(world.notes(&reply).await, ["evidence.level_too_low"]);
    world.stop().await;
}

/// iOS 27 attests `CFBundleVersion`, a text; the tokens carry it as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_no_number_is_attested_renewed_and_held_to_the_floor() {
    let world = World::with(|config| {
        let apple = config.policy.apple.as_mut().unwrap();
        (apple.minimum_build, apple.validation_categories) = ("1.4.2".parse().unwrap(), vec![4]);
    })
    .await;
    for (build, floor_holds) in [("1.4.2", true), ("1.4.10", true), ("02", true), ("1.4.1", false)] {
        let phone = Phone::ios(&world, IosProfile::ios_27(build.parse().unwrap()).unwrap());
        for reply in [phone.enroll(&world).await.0, phone.renew(&world).await] {
            assert_eq!(accepted(&world, &phone, &reply, None).await, floor_holds, "{build}");
            assert_eq!(claims(reply.body["tokens"][0]["token"].as_str().unwrap())["app"]["build"], build);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_version_code_is_attested_and_renewed() {
    let world =
        World::with(|config| config.policy.android.as_mut().unwrap().minimum_build = (3_u64 << 32).into()).await;
    for (version, floor_holds) in [((3_u64 << 32) + 12, true), ((2_u64 << 32) + 12, false), (12, false)] {
        let phone = Phone::android(&world, DeviceProfile { package_version: version, ..DeviceProfile::genuine() });
        for reply in [phone.enroll(&world).await.0, phone.renew(&world).await] {
            assert_eq!(accepted(&world, &phone, &reply, None).await, floor_holds, "{version}");
        }
    }
    world.stop().await;
}

/// Android's evidence proved build 7; the phone says 1, and the other way round is the same.
#[tokio::test(flavor = "multi_thread")]
async fn renewed_tokens_carry_the_build_that_was_proved_and_not_the_one_that_is_claimed() {
    let world = World::new().await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    phone.enroll(&world).await;
    world.sql("update instances set app_build = '7'").await.unwrap();
    for _ in 0..2 {
        let reply = phone.renew(&world).await;
        assert_eq!(world.verdict(&reply).await, Vec::<String>::new());
        assert_eq!(world.notes(&reply).await, ["evidence.build_mismatch"]);
        let build = |token: &Value| claims(token.as_str().unwrap())["app"]["build"].clone();
        assert_eq!(build(&reply.body["tokens"][0]["token"]), 7);
        assert_eq!(build(&reply.body["client_attestation"]), 7);
    }
    world.stop().await;
}

/// The request's platform is the phone's word: it must not choose whose word the build is, nor change what was proved.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_cannot_write_its_build_by_asserting_as_another_platform() {
    let world = World::new().await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    phone.enroll(&world).await;
    let jkt = Jwk::from(phone.device_key().public()).thumbprint();
    let proved =
        format!("select 1 from instances where jkt = '{}' and app_build = '{}'", jkt.as_str(), phone.app().build);
    let of_this_build = || async { world.sql(&proved).await.unwrap() };
    assert_eq!(of_this_build().await, 1);
    let challenge = world.challenge(Platform::Ios, "assertion").await;
    let app = App { platform: Platform::Ios, build: 999_999.into(), ..phone.app() };
    let (jwk, session) = (Jwk::from(phone.device_key().public()), KeyPair::generate());
    let object = b64::encode_standard(&[0; 32]);
    let mut body = json!({
        "challenge": challenge, "platform": "ios", "client_id": "redoubt-mobile", "app": app,
        "device_key": jwk.to_value(), "session_public_key": b64::encode(&session.public()),
        "assertion": {"format": "apple-app-attest", "key_id": object, "assertion_object": object},
    });
    phone.sign(&mut body, world.clock.unix());
    let reply = world.post("/v1/assertions", &body).await;
    let reasons = world.verdict(&reply).await;
    assert!(reasons.contains(&"evidence.app_mismatch".to_owned()), "{reasons:?}");
    assert!(!accepted(&world, &phone, &reply, None).await);
    assert_eq!(of_this_build().await, 1, "the build is the one that was proved");
    world.stop().await;
}
