//! What the events of a payment provider mean inside the house: which request to which service.
//!
//! The manifest says which event means what and where its fields are ([`crate::providers::webhook`]); only what is needed is read, into types;
//! nothing of the provider's message travels on as it came.

use api::internal::{Deposit, PayoutEvent, PayoutOutcome};
use serde_json::Value;
use thiserror::Error;

use crate::ids::{EventId, ProviderName};
use crate::providers::Webhook;
use crate::providers::webhook::{Field, Meaning, Notification};

/// A request for the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The path on its internal listener.
    pub path: &'static str,
    pub body: Value,
}

/// The event is signed and yet not what was agreed. The message repeats no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the event is not of the agreed form")]
pub struct EventError;

/// What an event asks of the ledger.
pub fn delivery(
    webhook: &Webhook,
    provider: &ProviderName,
    event_id: &EventId,
    body: &[u8],
) -> Result<Delivery, EventError> {
    let notification = webhook.read(body).ok_or(EventError)?;
    let outcome = match notification.meaning {
        Meaning::MoneyArrived => {
            let deposit = serde_json::to_value(deposit(&notification, provider, event_id)?);
            return Ok(Delivery { path: "/internal/v1/deposits", body: deposit.map_err(|_| EventError)? });
        }
        Meaning::PayoutPaid => PayoutOutcome::Paid,
        Meaning::PayoutFailed => PayoutOutcome::Failed,
        Meaning::PayoutReturned => PayoutOutcome::Returned,
        Meaning::Nothing => return Err(EventError),
    };
    let payout_id = id(&notification, Field::PayoutId)?;
    let (provider, event_id) = (provider.to_string(), event_id.to_string());
    let event = serde_json::to_value(PayoutEvent { provider, event_id, payout_id, status: outcome });
    Ok(Delivery { path: "/internal/v1/payout-events", body: event.map_err(|_| EventError)? })
}

fn deposit(notification: &Notification, provider: &ProviderName, event_id: &EventId) -> Result<Deposit, EventError> {
    let text = |field| notification.text(field).map(str::to_owned).ok_or(EventError);
    Ok(Deposit {
        provider: provider.to_string(),
        event_id: event_id.to_string(),
        account_id: id(notification, Field::AccountId)?,
        amount: text(Field::Amount)?,
        currency: text(Field::Currency)?,
        debtor_name: text(Field::DebtorName)?,
        // Default: who pays without a word says nothing.
        reference: notification.text(Field::Reference).unwrap_or_default().to_owned(),
    })
}

fn id(notification: &Notification, field: Field) -> Result<api::Id, EventError> {
    // Text: a provider may spell a UUID in any of its ways.
    notification.text(field).and_then(|text| text.parse::<uuid::Uuid>().ok()).map(Into::into).ok_or(EventError)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::ProviderSettings;
    use crate::providers::Catalogue;
    use crate::providers::webhook::Sorted;
    use serde_json::json;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    const KINDS: [&str; 4] = ["payment.received", "payout.paid", "payout.failed", "payout.returned"];

    fn with<T>(use_it: impl FnOnce(&Webhook) -> T) -> T {
        let text = include_str!("../../manifests/sandbox-bank.toml");
        let manifest = Catalogue::parse("sandbox-bank.toml", text).unwrap();
        let settings = BTreeMap::from([("sandbox-bank".into(), ProviderSettings::default())]);
        let catalogue = Catalogue::new(vec![manifest], &settings).unwrap();
        use_it(catalogue.provider(&"sandbox-bank".into()).unwrap().webhook.as_ref().unwrap())
    }

    fn run(event: &Value) -> Result<Delivery, EventError> {
        with(|webhook| delivery(webhook, &"bank".into(), &"evt_1".into(), &serde_json::to_vec(event).unwrap()))
    }

    fn sort(event: &[u8]) -> Sorted {
        with(|webhook| webhook.sort(event))
    }

    #[test]
    fn a_payment_becomes_a_deposit() {
        let data = json!({ "account_id": ID, "amount": "250.00", "currency": "EUR", "debtor_name": "Carol", "reference": "rent", "iban": "x" });
        let delivery = run(&json!({ "type": "payment.received", "timestamp": "t", "data": data })).unwrap();
        assert_eq!(delivery.path, "/internal/v1/deposits");
        let expected = json!({ "provider": "bank", "event_id": "evt_1", "account_id": ID, "amount": "250.00", "currency": "EUR", "debtor_name": "Carol", "reference": "rent" });
        assert_eq!(delivery.body, expected);
    }

    #[test]
    fn the_end_of_a_payout_becomes_its_status() {
        for (kind, status) in [("payout.paid", "paid"), ("payout.failed", "failed"), ("payout.returned", "returned")] {
            let delivery = run(&json!({ "type": kind, "data": { "payout_id": ID, "id": "po_1" } })).unwrap();
            assert_eq!(
                delivery.body,
                json!({ "provider": "bank", "event_id": "evt_1", "payout_id": ID, "status": status })
            );
        }
    }

    #[test]
    fn every_type_that_a_manifest_can_name_is_acted_on() {
        for kind in KINDS {
            assert_eq!(sort(&serde_json::to_vec(&json!({ "type": kind })).unwrap()), Sorted::Wanted(kind.to_owned()));
            assert_eq!(run(&json!({ "type": kind, "data": {} })), Err(EventError), "{kind}: understood, and empty");
        }
    }

    #[test]
    fn other_types_ask_nothing_and_malformed_events_are_refused() {
        assert_eq!(sort(br#"{"type":"invoice.sent","data":{}}"#), Sorted::Ignored("invoice.sent".to_owned()));
        assert_eq!(run(&json!({ "type": "invoice.sent", "data": {} })), Err(EventError));
        for event in [
            json!({}),
            json!([]),
            json!({ "type": "payment.received" }),
            json!({ "type": "payment.received", "data": { "account_id": "x" } }),
            json!({ "type": "payout.paid", "data": [] }),
        ] {
            assert_eq!(run(&event), Err(EventError), "{event}");
        }
        assert_eq!(sort(b"{\"type\":\"a b\",\"data\":1}"), Sorted::Unreadable);
        assert_eq!(sort(b"{\"type\":\"payout.paid\",\"data\":1}"), Sorted::Wanted("payout.paid".to_owned()));
    }
}
