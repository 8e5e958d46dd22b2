//! The partner's payout API: a bearer secret, an idempotency key, and an outcome told later.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{State, count, header, lock, refusal, span, webhook};

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    payout_id: String,
    amount: String,
    currency: String,
    creditor_iban: String,
    creditor_name: String,
    #[serde(default)]
    reference: String,
}

/// Orders by idempotency key.
#[derive(Default)]
pub(super) struct Book {
    orders: HashMap<String, (Order, String)>,
}

enum Entry {
    New(String),
    Known(String),
    Other,
}

impl Book {
    pub(super) fn len(&self) -> u64 {
        self.orders.len().try_into().unwrap_or(u64::MAX)
    }

    fn enter(&mut self, key: &str, order: &Order) -> Entry {
        match self.orders.get(key) {
            Some((known, id)) if known == order => Entry::Known(id.clone()),
            Some(_) => Entry::Other,
            None => {
                let id = format!("po_{}", crypto::random::token(12));
                self.orders.insert(key.to_owned(), (order.clone(), id.clone()));
                Entry::New(id)
            }
        }
    }
}

pub(super) async fn post(state: web::Data<State>, request: HttpRequest, order: web::Json<Order>) -> HttpResponse {
    let span = span(&request);
    let _entered = span.enter();
    let bearer = header(&request, "authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !crypto::hash::constant_time_eq(bearer.as_bytes(), state.bearer.as_bytes()) {
        count(&state.counters.unauthorized);
        return refusal(StatusCode::UNAUTHORIZED, "unauthorized", "the API secret is wrong");
    }
    let Some(key) = header(&request, "idempotency-key") else {
        return refusal(StatusCode::BAD_REQUEST, "idempotency_key_required", "send an Idempotency-Key");
    };
    count(&state.counters.payouts);
    let order = order.into_inner();
    let entry = lock(&state.book).enter(key, &order);
    match entry {
        Entry::Other => {
            refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "this key came with another order")
        }
        Entry::Known(id) => accepted(&id),
        Entry::New(id) => {
            let traceparent = runtime::trace::current().or_else(|| header(&request, "traceparent").map(str::to_owned));
            let answer = accepted(&id);
            actix_web::rt::spawn(settle(state.into_inner(), order, id, traceparent));
            answer
        }
    }
}

/// More than the broker asked for, as third parties do: what it lets through is its own decision.
fn accepted(id: &str) -> HttpResponse {
    HttpResponse::Created().json(json!({
        "id": id,
        "status": "accepted",
        "internal_reference": "SBX-ROUTE-7",
        "relationship_manager": { "name": "J. Doe", "phone": "+43 1 000000" },
    }))
}

/// Tells the outcome once the payout is settled. A creditor called FAIL fails.
async fn settle(state: Arc<State>, order: Order, id: String, traceparent: Option<String>) {
    tokio::time::sleep(state.settle).await;
    let kind = if order.creditor_name.contains("FAIL") { "payout.failed" } else { "payout.paid" };
    let data = json!({ "payout_id": order.payout_id, "id": id });
    if let Err(error) = webhook::send(&state, kind, &data, traceparent.as_deref()).await {
        tracing::warn!(%error, kind, "webhook not delivered");
    }
}
