//! Who the client is: one test row per check, each with one thing broken.

use std::sync::Arc;

use api::attestation::Platform;
use crypto::p256::SigningKey;
use identity::Jwk;
use identity::attestation_token::{AudienceKey, KeyId, epoch_of};
use serde_json::json;

use crate::draft::{Client, Draft, refusal};
use crate::world::{APP, DECOYS, ISSUER, PARTNER, World, master};

/// The proof of the mode that we do not have.
const POP: (&str, &str) = ("oauth-client-attestation-pop", "ey");

/// What is broken, how, and what must come of it.
type Row = (&'static str, fn(&World, &mut Draft), (u16, &'static str, &'static str));

const ATTESTED: [Row; 18] = [
    (
        "no attestation",
        |_, draft| draft.attestation = None,
        (401, "invalid_client", "client_authentication/client_assertion_missing"),
    ),
    (
        "two attestations",
        |_, draft| draft.extra.push(("oauth-client-attestation", "second".into())),
        (401, "invalid_client", "client_authentication/attestation_ambiguous"),
    ),
    (
        "attestation and assertion",
        |_, draft| draft.set("client_assertion", "ey"),
        (400, "invalid_request", "request/two_client_authentications"),
    ),
    (
        "attestation and HTTP Basic",
        |_, draft| draft.extra.push(("authorization", "Basic cmVkb3VidC1tb2JpbGU6eA".into())),
        (400, "invalid_request", "request/two_client_authentications"),
    ),
    (
        "a PoP of its own beside the proof",
        |_, draft| draft.extra.push(("oauth-client-attestation-pop", "ey".into())),
        (401, "invalid_client_attestation", "client_attestation/pop_beside_dpop"),
    ),
    (
        "two PoPs",
        |_, draft| draft.extra.extend([POP, POP].map(|(name, value)| (name, value.to_owned()))),
        (401, "invalid_client_attestation", "client_attestation/pop_beside_dpop"),
    ),
    (
        "a decoy",
        |world, draft| {
            draft.attestation().secret = master(&DECOYS).key("auth", epoch_of(world.now()));
        },
        (401, "invalid_client_attestation", "client_attestation/decoy_used"),
    ),
    (
        "made for the ledger",
        |world, draft| {
            draft.attestation().secret = master(&[7; 32]).key("ledger", epoch_of(world.now()));
        },
        (401, "invalid_client_attestation", "client_attestation/signature_invalid"),
    ),
    (
        "an epoch that nobody knows",
        |_, draft| {
            let known = draft.attestation().secret.clone();
            let id = KeyId { epoch: known.id.epoch + 5, ..known.id };
            draft.attestation().secret = AudienceKey { id, ..known };
        },
        (401, "invalid_client_attestation", "client_attestation/key_unknown"),
    ),
    (
        "expired",
        |world, draft| (attested(draft).iat, attested(draft).exp) = (world.now() - 300, world.now()),
        (401, "use_fresh_attestation", "client_attestation/token_expired"),
    ),
    (
        "not valid yet",
        |world, draft| (attested(draft).iat, attested(draft).exp) = (world.now() + 11, world.now() + 60),
        (401, "invalid_client_attestation", "client_attestation/token_not_yet_valid"),
    ),
    (
        "of another client",
        |_, draft| attested(draft).sub = PARTNER.into(),
        (401, "invalid_client", "client_authentication/client_id_mismatch"),
    ),
    (
        "of a client that is not attested",
        |_, draft| {
            attested(draft).sub = PARTNER.into();
            draft.set("client_id", PARTNER);
        },
        (401, "invalid_client", "client_authentication/method_not_registered"),
    ),
    (
        "without the app's key",
        |_, draft| draft.keyed = None,
        (401, "invalid_client_attestation", "client_attestation/api_key_missing"),
    ),
    (
        "with the key of the app on another platform",
        |_, draft| draft.keyed = Some(Platform::Ios),
        (401, "invalid_client_attestation", "client_attestation/app_of_another_key"),
    ),
    (
        "of another app",
        |_, draft| attested(draft).app.id = "dev.other.app".into(),
        (401, "invalid_client_attestation", "client_attestation/app_of_another_key"),
    ),
    ("no proof", |_, draft| draft.proof = None, (400, "invalid_dpop_proof", "dpop/dpop_missing")),
    (
        "a proof by another key than the attested one",
        |_, draft| draft.proof().key = Arc::new(SigningKey::generate()),
        (401, "invalid_client_attestation", "client_attestation/key_of_another_instance"),
    ),
];

const PROOF: [Row; 9] = [
    (
        "two proofs",
        |_, draft| {
            let second = draft.proof().make();
            draft.extra.push(("dpop", second));
        },
        (400, "invalid_dpop_proof", "dpop/dpop_ambiguous"),
    ),
    (
        "not a proof",
        |_, draft| {
            draft.proof = None;
            draft.extra.push(("dpop", "a.b.c".into()));
        },
        (400, "invalid_dpop_proof", "dpop/token_malformed"),
    ),
    ("another method", |_, draft| draft.proof().htm = "GET".into(), (400, "invalid_dpop_proof", "dpop/htm_mismatch")),
    (
        "another URL",
        |_, draft| draft.proof().htu = format!("{ISSUER}/token"),
        (400, "invalid_dpop_proof", "dpop/htu_mismatch"),
    ),
    (
        "too old",
        |world, draft| draft.proof().iat = world.now() - 61,
        (400, "invalid_dpop_proof", "dpop/iat_outside_window"),
    ),
    (
        "from the future",
        |world, draft| draft.proof().iat = world.now() + 11,
        (400, "invalid_dpop_proof", "dpop/iat_outside_window"),
    ),
    ("without identifier", |_, draft| draft.proof().jti.clear(), (400, "invalid_dpop_proof", "dpop/jti_invalid")),
    ("without nonce", |_, draft| draft.proof().nonce = None, (400, "use_dpop_nonce", "dpop/nonce_missing")),
    (
        "with a nonce of somebody else",
        |_, draft| draft.proof().nonce = Some("AAAAAAAAAAAAAAAAAAAAAA".into()),
        (400, "use_dpop_nonce", "dpop/nonce_stale"),
    ),
];

const ASSERTION: [Row; 21] = [
    ("none", |_, draft| draft.assertion = None, client("client_authentication/client_assertion_missing")),
    (
        "beside HTTP Basic",
        |_, draft| draft.extra.push(("authorization", "Basic cGFydG5lci13ZWI6c2VjcmV0".into())),
        (400, "invalid_request", "request/two_client_authentications"),
    ),
    (
        "beside another Authorization",
        |_, draft| draft.extra.extend(["Bearer x", "DPoP x"].map(|value| ("authorization", value.to_owned()))),
        (400, "invalid_request", "request/two_client_authentications"),
    ),
    (
        "beside a secret",
        |_, draft| draft.set("client_secret", "secret"),
        (400, "invalid_request", "request/two_client_authentications"),
    ),
    (
        "beside a PoP without attestation",
        |_, draft| draft.extra.push((POP.0, POP.1.to_owned())),
        (401, "invalid_client_attestation", "client_attestation/pop_beside_dpop"),
    ),
    (
        "of another type",
        |_, draft| draft.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
        client("client_authentication/client_assertion_type_unknown"),
    ),
    (
        "for the endpoint's URL",
        |_, draft| draft.assertion().claims["aud"] = json!(format!("{ISSUER}/par")),
        client("client_authentication/audience_mismatch"),
    ),
    (
        "for the token endpoint",
        |_, draft| draft.assertion().claims["aud"] = json!(format!("{ISSUER}/token")),
        client("client_authentication/audience_mismatch"),
    ),
    (
        "with a list of audiences",
        |_, draft| draft.assertion().claims["aud"] = json!([ISSUER]),
        client("client_authentication/claims_malformed"),
    ),
    (
        "by another issuer",
        |_, draft| draft.assertion().claims["iss"] = json!("somebody"),
        client("client_authentication/issuer_mismatch"),
    ),
    (
        "without subject",
        |_, draft| draft.assertion().claims["sub"] = json!(null),
        client("client_authentication/claims_malformed"),
    ),
    (
        "of a client that is not there",
        |_, draft| {
            draft.assertion().claims["sub"] = json!("nobody");
            draft.set("client_id", "nobody");
        },
        client("client_authentication/client_unknown"),
    ),
    (
        "of a client that has no keys",
        |_, draft| {
            draft.assertion().claims["sub"] = json!(APP);
            draft.set("client_id", APP);
        },
        client("client_authentication/method_not_registered"),
    ),
    (
        "under another client_id",
        |_, draft| draft.set("client_id", APP),
        client("client_authentication/client_id_mismatch"),
    ),
    (
        "five minutes after its end",
        |world, draft| draft.assertion().claims["exp"] = json!(world.now() - 300),
        client("client_authentication/assertion_expired"),
    ),
    (
        "that lives too long",
        |world, draft| draft.assertion().claims["exp"] = json!(world.now() + 311),
        client("client_authentication/lifetime_over_300_seconds"),
    ),
    (
        "from over a minute ahead",
        |world, draft| draft.assertion().claims["nbf"] = json!(world.now() + 61),
        client("client_authentication/assertion_not_yet_valid"),
    ),
    (
        "without identifier",
        |_, draft| draft.assertion().claims["jti"] = json!(""),
        client("client_authentication/jti_invalid"),
    ),
    (
        "by another key",
        |_, draft| draft.assertion().key = Arc::new(SigningKey::generate()),
        client("client_authentication/signature_invalid"),
    ),
    (
        "under a key name that is not registered",
        |_, draft| draft.assertion().kid = "other".into(),
        client("client_authentication/key_unknown"),
    ),
    (
        "that is some other JWT",
        |_, draft| draft.assertion().typ = "at+jwt".into(),
        client("client_authentication/typ_unexpected"),
    ),
];

const fn client(reason: &'static str) -> (u16, &'static str, &'static str) {
    (401, "invalid_client", reason)
}

async fn each(world: &World, client: &Client, rows: &[Row]) {
    for (name, break_it, (status, error, reason)) in rows {
        let (mut draft, _) = client.par(world).await;
        break_it(world, &mut draft);
        let reply = draft.send(world).await;
        assert_eq!(reply.refused(), refusal(*status, error, reason), "{name}: {}", reply.text);
    }
    let (draft, _) = client.par(world).await;
    assert_eq!(draft.send(world).await.status, 201, "with nothing broken it passes");
}

fn attested(draft: &mut Draft) -> &mut identity::client_attestation::Claims {
    &mut draft.attestation().claims
}

#[tokio::test]
async fn each_check_of_the_attested_client_refuses() {
    let world = World::start().await;
    each(&world, &Client::app(), &ATTESTED).await;
}

#[tokio::test]
async fn each_check_of_the_proof_refuses() {
    let world = World::start().await;
    each(&world, &Client::app(), &PROOF).await;
    each(&world, &Client::partner(&world), &PROOF).await;
}

#[tokio::test]
async fn each_check_of_the_assertion_refuses() {
    let world = World::start().await;
    each(&world, &Client::partner(&world), &ASSERTION).await;
}

#[tokio::test]
async fn other_algorithms_are_refused_before_any_key_is_looked_for() {
    let world = World::start().await;
    let client = Client::partner(&world);
    for alg in ["none", "RS256", "HS256", "ES384"] {
        let (mut draft, _) = client.par(&world).await;
        let made = draft.assertion().make();
        let payload = made.split('.').nth(1).unwrap().to_owned();
        let header = crypto::b64::encode(json!({ "alg": alg, "kid": "partner-web-1" }).to_string().as_bytes());
        draft.set("client_assertion", &format!("{header}.{payload}.AAAA"));
        let refused = draft.send(&world).await.refused();
        assert_eq!(refused, refusal(401, "invalid_client", "client_authentication/alg_unexpected"), "{alg}");
    }
}

#[tokio::test]
async fn an_assertion_a_little_ahead_is_accepted_and_a_second_use_is_not() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (mut draft, _) = client.par(&world).await;
    draft.assertion().claims["nbf"] = json!(world.now() + 8);
    assert_eq!(draft.send(&world).await.status, 201);
    draft.proof().jti = "another".into();
    let refused = draft.send(&world).await.refused();
    assert_eq!(refused, refusal(401, "invalid_client", "client_authentication/assertion_replayed"));
}

#[tokio::test]
async fn a_proof_is_accepted_once_and_ten_seconds_either_way() {
    let world = World::start().await;
    let client = Client::app();
    for seconds in [-10, 10] {
        let (mut draft, _) = client.par(&world).await;
        draft.proof().iat += seconds;
        assert_eq!(draft.send(&world).await.status, 201, "{seconds}");
        let refused = draft.send(&world).await.refused();
        assert_eq!(refused, refusal(400, "invalid_dpop_proof", "dpop/dpop_replayed"));
    }
}

#[tokio::test]
async fn being_told_to_use_a_nonce_uses_nothing_up() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (mut draft, _) = client.par(&world).await;
    let nonce = draft.proof().nonce.take();
    let reply = draft.send(&world).await;
    assert_eq!((reply.status, reply.header("dpop-nonce")), (400, nonce.clone()));
    draft.proof().nonce = nonce;
    assert_eq!(draft.send(&world).await.status, 201, "the same assertion and identifier, now with the nonce");
}

#[tokio::test]
async fn the_nonce_lives_for_two_rounds() {
    let world = World::start().await;
    let client = Client::app();
    let nonce = world.nonce().await;
    world.clock.advance(2 * 300);
    let (mut draft, _) = client.par(&world).await;
    draft.proof().nonce = Some(nonce);
    assert_eq!(draft.send(&world).await.refused(), refusal(400, "use_dpop_nonce", "dpop/nonce_stale"));
}

#[tokio::test]
async fn when_attestation_cannot_be_asked_nobody_is_let_in_and_nobody_is_blamed() {
    let mut world = World::start().await;
    world.stop_attestation();
    let reply = Client::app().par(&world).await.0.send(&world).await;
    let expected = refusal(503, "temporarily_unavailable", "availability/audience_keys_unavailable");
    assert_eq!((reply.refused(), reply.header("retry-after").as_deref()), (expected, Some("1")));
    assert_eq!(Client::partner(&world).par(&world).await.0.send(&world).await.status, 201);
}

#[tokio::test]
async fn keys_that_were_fetched_are_good_while_attestation_is_away() {
    let mut world = World::start().await;
    Client::app().push(&world).await;
    world.stop_attestation();
    Client::app().push(&world).await;
}

#[tokio::test]
async fn a_phone_is_not_another_phone_although_both_are_genuine() {
    let world = World::start().await;
    let (alice, mallory) = (Client::app(), Client::app());
    let (mut draft, _) = mallory.par(&world).await;
    draft.attestation().claims.cnf.jwk = Jwk::from(alice.key.public());
    let expected = refusal(401, "invalid_client_attestation", "client_attestation/key_of_another_instance");
    assert_eq!(draft.send(&world).await.refused(), expected);
}
