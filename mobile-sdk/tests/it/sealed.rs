//! What whoever ends TLS before the API reads of a payout: nothing of its IBAN. The test's server is exactly there.

use std::sync::LazyLock;

use api::payouts::{Creditor, MaskedIban, Payout, PayoutStatus, PostPayout, PostSealedPayout};
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

fn payout() -> PostPayout {
    PostPayout {
        from_account: Uuid::nil().into(),
        amount: api::Amount::new("12.34", "EUR"),
        creditor: Creditor { name: "Landlord Ltd".to_owned(), iban: IBAN.to_owned() },
        reference: "Rent".to_owned(),
    }
}

/// What the API answers to it.
pub(crate) fn paid_out(order: &PostSealedPayout) -> Payout {
    Payout {
        id: Uuid::nil().into(),
        from_account: order.from_account,
        amount: order.amount.clone(),
        creditor: Creditor { name: order.creditor.name.clone(), iban: MaskedIban::of(IBAN) },
        reference: order.reference.clone(),
        status: PayoutStatus::Pending,
        held_until: None,
        created_at: "2026-11-26T12:00:00Z".to_owned(),
    }
}

/// What the API reads of the last request, under this key of this phone.
fn opened(backend: &Backend, jkt: &Thumbprint, key: &IdempotencyKey) -> (String, PostSealedPayout) {
    let request = backend.state.last_api_request.lock().unwrap().clone();
    assert_eq!(request.path(), "/v1/payouts");
    let seen = String::from_utf8_lossy(&request.body).into_owned();
    assert!(!seen.contains(IBAN) && seen.contains("Landlord Ltd"), "{seen}");
    let order: PostSealedPayout = request.json();
    let intent = Intent { jkt, idempotency_key: key.as_str() };
    (OPENING_KEYS.open(&order.creditor.iban, &intent).unwrap().expose().clone(), order)
}

#[tokio::test]
async fn the_iban_of_a_payout_is_read_by_the_api_and_by_nobody_before_it() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let jkt: Thumbprint = phone.jkt(mobile_sdk::KeySlot::First).unwrap().parse().unwrap();
    let key = IdempotencyKey::new();
    let paid = client.payout(&payout(), &key).await.unwrap();
    assert_eq!((paid.creditor.iban.as_str(), paid.creditor.name.as_str()), ("DE****3000", "Landlord Ltd"));
    let (iban, first) = opened(&backend, &jkt, &key);
    assert_eq!((iban.as_str(), &first.amount, first.reference.as_str()), (IBAN, &payout().amount, "Rent"));
    // Sent again under the same key it is the same order, sealed anew.
    client.payout(&payout(), &key).await.unwrap();
    let (iban, second) = opened(&backend, &jkt, &key);
    assert_eq!(iban, IBAN);
    assert_ne!(first.creditor.iban, second.creditor.iban);
}

#[tokio::test]
async fn every_attempt_seals_anew_under_the_same_key() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let jkt: Thumbprint = phone.jkt(mobile_sdk::KeySlot::First).unwrap().parse().unwrap();
    let key = IdempotencyKey::new();
    *backend.state.faults.lock().unwrap() = vec![Fault::HangAfter, Fault::Unauthorized];
    client.payout(&payout(), &key).await.unwrap();
    assert_eq!(opened(&backend, &jkt, &key).0, IBAN);
    assert!(backend.state.faults.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_key_to_seal_to_a_payout_is_not_sent() {
    let backend = Backend::start(Switches { seals_nothing: true, ..Switches::default() });
    let (_phone, client) = backend.logged_in().await;
    client.accounts().await.unwrap();
    let before = backend.server.requests();
    let error = client.payout(&payout(), &IdempotencyKey::new()).await.unwrap_err();
    assert_eq!((error.code().as_str(), backend.server.requests()), ("response.malformed", before));
}

#[tokio::test]
async fn a_payouts_answer_is_authentic_like_any_other() {
    let (_backend, client) = started(Signed::Forged).await;
    assert!(client.payout(&payout(), &IdempotencyKey::new()).await.is_err());
}
