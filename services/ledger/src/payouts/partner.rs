//! What the ledger says to the partner bank, through the broker: an order, the question where it stands, and, of books that were restored, what else
//! it has.

use api::broker::{Call, CallResult, ListedOrder, OrderList, OrderOutcome, OrderStatus, PayoutOrder};
use api::problem::code;
use serde_json::{Map, Value, json};

use super::history::Submission;
use super::store::Payout;
use crate::error::Error;
use crate::ids::PayoutId;
use crate::providers::{PayoutProviders, Places};

/// The partner banks, as the broker knows them.
pub struct Partner {
    /// A client that shows our certificate and demands the broker's.
    pub client: reqwest::Client,
    /// Where the broker takes orders and questions, by provider.
    pub providers: PayoutProviders,
}

/// How the broker answered, or that it did not.
enum BrokerReply {
    Result(Map<String, Value>),
    /// A problem's status and code.
    Problem(u16, String),
    /// Not even the broker has seen it.
    NotSent(String),
    /// No answer, or none that is understood.
    Lost(String),
}

impl Partner {
    /// Orders a payout. Sending an order twice is harmless, because the partner knows it by the payout's id.
    pub async fn order(&self, payout: &Payout) -> Result<Submission, Error> {
        let params = json!({
            "payout_id": payout.id,
            "amount": payout.money()?.to_string(),
            "currency": payout.currency,
            "creditor_iban": payout.creditor_iban,
            "creditor_name": payout.creditor_name,
            "reference": payout.reference,
        });
        Ok(
            match self.call(&payout.provider, |places| Some(&places.order), params, Some(payout.id.to_string())).await?
            {
                BrokerReply::Result(result) => match serde_json::from_value::<PayoutOrder>(Value::Object(result)) {
                    Ok(order) => Submission::Taken(order.id),
                    Err(error) => Submission::Unknown(format!("an answer that is not the agreed one: {error}")),
                },
                BrokerReply::Problem(status, said) if said == code::UPSTREAM_REFUSED => {
                    Submission::Refused(format!("{status} {said}"))
                }
                // The broker says so only if not a byte of any attempt has left it.
                BrokerReply::Problem(status, said) if said == code::UPSTREAM_UNAVAILABLE => {
                    Submission::NotSent(format!("{status} {said}"))
                }
                BrokerReply::Problem(status, said) => Submission::Unknown(format!("{status} {said}")),
                BrokerReply::NotSent(cause) => Submission::NotSent(cause),
                BrokerReply::Lost(cause) => Submission::Unknown(cause),
            },
        )
    }

    /// Asks where a payout stands. An error says why there is no word of the partner; that the partner knows no such order is none either, for
    /// the order may still be on its way.
    pub async fn ask(&self, provider: &str, id: PayoutId) -> Result<Result<(OrderOutcome, String), String>, Error> {
        let params = json!({ "payout_id": id });
        Ok(match self.call(provider, |places| Some(&places.status), params, None).await? {
            BrokerReply::Result(result) => match serde_json::from_value::<OrderStatus>(Value::Object(result)) {
                Ok(status) => Ok((status.outcome, status.id)),
                Err(error) => Err(format!("an answer that is not the agreed one: {error}")),
            },
            BrokerReply::Problem(status, said) => Err(format!("{status} {said}")),
            BrokerReply::NotSent(cause) | BrokerReply::Lost(cause) => Err(cause),
        })
    }

    /// What this provider has on its books since then (Unix seconds), oldest first: the next ones after `after`, none at the end. An error says why it
    /// has no word.
    pub async fn list(
        &self,
        provider: &str,
        since: i64,
        after: Option<api::Id>,
    ) -> Result<Result<Vec<ListedOrder>, String>, Error> {
        let mut params = json!({ "since": since.to_string() });
        if let (Some(after), Some(members)) = (after, params.as_object_mut()) {
            members.insert("after".to_owned(), json!(after));
        }
        Ok(match self.call(provider, |places| places.list.as_ref(), params, None).await? {
            BrokerReply::Result(result) => match serde_json::from_value::<OrderList>(Value::Object(result)) {
                Ok(list) => Ok(list.payouts),
                Err(error) => Err(format!("an answer that is not the agreed one: {error}")),
            },
            BrokerReply::Problem(status, said) => Err(format!("{status} {said}")),
            BrokerReply::NotSent(cause) | BrokerReply::Lost(cause) => Err(cause),
        })
    }

    async fn call(
        &self,
        provider: &str,
        place: impl FnOnce(&Places) -> Option<&String>,
        params: Value,
        idempotency_key: Option<String>, // Text: as the call has it on the wire.
    ) -> Result<BrokerReply, Error> {
        let Value::Object(params) = params else {
            return Err(Error::Invariant("the parameters of a call are not an object"));
        };
        // Its own provider, whoever gets new payouts by now: only that one can have it on its books.
        let Some(places) = self.providers.of(provider) else {
            return Ok(BrokerReply::NotSent(format!("`{provider}` is not in payout_providers")));
        };
        let Some(url) = place(places) else {
            return Ok(BrokerReply::NotSent(format!("`{provider}` has no such operation in payout_providers")));
        };
        let request = self.client.post(url).json(&Call { params, idempotency_key });
        let response = match runtime::http::send(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Ok(BrokerReply::NotSent(runtime::http::cause(&error))),
            Err(error) => return Ok(BrokerReply::Lost(runtime::http::cause(&error))),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(match response.json::<CallResult>().await {
                Ok(answer) => BrokerReply::Result(answer.result),
                Err(error) => BrokerReply::Lost(runtime::http::cause(&error)),
            });
        }
        Ok(match response.json::<api::Problem>().await {
            Ok(problem) => BrokerReply::Problem(status.as_u16(), problem.code),
            Err(error) => BrokerReply::Lost(format!("{status}: {}", runtime::http::cause(&error))),
        })
    }
}
