//! A master is replaced while phones go on: two processes, one with the former master and one with the next.

use std::path::PathBuf;

use attestation::config::{Config, OtherMaster};
use identity::{attestation_token, client_attestation};
use runtime::Clock as _;
use serde_json::{Value, json};
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::IosProfile;

use crate::service::shape;
use crate::world::{Phone, Reply, World};

/// The next master, beside the one that the development PKI has.
fn next_master(config: &Config) -> PathBuf {
    let file = config.keys.master_file.with_file_name("attestation-master-2");
    if !file.exists() {
        crypto::files::write_new_secret(&file, &[2; 32]).unwrap();
    }
    file
}

/// Makes tokens with the former master and knows the next one.
fn former(config: &mut Config) {
    config.keys.other = Some(OtherMaster { master_file: next_master(config), generation: 2 });
}

/// The other way round.
fn next(config: &mut Config) {
    let next = next_master(config);
    let former = std::mem::replace(&mut config.keys.master_file, next);
    config.keys.generation = 2;
    config.keys.other = Some(OtherMaster { master_file: former, generation: 1 });
}

async fn verifies(reply: &Reply, keys_of: &World) -> bool {
    let now = keys_of.clock.unix();
    let keys = |wire: api::internal::AudienceKeys| attestation_token::AudienceKeys::try_from(&wire).unwrap();
    let ledger = keys(keys_of.audience_keys("ledger").await.unwrap());
    let auth = keys(keys_of.audience_keys("auth").await.unwrap());
    let token = attestation_token::verify(reply.body["tokens"][0]["token"].as_str().unwrap(), &ledger, "ledger", now);
    let client = client_attestation::verify(reply.body["client_attestation"].as_str().unwrap(), &auth, now);
    assert_eq!(token.is_ok(), client.is_ok());
    token.is_ok()
}

fn kid(reply: &Reply) -> String {
    let shape: Value = shape(&reply.body["tokens"][0]["token"]);
    shape["header"]["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_with_former_and_next_master_accept_each_others_tokens_and_challenges() {
    let one = World::with(former).await;
    let other = one.replica(next).await;
    for (asked, generation) in [(&one, 1), (&other, 2)] {
        let phone = Phone::android(asked, DeviceProfile::genuine());
        // The challenge by the one, the answer by the other.
        let challenger = if generation == 1 { &other } else { &one };
        let challenge = challenger.challenge(phone.platform(), "attestation").await;
        let request = phone.attest(&challenge, one.clock.unix()).body;
        let reply = asked.post("/v1/attestations", &request).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        assert!(verifies(&reply, &one).await && verifies(&reply, &other).await, "generation {generation}");
        let epoch = attestation_token::epoch_of(one.clock.unix());
        assert_eq!(kid(&reply), format!("{generation}.{epoch}"));
        // Used is used, at whichever of them.
        let again = challenger.post("/v1/attestations", &request).await;
        assert_eq!(again.problem(), (400, "attestation.challenge_invalid", "challenge"));
    }
    // Over: the former one is not accepted any more.
    let phone = Phone::ios(&one, IosProfile::genuine());
    let (reply, _) = phone.enroll(&one).await;
    let last = one.replica(|config| {
        next(config);
        config.keys.other = None;
    });
    let last = last.await;
    assert!(verifies(&reply, &other).await && !verifies(&reply, &last).await);
    let challenge = one.challenge(phone.platform(), "assertion").await;
    let stale = last.post("/v1/assertions", &phone.assert(&challenge, one.clock.unix()).body).await;
    assert_eq!(stale.problem(), (400, "attestation.challenge_invalid", "challenge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoys_key_id_is_that_of_a_genuine_token() {
    let one = World::with(former).await;
    for world in [&one, &one.replica(next).await] {
        let (genuine, _) = Phone::android(world, DeviceProfile::genuine()).enroll(world).await;
        let (decoy, _) = Phone::android(world, DeviceProfile::unlocked()).enroll(world).await;
        assert!(verifies(&genuine, world).await && !verifies(&decoy, world).await);
        assert_eq!(kid(&genuine), kid(&decoy));
    }
}

/// Junk may ask for as many challenges as it likes: nothing is kept of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_leaves_no_row_until_it_is_used() {
    let world = World::new().await;
    let phone = Phone::android(&world, DeviceProfile::genuine());
    for purpose in ["attestation", "assertion"] {
        for _ in 0..10 {
            world.challenge(phone.platform(), purpose).await;
        }
    }
    assert_eq!(world.sql("select 1 from used_challenges").await.unwrap(), 0);
    let refused = world.post("/v1/attestations", &json!({"challenge": "AAAA"})).await;
    assert!(refused.status >= 400);
    assert_eq!(world.sql("select 1 from used_challenges").await.unwrap(), 0);
    phone.enroll(&world).await;
    assert_eq!(world.sql("select 1 from used_challenges").await.unwrap(), 1);
}
