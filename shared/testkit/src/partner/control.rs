//! The buttons of the demonstration: make a payment arrive, see the counts. For callers on loopback, and the one other address that
//! the set-up names.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use anyhow::Result;
use serde_json::json;
use tracing::Instrument as _;

use super::{PartnerState, Payment, header, refusal, span, webhook};

pub(super) async fn post_payment(
    state: web::Data<PartnerState>,
    request: HttpRequest,
    payment: web::Json<Payment>,
) -> HttpResponse {
    if !may_press(&state, &request) {
        return refusal(StatusCode::FORBIDDEN, "forbidden", "not from here");
    }
    let span = span(&request);
    let traceparent = runtime::trace::traceparent(&span).or_else(|| header(&request, "traceparent").map(str::to_owned));
    match send(&state, &payment, traceparent.as_deref()).instrument(span).await {
        Ok((event_id, status)) => {
            HttpResponse::Created().json(json!({ "event_id": event_id, "webhook_status": status }))
        }
        Err(error) => refusal(StatusCode::BAD_GATEWAY, "webhook_failed", &format!("{error:#}")),
    }
}

pub(super) async fn get_calls(state: web::Data<PartnerState>, request: HttpRequest) -> HttpResponse {
    if !may_press(&state, &request) {
        return refusal(StatusCode::FORBIDDEN, "forbidden", "not from here");
    }
    HttpResponse::Ok().json(state.calls())
}

pub(super) async fn receive_payment(state: &PartnerState, payment: Payment) -> Result<(String, u16)> {
    send(state, &payment, None).await
}

async fn send(state: &PartnerState, payment: &Payment, traceparent: Option<&str>) -> Result<(String, u16)> {
    webhook::send(state, "payment.received", &serde_json::to_value(payment)?, traceparent).await
}

fn may_press(state: &PartnerState, request: &HttpRequest) -> bool {
    let address = request.peer_addr().map(|address| address.ip().to_canonical());
    address.is_some_and(|address| address.is_loopback() || Some(address) == state.operator)
}
