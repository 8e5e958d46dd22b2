//! The partner's payout API: a bearer secret, an idempotency key, an outcome told later, and the question where an order stands.
//!
//! How an order fares is in the creditor's name, so that a story can ask for it:
//!
//! | the name has | the bank |
//! | --- | --- |
//! | `FAIL` | takes the order and later says `payout.failed` |
//! | `REJECT` | refuses the order, and remembers that it did |
//! | `LOST` | books and pays the order; a firewall in front answers each time with a page of its own and 403; no webhook comes |
//! | `SLOW` | books the order, answers after four seconds, and refuses every repetition as already seen |

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{PartnerState, count, header, lock, refusal, span, stranger, webhook};

/// Longer than any manifest of ours waits.
const SLOW: Duration = Duration::from_secs(4);

/// A payout as it is ordered.
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

impl Order {
    fn is_to(&self, word: &str) -> bool {
        self.creditor_name.contains(word)
    }
}

/// Most orders in one answer of the list.
const PAGE: usize = 100;

/// Orders by idempotency key.
#[derive(Default)]
pub(super) struct Book {
    orders: HashMap<String, Line>,
}

/// What of the list is wanted: orders since then (Unix seconds), after that one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    since: i64,
    after: Option<String>,
}

#[derive(Clone)]
struct Line {
    order: Order,
    id: String,
    status: &'static str,
    /// Its number, from 0.
    number: usize,
    /// Unix seconds.
    taken_at: i64,
}

enum Entry {
    New(Line),
    Known(Line),
    Other,
}

impl Book {
    /// Orders that money moves for.
    pub(super) fn len(&self) -> u64 {
        self.orders.values().filter(|line| line.status != "rejected").count().try_into().unwrap_or(u64::MAX)
    }

    fn enter(&mut self, key: &str, order: &Order) -> Entry {
        match self.orders.get(key) {
            Some(line) if line.order == *order => Entry::Known(line.clone()),
            Some(_) => Entry::Other,
            None => {
                let status = if order.is_to("REJECT") { "rejected" } else { "accepted" };
                let (id, number) = (format!("po_{}", crypto::random::token(12)), self.orders.len());
                let line = Line { order: order.clone(), id, status, number, taken_at: webhook::now() };
                self.orders.insert(key.to_owned(), line.clone());
                Entry::New(line)
            }
        }
    }

    fn settle(&mut self, id: &str, status: &'static str) {
        if let Some(line) = self.orders.values_mut().find(|line| line.id == id) {
            line.status = status;
        }
    }

    fn list(&self, wanted: &Wanted) -> Vec<&Line> {
        let after = wanted.after.as_deref().and_then(|id| self.find(id)).map(|line| line.number);
        let mut lines: Vec<&Line> = self
            .orders
            .values()
            .filter(|line| line.taken_at >= wanted.since && after.is_none_or(|after| line.number > after))
            .collect();
        lines.sort_unstable_by_key(|line| line.number);
        lines.truncate(PAGE);
        lines
    }

    fn find(&self, payout_id: &str) -> Option<&Line> {
        self.orders.values().find(|line| line.order.payout_id == payout_id)
    }
}

/// `POST /v1/payouts`.
pub(super) async fn post(
    state: web::Data<PartnerState>,
    request: HttpRequest,
    order: web::Json<Order>,
) -> HttpResponse {
    let span = span(&request);
    if let Some(refused) = stranger(&state, &request) {
        return refused;
    }
    let Some(key) = header(&request, "idempotency-key") else {
        return refusal(StatusCode::BAD_REQUEST, "idempotency_key_required", "send an Idempotency-Key");
    };
    let order = order.into_inner();
    count(&state.counters.payouts);
    let entry = lock(&state.book).enter(key, &order);
    let traceparent = runtime::trace::traceparent(&span).or_else(|| header(&request, "traceparent").map(str::to_owned));
    let (line, is_new) = match entry {
        Entry::Other => {
            let title = "this key came with another order";
            return refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", title);
        }
        Entry::Known(line) => (line, false),
        Entry::New(line) => (line, true),
    };
    if line.status == "rejected" || order.is_to("SLOW") && !is_new {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, "payout_rejected", "the order is not taken");
    }
    if is_new {
        actix_web::rt::spawn(settle(state.clone(), line.clone(), traceparent));
    }
    if order.is_to("LOST") {
        return HttpResponse::Forbidden().content_type("text/html").body("<html><h1>Request blocked</h1></html>");
    }
    if order.is_to("SLOW") {
        tokio::time::sleep(SLOW).await;
    }
    accepted(&line.id)
}

/// `GET /v1/payouts/{payout_id}`: where an order stands, by the orderer's own id for it.
pub(super) async fn get(state: web::Data<PartnerState>, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    let _span = span(&request).entered();
    if let Some(refused) = stranger(&state, &request) {
        return refused;
    }
    count(&state.counters.questions);
    match lock(&state.book).find(&id) {
        Some(line) => HttpResponse::Ok().json(json!({ "id": line.id, "status": line.status, "desk": "SBX-7" })),
        None => refusal(StatusCode::NOT_FOUND, "payout_unknown", "no order of that id"),
    }
}

/// `GET /v1/payouts`: the orders since a time, oldest first, a page at a time.
pub(super) async fn list(
    state: web::Data<PartnerState>,
    request: HttpRequest,
    wanted: web::Query<Wanted>,
) -> HttpResponse {
    let _span = span(&request).entered();
    if let Some(refused) = stranger(&state, &request) {
        return refused;
    }
    let book = lock(&state.book);
    let payouts = book.list(&wanted).into_iter().map(|line| {
        let Order { payout_id, amount, currency, creditor_iban, creditor_name, reference } = &line.order;
        json!({ "payout_id": payout_id, "amount": amount, "currency": currency, "creditor_iban": creditor_iban,
            "creditor_name": creditor_name, "reference": reference, "id": line.id, "status": line.status })
    });
    HttpResponse::Ok().json(json!({ "payouts": payouts.collect::<Vec<_>>() }))
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

/// Settles the payout after a while and tells the outcome.
async fn settle(state: web::Data<PartnerState>, line: Line, traceparent: Option<String>) {
    tokio::time::sleep(state.settle).await;
    let (status, kind) = if line.order.is_to("FAIL") { ("failed", "payout.failed") } else { ("paid", "payout.paid") };
    lock(&state.book).settle(&line.id, status);
    if line.order.is_to("LOST") {
        return;
    }
    let data = json!({ "payout_id": line.order.payout_id, "id": line.id });
    if let Err(error) = webhook::send(&state, kind, &data, traceparent.as_deref()).await {
        tracing::warn!(%error, kind, "webhook not delivered");
    }
}
