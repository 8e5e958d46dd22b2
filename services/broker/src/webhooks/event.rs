//! What the events of a payment provider mean inside the house: which request to which service.
//!
//! Only what is needed is read from an event, into types; nothing of the provider's message travels on as it came.

use api::internal::{Deposit, PayoutEvent, PayoutOutcome};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

/// The types of events that are understood; a manifest can name no other.
pub const TYPES: [&str; 4] = ["payment.received", "payout.paid", "payout.failed", "payout.returned"];

/// A request for the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The path on its internal listener.
    pub path: &'static str,
    /// The body.
    pub body: Value,
}

/// The event is signed and yet not what was agreed. The message names the field and repeats no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the event is not of the agreed form")]
pub struct EventError;

/// The envelope of every event. Providers add fields over time, so unknown ones are ignored here.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

#[derive(Deserialize)]
struct PaymentReceived {
    account_id: Uuid,
    amount: String,
    currency: String,
    debtor_name: String,
    #[serde(default)]
    reference: String,
}

#[derive(Deserialize)]
struct PayoutSettled {
    payout_id: Uuid,
}

/// The type of an event.
pub fn kind(body: &[u8]) -> Result<String, EventError> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| EventError)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    let known = !envelope.kind.is_empty() && envelope.kind.len() <= 64 && envelope.kind.bytes().all(good);
    known.then_some(envelope.kind).ok_or(EventError)
}

/// What an event asks of the ledger; `None` for a type that asks nothing.
pub fn delivery(provider: &str, event_id: &str, body: &[u8]) -> Result<Option<Delivery>, EventError> {
    let Envelope { kind, data } = serde_json::from_slice(body).map_err(|_| EventError)?;
    let (provider, event_id) = (provider.to_owned(), event_id.to_owned());
    let (path, body) = match kind.as_str() {
        "payment.received" => {
            let PaymentReceived { account_id, amount, currency, debtor_name, reference } = read(data)?;
            let account_id = account_id.into();
            let deposit = Deposit { provider, event_id, account_id, amount, currency, debtor_name, reference };
            ("/internal/v1/deposits", serde_json::to_value(deposit))
        }
        "payout.paid" | "payout.failed" | "payout.returned" => {
            let PayoutSettled { payout_id } = read(data)?;
            let payout_id = payout_id.into();
            let status = match kind.as_str() {
                "payout.paid" => PayoutOutcome::Paid,
                "payout.failed" => PayoutOutcome::Failed,
                _ => PayoutOutcome::Returned,
            };
            ("/internal/v1/payout-events", serde_json::to_value(PayoutEvent { provider, event_id, payout_id, status }))
        }
        _ => return Ok(None),
    };
    Ok(Some(Delivery { path, body: body.map_err(|_| EventError)? }))
}

fn read<T: serde::de::DeserializeOwned>(data: Value) -> Result<T, EventError> {
    serde_json::from_value(data).map_err(|_| EventError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn run(event: &Value) -> Result<Option<Delivery>, EventError> {
        delivery("bank", "evt_1", &serde_json::to_vec(event).unwrap())
    }

    #[test]
    fn a_payment_becomes_a_deposit() {
        let data = json!({ "account_id": ID, "amount": "250.00", "currency": "EUR", "debtor_name": "Carol", "reference": "rent", "iban": "x" });
        let delivery = run(&json!({ "type": "payment.received", "timestamp": "t", "data": data })).unwrap().unwrap();
        assert_eq!(delivery.path, "/internal/v1/deposits");
        let expected = json!({ "provider": "bank", "event_id": "evt_1", "account_id": ID, "amount": "250.00", "currency": "EUR", "debtor_name": "Carol", "reference": "rent" });
        assert_eq!(delivery.body, expected);
    }

    #[test]
    fn the_end_of_a_payout_becomes_its_status() {
        for (kind, status) in [("payout.paid", "paid"), ("payout.failed", "failed"), ("payout.returned", "returned")] {
            let delivery = run(&json!({ "type": kind, "data": { "payout_id": ID, "id": "po_1" } })).unwrap().unwrap();
            assert_eq!(
                delivery.body,
                json!({ "provider": "bank", "event_id": "evt_1", "payout_id": ID, "status": status })
            );
        }
    }

    #[test]
    fn every_type_that_a_manifest_can_name_is_acted_on() {
        for kind in TYPES {
            assert_eq!(run(&json!({ "type": kind, "data": {} })), Err(EventError), "{kind}: understood, and empty");
        }
    }

    #[test]
    fn other_types_ask_nothing_and_malformed_events_are_refused() {
        assert_eq!(run(&json!({ "type": "invoice.sent", "data": {} })), Ok(None));
        for event in [
            json!({}),
            json!([]),
            json!({ "type": "payment.received" }),
            json!({ "type": "payment.received", "data": { "account_id": "x" } }),
            json!({ "type": "payout.paid", "data": [] }),
        ] {
            assert_eq!(run(&event), Err(EventError), "{event}");
        }
        assert!(kind(b"{\"type\":\"a b\",\"data\":1}").is_err());
        assert_eq!(kind(b"{\"type\":\"payout.paid\",\"data\":1}").unwrap(), "payout.paid");
    }
}
