//! What phones and verifiers get: genuine phones tokens that verify, all others decoys that look the same.

use attestation::Attestation;
use crypto::b64;
use crypto::hpke::{KeyPair, Sealed};
use identity::{Level, TokenError, attestation_token, client_attestation, jose};
use runtime::{Clock as _, Service as _};
use serde_json::Value;
use testkit::phone::android::{AndroidAttack, DeviceProfile};
use testkit::phone::ios::{IosAttack, IosProfile};

use crate::world::{Phone, Reply, World};

/// Whether the API's verifier and the authorization server accept what came, and everything in it fits together.
pub(crate) async fn accepted(world: &World, phone: &Phone, reply: &Reply, session: Option<&KeyPair>) -> bool {
    assert_eq!(reply.status, 201, "{}", reply.body);
    let now = world.clock.unix();
    let ledger = attestation_token::AudienceKeys::try_from(&world.audience_keys("ledger").await.unwrap()).unwrap();
    let auth = attestation_token::AudienceKeys::try_from(&world.audience_keys("auth").await.unwrap()).unwrap();
    let issued = &reply.body["tokens"][0];
    let token = issued["token"].as_str().unwrap();
    let attestation = client_attestation::verify(reply.body["client_attestation"].as_str().unwrap(), &auth, now);
    let verified = attestation_token::verify_with_session_key(token, &ledger, "ledger", now);
    assert_eq!(attestation.is_ok(), verified.is_ok(), "both or none");
    if let (Err(attestation), Err(verified)) = (&attestation, &verified) {
        assert_eq!((attestation, verified), (&TokenError::Decoy, &TokenError::Decoy), "verifiers know what it is");
    }
    let (Ok(attestation), Ok((claims, key))) = (attestation, verified) else { return false };
    let jwk = identity::Jwk::from(phone.device_key().public());
    assert_eq!((&claims.cnf.jkt, &attestation.cnf.jwk), (&jwk.thumbprint(), &jwk));
    assert_eq!((claims.support_id.as_str(), attestation.support_id.as_str()), (support_id(reply), support_id(reply)));
    assert_eq!((claims.app, claims.client_id, claims.policy), (phone.app(), attestation.sub, "test-1".to_owned()));
    if let Some(session) = session {
        assert_eq!(open(issued, session).as_slice(), key.expose(), "the phone and the API have the same session key");
    }
    true
}

fn support_id(reply: &Reply) -> &str {
    reply.body["support_id"].as_str().unwrap()
}

/// The session key as the phone gets it, sealed to its ephemeral key and to the token's id.
fn open(issued: &Value, session: &KeyPair) -> Vec<u8> {
    let part = |name: &str| b64::decode(issued["session_key"][name].as_str().unwrap()).unwrap();
    let sealed = Sealed { enc: part("enc"), ct: part("ciphertext") };
    let jti = claims(issued["token"].as_str().unwrap())["jti"].as_str().unwrap().to_owned();
    session.open(b"redoubt-session-key-v1", jti.as_bytes(), &sealed).unwrap().expose().clone()
}

/// The claims of a token as a phone reads them.
pub(crate) fn claims(token: &str) -> Value {
    serde_json::from_slice(&b64::decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn genuine_phones_get_tokens_that_verify_and_renew() {
    let world = World::new().await;
    for (phone, level) in [
        (Phone::android(&world, DeviceProfile::genuine()), Level::Tee),
        (Phone::ios(&world, IosProfile::genuine()), Level::SecureEnclave),
    ] {
        let (reply, session) = phone.enroll(&world).await;
        assert_eq!(world.verdict(&reply).await, Vec::<String>::new());
        assert!(accepted(&world, &phone, &reply, Some(&session)).await);
        assert_eq!(claims(reply.body["tokens"][0]["token"].as_str().unwrap())["level"], level.as_ref());
        for _ in 0..3 {
            let reply = phone.renew(&world).await;
            assert!(accepted(&world, &phone, &reply, None).await, "{:?}", world.verdict(&reply).await);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_believed_gets_decoys_for_a_reason_that_only_the_operator_sees() {
    let world = World::new().await;
    let android = |attack| DeviceProfile { attack: Some(attack), ..DeviceProfile::genuine() };
    let ios = |attack| IosProfile { attack: Some(attack), ..IosProfile::genuine() };
    for (phone, reason) in [
        (Phone::android(&world, DeviceProfile::repackaged()), "android.signer_mismatch"),
        (Phone::android(&world, DeviceProfile::unlocked()), "android.device_unlocked"),
        (Phone::android(&world, android(AndroidAttack::ChainExtension)), "android.extension_misplaced"),
        (Phone::android(&world, android(AndroidAttack::OtherKey)), "evidence.key_mismatch"),
        (Phone::android(&world, android(AndroidAttack::ReplayedChallenge(vec![1; 32]))), "evidence.challenge_mismatch"),
        (Phone::ios(&world, IosProfile::other_bundle()), "evidence.app_mismatch"),
        (Phone::ios(&world, ios(IosAttack::OtherKey)), "apple.key_id_mismatch"),
        (Phone::ios(&world, ios(IosAttack::ReplayedChallenge([1; 32]))), "apple.nonce_mismatch"),
    ] {
        let (reply, session) = phone.enroll(&world).await;
        let reasons = world.verdict(&reply).await;
        assert!(reasons.iter().any(|found| found == reason), "{reason}: {reasons:?}");
        assert!(!accepted(&world, &phone, &reply, None).await, "{reason}");
        assert_eq!(open(&reply.body["tokens"][0], &session).len(), 32, "the phone opens its session key all the same");
        // And ever after, whatever it does.
        let reply = phone.renew(&world).await;
        assert!(!accepted(&world, &phone, &reply, None).await, "{reason}");
        // An owner who unlocked the phone did not lie, and may lock it again.
        let marks = world.verdict(&reply).await;
        assert!(marks.contains(&"instance.not_believed".to_owned()), "{reason}: {marks:?}");
        let sticks = marks.contains(&"instance.decoyed".to_owned());
        assert_eq!(sticks, reason != "android.device_unlocked", "{reason}: {marks:?}");
    }
    world.stop().await;
}

/// Everything in an answer that is not random: members, types, lengths; of tokens the header and the claims.
pub(crate) fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(text) if text.starts_with("eyJ") => {
            let header: Value = serde_json::from_slice(&b64::decode(text.split('.').next().unwrap()).unwrap()).unwrap();
            let lengths: Vec<_> = text.split('.').map(str::len).collect();
            serde_json::json!({"header": header, "claims": shape(&claims(text)), "lengths": lengths})
        }
        Value::String(text) => serde_json::json!(text.len()),
        other => other.clone(),
    }
}

fn header_names(reply: &Reply) -> Vec<(String, String)> {
    let varies = ["request-id", "date", "traceparent", "attested-signature"];
    let of = |name: &str, value: &str| {
        (name.to_owned(), if varies.contains(&name) { value.len().to_string() } else { value.to_owned() })
    };
    let mut names: Vec<_> =
        reply.headers.iter().map(|(name, value)| of(name.as_str(), value.to_str().unwrap())).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genuine_answer_and_a_decoy_have_one_shape() {
    let world = World::new().await;
    let stuck = IosProfile { attack: Some(IosAttack::OtherKey), ..IosProfile::genuine() };
    for (genuine, other) in [
        (Phone::android(&world, DeviceProfile::genuine()), Phone::android(&world, DeviceProfile::repackaged())),
        (Phone::ios(&world, IosProfile::genuine()), Phone::ios(&world, stuck)),
    ] {
        let pairs = [
            (genuine.enroll(&world).await.0, other.enroll(&world).await.0),
            (genuine.renew(&world).await, other.renew(&world).await),
        ];
        for (real, decoy) in pairs {
            assert!(accepted(&world, &genuine, &real, None).await && !accepted(&world, &other, &decoy, None).await);
            assert_eq!((real.status, header_names(&real)), (decoy.status, header_names(&decoy)));
            assert_eq!(shape(&real.body), shape(&decoy.body));
            assert_eq!(real.body.to_string().len(), decoy.body.to_string().len());
            // What fields are sealed to is told to both: it says nothing of what was thought.
            let told = [&real, &decoy]
                .map(|reply| identity::Jwk::from_value(&reply.body["tokens"][0]["sealing_key"]).unwrap());
            assert_eq!(told, [world.sealing_key(), world.sealing_key()]);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoyed_iphone_stays_decoyed_although_it_later_tells_the_truth() {
    let world = World::new().await;
    let liar = Phone::ios(&world, IosProfile { attack: Some(IosAttack::OtherKey), ..IosProfile::genuine() });
    let (reply, _) = liar.enroll(&world).await;
    assert!(!accepted(&world, &liar, &reply, None).await);
    let Phone::Ios(_, device_key) = &liar else { unreachable!() };
    let honest = Phone::ios(&world, IosProfile::genuine());
    let Phone::Ios(hardware, _) = honest else { unreachable!() };
    let honest = Phone::Ios(hardware, device_key.clone());
    let (reply, _) = honest.enroll(&world).await;
    assert_eq!(world.verdict(&reply).await, ["instance.decoyed"]);
    assert!(!accepted(&world, &honest, &reply, None).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifiers_get_their_own_keys_and_nobody_else_gets_any() {
    let world = World::new().await;
    for peer in ["ledger", "auth"] {
        let keys = world.audience_keys(peer).await.unwrap();
        assert_eq!((keys.audience.as_str(), keys.keys.len(), keys.decoys.len()), (peer, 3, 3));
        assert!(keys.decoys.iter().all(|decoy| keys.keys.iter().all(|key| key.secret != decoy.secret)));
    }
    let secret = |keys: api::internal::AudienceKeys| {
        keys.keys.into_iter().chain(keys.decoys).map(|key| key.secret).collect::<Vec<_>>()
    };
    let (ledger, auth) = (world.audience_keys("ledger").await.unwrap(), world.audience_keys("auth").await.unwrap());
    assert!(secret(ledger).iter().all(|key| !secret(auth.clone()).contains(key)));
    for peer in ["broker", "operator", "partner"] {
        assert_eq!(world.audience_keys(peer).await.err(), Some(403), "{peer}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_epochs_tokens_verify_under_keys_fetched_before() {
    let world = World::new().await;
    let before = attestation_token::AudienceKeys::try_from(&world.audience_keys("ledger").await.unwrap()).unwrap();
    world.clock.advance(attestation_token::EPOCH);
    let phone = Phone::ios(&world, IosProfile::genuine());
    let (reply, _) = phone.enroll(&world).await;
    let token = reply.body["tokens"][0]["token"].as_str().unwrap();
    assert!(attestation_token::verify(token, &before, "ledger", world.clock.unix()).is_ok());
    world.stop().await;
}

#[test]
fn every_route_names_its_guard() {
    let routes = Attestation::describe();
    assert!(routes.iter().all(|route| !route.guard.is_empty() && !route.summary.is_empty()));
    // Nobody is known before this service has spoken; what it hands out inside is for peers.
    let (public, internal): (Vec<_>, Vec<_>) = routes.iter().partition(|route| route.listener == "public");
    let paths: Vec<&str> = public.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(paths, ["/v1/challenges", "/v1/attestations", "/v1/assertions"]);
    assert!(!internal.is_empty() && internal.iter().all(|route| route.guard.starts_with("Peer<")), "{internal:?}");
}

/// A token is not what it seems to a phone that tries: neither kind verifies under anything it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_cannot_verify_either_kind() {
    let world = World::new().await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    let (reply, session) = phone.enroll(&world).await;
    let token = reply.body["tokens"][0]["token"].as_str().unwrap();
    let parsed = jose::parse(token, attestation_token::TYP).unwrap();
    let session_key = open(&reply.body["tokens"][0], &session);
    assert!(parsed.verify_hs256::<Value>(&session_key).is_err());
    assert!(parsed.verify_es256::<Value>(&phone.device_key().public()).is_err());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_app_on_one_platform_is_none_on_the_other() {
    let world = World::new().await;
    let refused = |reply: Reply| {
        assert_eq!(reply.problem(), (403, "client.unknown", ""));
        assert_eq!(reply.refused.as_deref(), Some("attestation/app_of_another_key"));
    };
    let asked = serde_json::json!({ "platform": "ios", "purpose": "attestation" });
    refused(world.post_by(&world.client, "/v1/challenges", &asked).await);
    let phone = Phone::ios(&world, IosProfile::genuine());
    let challenge = world.challenge(api::attestation::Platform::Ios, "attestation").await;
    let body = phone.attest(&challenge, world.clock.unix()).body;
    refused(world.post_by(&world.client, "/v1/attestations", &body).await);
    assert_eq!(world.post("/v1/attestations", &body).await.status, 201, "and nothing was used up");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_serves_people_has_no_layer_whose_word_does_not_count() {
    let world = World::new().await;
    for mode in [defense::Mode::Off, defense::Mode::Shadow, defense::Mode::Enforce] {
        let mut config = crate::world::config(&world.pki, &world.database);
        config.defense.modes.insert(defense::LayerId::ApiKey, mode);
        let started = runtime::start::<Attestation>(config, world.clock.clone()).await;
        let error = started.err().unwrap().to_string();
        assert!(error.contains("[defense.modes]"), "{error}");
    }
    world.stop().await;
}
