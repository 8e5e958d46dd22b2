//! The IBAN of a payee: what is taken, what is refused and under which reason, and what somebody reads who ends TLS on the way.

use std::process::Command;

use crypto::agreement::AgreementKey;
use crypto::files::write_new_secret;
use identity::Jwk;
use identity::sealed_field::{self, Intent};
use serde_json::{Value, json};
use testkit::authority::{Reply, SyntheticPhone};
use testkit::interception::Interception;

use crate::payouts::payout;
use crate::world::{IBAN, World, logged, until};

/// A payee as it travels, with this in the place of the IBAN.
fn payee(iban: impl serde::Serialize) -> Value {
    json!({ "name": "Landlord Ltd", "iban": iban })
}

/// Code, field and the operator's reason of a refusal.
fn refusal(reply: &Reply) -> (u16, String, Value, String) {
    let request_id = reply.headers["request-id"].to_str().unwrap();
    let log = String::from_utf8_lossy(&logged().lock().unwrap()).into_owned();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["target"] == "audit" && line["request_id"] == request_id).unwrap();
    assert_eq!((&line["layer"], &line["subject"]), (&json!("sealed_field"), &json!("sub-alice")), "{line}");
    assert!(reply.authentic, "a handler's refusal is signed");
    let reason = line["reason"].as_str().unwrap().to_owned();
    (reply.status, reply.code().to_owned(), reply.body["field"].clone(), reason)
}

/// Alice, whose app seals nothing by itself.
async fn alice(world: &World) -> SyntheticPhone {
    world.phone("alice").await.as_it_is()
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_refused_alike_and_the_log_knows_which() {
    logged();
    let world = World::start().await;
    let alice = alice(&world).await;
    let other = world.phone("alice").await;
    let sealed = alice.seal_iban(IBAN, "k").as_str().to_owned();
    let part = |at: usize| sealed.split('.').nth(at).unwrap().to_owned();
    let with = |at: usize, text: &str| {
        let mut parts: Vec<&str> = sealed.split('.').collect();
        parts[at] = text;
        parts.join(".")
    };
    let header = |name: &str, value: &str| {
        let mut header: Value = serde_json::from_slice(&crypto::b64::decode(&part(0)).unwrap()).unwrap();
        header[name] = json!(value);
        with(0, &crypto::b64::encode(header.to_string().as_bytes()))
    };
    let cases = [
        ("field_in_the_clear", IBAN.to_owned()),
        ("field_in_the_clear", "DE".to_owned()),
        ("token_malformed", "a.b.c.d.e".to_owned()),
        ("token_malformed", with(4, "AAAA")),
        ("token_too_large", with(3, &"A".repeat(4096))),
        ("alg_unexpected", header("alg", "dir")),
        ("alg_unexpected", header("enc", "A128GCM")),
        ("typ_unexpected", header("typ", "JWE")),
        ("extension_unsupported", header("zip", "DEF")),
        ("key_unknown", header("kid", "old")),
        ("purpose_mismatch", header("apv", &crypto::b64::encode(b"ledger.card.number"))),
        ("context_mismatch", alice.seal_iban(IBAN, "another order").as_str().to_owned()),
        ("context_mismatch", other.seal_iban(IBAN, "k").as_str().to_owned()),
        ("does_not_open", with(3, &crypto::b64::encode(&[7; 22]))),
        // The header is authenticated, too: the same members in another order.
        ("does_not_open", header("typ", sealed_field::TYP)),
    ];
    for (reason, iban) in cases {
        let reply = world.post_with_key(&alice, "/v1/payees", &payee(&iban), "k").await;
        let code = if reason == "field_in_the_clear" {
            "request.field_sealed_required"
        } else {
            "request.field_sealed_invalid"
        };
        let expected = (400, code.to_owned(), json!("iban"), reason.to_owned());
        assert_eq!(refusal(&reply), expected, "{iban}");
        assert!(reply.body.get("detail").is_none(), "nothing is said of why");
    }
    // None of it has used up the key; as it was sealed it is taken.
    let reply = world.post_with_key(&alice, "/v1/payees", &payee(&sealed), "k").await;
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    let log = String::from_utf8_lossy(&logged().lock().unwrap()).into_owned();
    assert!(!log.contains(IBAN), "an IBAN is in the log");
}

#[tokio::test]
async fn no_answer_repeats_the_iban_and_the_partner_gets_it_whole() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    let alice = alice.as_it_is();
    let added = world.post_with_key(&alice, "/v1/payees", &payee(alice.seal_iban(IBAN, "k")), "k").await;
    let payee_id = added.body["id"].as_str().unwrap().to_owned();
    let order =
        json!({ "from_account": account, "amount": { "amount": "1.00", "currency": "EUR" }, "payee_id": payee_id });
    let made = world.post(&alice, "/v1/payouts", &order).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    until(|| async { world.payout_status(&alice, &id).await == "submitted" }).await;
    assert_eq!(world.broker.calls("create_payout")[0]["params"]["creditor_iban"], IBAN);
    let read = world.get(&alice, &format!("/v1/payouts/{id}")).await;
    let statement = world.get(&alice, &format!("/v1/accounts/{account}/entries")).await;
    let (_, to_broker) = world.event("e-1", &id, "paid").await;
    for answer in [&made.body, &read.body, &to_broker] {
        assert_eq!(answer["creditor"], json!({ "name": "Landlord Ltd", "iban": "DE****3000" }));
    }
    let one = world.get(&alice, &format!("/v1/payees/{payee_id}")).await;
    let list = world.get(&alice, "/v1/payees").await;
    let removed = alice.send(reqwest::Method::POST, &world.url(&format!("/v1/payees/{payee_id}/removal")), None).await;
    for answer in [&added.body, &one.body, &list.body["payees"][0], &removed.body] {
        assert_eq!((&answer["name"], &answer["iban"]), (&json!("Landlord Ltd"), &json!("DE****3000")), "{answer}");
    }
    for answer in [made.body, read.body, to_broker, statement.body, added.body, one.body, list.body, removed.body] {
        assert!(!answer.to_string().contains("0440532013"), "{answer}");
    }
}

/// Sealed anew it is another text, and the same payee: the key's outcome is that of what was sealed.
#[tokio::test]
async fn a_payee_that_is_sealed_again_under_its_key_is_the_same_payee() {
    let world = World::start().await;
    let alice = alice(&world).await;
    let post =
        async |iban: &str| world.post_with_key(&alice, "/v1/payees", &payee(alice.seal_iban(iban, "k")), "k").await;
    let first = post(IBAN).await;
    let second = post(IBAN).await;
    assert_eq!((first.status, second.status, &first.body), (201, 201, &second.body));
    assert!(second.headers.contains_key("idempotent-replayed") && !first.headers.contains_key("idempotent-replayed"));
    // With another IBAN it is another payee, which the key is not for.
    let other = post("AT611904300234573201").await;
    assert_eq!((other.status, other.code()), (422, "idempotency.key_reused"));
    // What is sealed is judged like what is in the clear.
    let body = payee(alice.seal_iban("DE89370400440532013001", "k2"));
    let invalid = world.post_with_key(&alice, "/v1/payees", &body, "k2").await;
    assert_eq!((invalid.status, invalid.code(), &invalid.body["field"]), (400, "request.invalid", &json!("iban")));
}

#[tokio::test]
async fn while_the_key_is_replaced_both_are_taken_and_afterwards_the_new_one_only() {
    logged();
    let mut world = World::start().await;
    let alice = alice(&world).await;
    let (old_file, new_file) = (world.pki.secret("ledger-sealing.pk8"), world.pki.dir().join("next.pk8"));
    let new = AgreementKey::generate();
    write_new_secret(&new_file, new.to_pkcs8().unwrap().expose()).unwrap();
    let to_new = |alice: &SyntheticPhone, key: &str| {
        let jkt = alice.thumbprint();
        let intent = Intent { jkt: &jkt, idempotency_key: key };
        sealed_field::seal::<api::payees::PayeeIban>(&Jwk::from(new.public()), &intent, IBAN).unwrap()
    };
    let sent = async |world: &World, alice: &SyntheticPhone, key: &str, iban| {
        world.sql("update payees set removed_at = now() where removed_at is null").await;
        world.post_with_key(alice, "/v1/payees", &payee(iban), key).await
    };
    let early = sent(&world, &alice, "1", to_new(&alice, "1")).await;
    assert_eq!(refusal(&early).3, "key_unknown");
    world.start_again_where(|config| config.sealing_key_files = vec![new_file.clone(), old_file]).await;
    alice.learn_nonce(&world.url("/v1/accounts")).await;
    assert_eq!(sent(&world, &alice, "2", alice.seal_iban(IBAN, "2")).await.status, 201);
    assert_eq!(sent(&world, &alice, "3", to_new(&alice, "3")).await.status, 201);
    world.start_again_where(|config| config.sealing_key_files = vec![new_file]).await;
    alice.learn_nonce(&world.url("/v1/accounts")).await;
    assert_eq!(sent(&world, &alice, "4", to_new(&alice, "4")).await.status, 201);
    let late = sent(&world, &alice, "5", alice.seal_iban(IBAN, "5")).await;
    assert_eq!(refusal(&late).3, "key_unknown");
}

/// ATTACKS 33. The phone accepts a rogue authority, and all of its traffic goes through whoever has installed that.
#[tokio::test]
async fn who_ends_tls_on_the_way_does_not_read_the_iban() {
    logged();
    let world = World::start().await;
    let honest = world.phone("alice").await;
    let account = world.open_with(&honest, "100.00", "EUR").await;
    let middle = Interception::start(&world.pki.public_ca()).await.unwrap();
    let sealing = honest.through(middle.app_client(&world.pki).unwrap());
    let paid = world.post_with_key(&sealing, "/v1/payouts", &payout(&account, "10.00"), "k").await;
    assert_eq!(paid.status, 201, "{:?}", paid.body);
    let read = world.get(&sealing, &format!("/v1/payouts/{}", paid.body["id"].as_str().unwrap())).await;
    assert_eq!(read.status, 200, "{:?}", read.body);
    // The whole conversation is there, and the IBAN is not, nor anything of it beyond what is shown to people.
    assert!(middle.reads("POST /v1/payees") && middle.reads("Landlord Ltd") && middle.reads("DE****3000"));
    for part in [IBAN, "37040044", "0440532013"] {
        assert!(!middle.reads(part), "{part} was read on the way");
    }
    // The twin: in the clear the same proxy reads it, and so the ledger takes none in the clear.
    let plain = sealing.as_it_is();
    let refused = world.post_with_key(&plain, "/v1/payees", &payee(IBAN), "k2").await;
    assert_eq!(refusal(&refused).3, "field_in_the_clear");
    assert!(middle.reads(IBAN));
}

#[tokio::test]
async fn the_operators_command_makes_a_key_and_shows_the_public_halves() {
    let world = World::start().await;
    let ledger = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ledger"));
        command.arg("sealing-key").args(arguments).arg("--config").arg(world.config_file()).output().unwrap()
    };
    let shown = ledger(&["public"]);
    let jwk: Jwk = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(jwk, world.pki.ledger_sealing_key().unwrap());
    let file = world.pki.dir().join("made.pk8");
    let made = ledger(&["make", "--out", file.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    let key = AgreementKey::from_pkcs8(crypto::files::read_secret(&file).unwrap().expose()).unwrap();
    assert_eq!(serde_json::from_slice::<Jwk>(&made.stdout).unwrap(), Jwk::from(key.public()));
    assert!(!ledger(&["make", "--out", file.to_str().unwrap()]).status.success(), "a key is never overwritten");
}
