//! What whoever ends TLS before the API reads of a payee: nothing of its IBAN. The test's server is exactly there.

use std::sync::LazyLock;

use api::payees::{NameCheck, Payee, PostPayee, PostSealedPayee};
use api::payouts::MaskedIban;
use crypto::agreement::AgreementKey;
use identity::Thumbprint;
use identity::sealed_field::{Intent, OpeningKeys};
use mobile_sdk::IdempotencyKey;
use uuid::Uuid;

use super::backend::{Fault, Signed, Switches};
use super::calls::started;
use super::world::Backend;

/// The API's, whose public half the attestation service gives out.
pub(crate) static OPENING_KEYS: LazyLock<OpeningKeys> =
    LazyLock::new(|| OpeningKeys::new(vec![AgreementKey::generate()]).unwrap());

const IBAN: &str = "DE89370400440532013000";

fn payee() -> PostPayee {
    PostPayee { name: "Landlord Ltd".to_owned(), iban: IBAN.to_owned() }
}

/// What the API answers to it.
pub(crate) fn added(payee: &PostSealedPayee) -> Payee {
    Payee {
        id: Uuid::nil().into(),
        name: payee.name.clone(),
        iban: MaskedIban::of(IBAN),
        created_at: "2026-11-26T12:00:00Z".to_owned(),
        cools_off_at: "2026-11-27T12:00:00Z".to_owned(),
        name_check: NameCheck::NotChecked,
        removed_at: None,
    }
}

/// What the API reads of the last request, under this key of this phone.
fn opened(backend: &Backend, jkt: &Thumbprint, key: &IdempotencyKey) -> (String, PostSealedPayee) {
    let request = backend.state.last_api_request.lock().unwrap().clone();
    assert_eq!(request.path(), "/v1/payees");
    let seen = String::from_utf8_lossy(&request.body).into_owned();
    assert!(!seen.contains(IBAN) && seen.contains("Landlord Ltd"), "{seen}");
    let payee: PostSealedPayee = request.json();
    let intent = Intent { jkt, idempotency_key: key.as_str() };
    (OPENING_KEYS.open(&payee.iban, &intent).unwrap().expose().clone(), payee)
}

#[tokio::test]
async fn the_iban_of_a_payee_is_read_by_the_api_and_by_nobody_before_it() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let jkt: Thumbprint = phone.jkt(mobile_sdk::KeySlot::First).unwrap().parse().unwrap();
    let key = IdempotencyKey::new();
    let added = client.add_payee(&payee(), &key).await.unwrap();
    assert_eq!((added.iban.as_str(), added.name.as_str()), ("DE****3000", "Landlord Ltd"));
    let (iban, first) = opened(&backend, &jkt, &key);
    assert_eq!((iban.as_str(), first.name.as_str()), (IBAN, "Landlord Ltd"));
    // Sent again under the same key it is the same payee, sealed anew.
    client.add_payee(&payee(), &key).await.unwrap();
    let (iban, second) = opened(&backend, &jkt, &key);
    assert_eq!(iban, IBAN);
    assert_ne!(first.iban, second.iban);
}

#[tokio::test]
async fn every_attempt_seals_anew_under_the_same_key() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let jkt: Thumbprint = phone.jkt(mobile_sdk::KeySlot::First).unwrap().parse().unwrap();
    let key = IdempotencyKey::new();
    *backend.state.faults.lock().unwrap() = vec![Fault::HangAfter, Fault::Unauthorized];
    client.add_payee(&payee(), &key).await.unwrap();
    assert_eq!(opened(&backend, &jkt, &key).0, IBAN);
    assert!(backend.state.faults.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_key_to_seal_to_a_payee_is_not_sent() {
    let backend = Backend::start(Switches { seals_nothing: true, ..Switches::default() });
    let (_phone, client) = backend.logged_in().await;
    client.accounts().await.unwrap();
    let before = backend.server.requests();
    let error = client.add_payee(&payee(), &IdempotencyKey::new()).await.unwrap_err();
    assert_eq!((error.code().as_str(), backend.server.requests()), ("response.malformed", before));
}

#[tokio::test]
async fn a_payees_answer_is_authentic_like_any_other() {
    let (_backend, client) = started(Signed::Forged).await;
    assert!(client.add_payee(&payee(), &IdempotencyKey::new()).await.is_err());
}
