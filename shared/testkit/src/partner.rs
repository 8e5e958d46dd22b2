//! The sandbox partner: the world outside that the broker talks to, on TLS, as a third party would be.
//!
//! - `GET /stats/eurofxref/eurofxref-daily.xml`: the ECB's reference rates in the ECB's own form, from real rows ([`ecb`]).
//! - `POST /v1/payouts`: a payout API with a bearer secret and an idempotency key ([`payouts`]); it later tells the outcome
//!   by a signed webhook ([`webhook`], Standard Webhooks v1), and at any time when asked (`GET /v1/payouts/{payout_id}`; all since a time: `GET /v1/payouts`).
//! - `POST /v1/name-checks`: whether an account belongs to a name ([`names`]), of invented accounts.
//! - `/simulate/…`: the buttons of the demonstration, for loopback callers only.
//!
//! It knows nothing of the system: it shares no wire type with it, holds two secrets (its API's and its webhooks') and counts
//! what it was asked, so that a test can show what happened once only.

mod control;
pub mod ecb;
mod names;
mod payouts;
#[cfg(test)]
mod tests;
pub mod webhook;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tracing::Span;

use crate::pki::{Identity, Pki};
use crate::server::{self, Server};

/// How the partner is set up.
#[derive(Clone)]
pub struct Options {
    /// Where it listens; port 0 for a free one.
    pub listen: SocketAddr,
    /// Certificate and key that it shows.
    pub identity: Identity,
    /// What it trusts when it calls the webhook.
    pub roots: PathBuf,
    /// The bearer secret of its API.
    pub bearer: String,
    /// The secret that it signs webhooks with (`whsec_…`).
    pub webhook_secret: String,
    /// Where webhooks go; none are sent without it.
    pub webhook_url: Option<String>,
    /// How long a payout takes until its outcome is told.
    pub settle: Duration,
    /// Who presses the demonstration's buttons beside callers on loopback: in a container the machine outside it has another address.
    pub operator: Option<IpAddr>,
}

impl Options {
    /// The partner of the development system in that PKI's folder.
    pub fn of(pki: &Pki) -> Result<Self> {
        let secret = |name| std::fs::read_to_string(pki.secret(name)).with_context(|| format!("secret {name}"));
        Ok(Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            identity: pki.public("partner"),
            roots: pki.public_ca(),
            bearer: secret("partner-bearer")?,
            webhook_secret: secret("partner-webhook-secret")?,
            webhook_url: None,
            settle: Duration::from_millis(100),
            operator: None,
        })
    }
}

/// What the partner has been asked and has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Requests for the rates.
    pub rates: u64,
    /// Payout requests with the right secret.
    pub payouts: u64,
    /// Different payouts among them: what money would have moved.
    pub payouts_created: u64,
    /// Questions where a payout stands.
    pub questions: u64,
    /// Questions whose account it is.
    #[serde(default)]
    pub name_checks: u64,
    /// Requests with no or a wrong secret.
    pub unauthorized: u64,
    /// Webhook deliveries tried.
    pub webhooks_sent: u64,
    /// Webhook deliveries that the receiver accepted.
    pub webhooks_accepted: u64,
}

/// A sandbox partner that runs: a bank with payouts and webhooks, and the ECB's rates.
pub struct Partner {
    server: Server,
    state: Arc<PartnerState>,
}

/// What the routes share.
struct PartnerState {
    bearer: String,
    settle: Duration,
    operator: Option<IpAddr>,
    webhook: Mutex<Option<String>>,
    webhook_secret: String,
    client: reqwest::Client,
    book: Mutex<payouts::Book>,
    /// Id and body of every event so far.
    events: Mutex<Vec<(String, Vec<u8>)>>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    rates: AtomicU64,
    payouts: AtomicU64,
    questions: AtomicU64,
    name_checks: AtomicU64,
    unauthorized: AtomicU64,
    webhooks_sent: AtomicU64,
    webhooks_accepted: AtomicU64,
}

impl Partner {
    /// Starts listening; what it knows lives in memory.
    pub async fn start(options: Options) -> Result<Self> {
        let state = Arc::new(PartnerState {
            bearer: options.bearer.trim().to_owned(),
            settle: options.settle,
            operator: options.operator,
            webhook: Mutex::new(options.webhook_url),
            webhook_secret: options.webhook_secret.trim().to_owned(),
            client: server::client(&options.roots, None)?,
            book: Mutex::default(),
            events: Mutex::default(),
            counters: Counters::default(),
        });
        let shared = web::Data::from(Arc::clone(&state));
        let routes = Arc::new(move |config: &mut web::ServiceConfig| {
            config
                .app_data(shared.clone())
                .app_data(web::JsonConfig::default().limit(16 * 1024).error_handler(|error, _| {
                    let answer =
                        refusal(actix_web::http::StatusCode::BAD_REQUEST, "invalid_request", &error.to_string());
                    actix_web::error::InternalError::from_response(error, answer).into()
                }))
                .service(web::resource(ecb::PATH).get(rates))
                .service(web::resource("/v1/payouts").post(payouts::post).get(payouts::list))
                .service(web::resource("/v1/payouts/{payout_id}").get(payouts::get))
                .service(web::resource("/v1/name-checks").post(names::post))
                .service(web::resource("/simulate/payments").post(control::post_payment))
                .service(web::resource("/simulate/calls").get(control::get_calls));
        });
        let server = Server::start(options.listen, &options.identity, None, routes).await?;
        Ok(Self { server, state })
    }

    /// `https://localhost:<port>`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Where webhooks go from now on.
    pub fn send_webhooks_to(&self, url: impl Into<String>) {
        *lock(&self.state.webhook) = Some(url.into());
    }

    /// Sends every event so far once more; answers how many there were.
    ///
    /// # Errors
    ///
    /// The receiver does not accept one.
    pub async fn send_events_again(&self) -> Result<usize> {
        webhook::send_again(&self.state).await
    }

    /// The counts so far.
    pub fn calls(&self) -> Calls {
        self.state.calls()
    }

    /// A payment has come in at the bank: sends the signed `payment.received`; answers event id and the receiver's status.
    pub async fn receive_payment(&self, payment: Payment) -> Result<(String, u16)> {
        control::receive_payment(&self.state, payment).await
    }
}

/// A payment that the bank received for an account of ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// The credited account.
    pub account_id: String,
    /// Decimal text.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Name of the payer.
    pub debtor_name: String,
    /// What the payer wrote.
    pub reference: String,
}

impl PartnerState {
    fn calls(&self) -> Calls {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Calls {
            rates: read(&self.counters.rates),
            payouts: read(&self.counters.payouts),
            payouts_created: lock(&self.book).len(),
            questions: read(&self.counters.questions),
            name_checks: read(&self.counters.name_checks),
            unauthorized: read(&self.counters.unauthorized),
            webhooks_sent: read(&self.counters.webhooks_sent),
            webhooks_accepted: read(&self.counters.webhooks_accepted),
        }
    }
}

async fn rates(state: web::Data<PartnerState>, request: HttpRequest) -> HttpResponse {
    let _span = span(&request).entered();
    count(&state.counters.rates);
    match ecb::daily_xml() {
        Ok(xml) => HttpResponse::Ok().content_type("text/xml").body(xml),
        Err(error) => refusal(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, "no_rates", &error.to_string()),
    }
}

/// The answer to a caller without the secret.
fn stranger(state: &PartnerState, request: &HttpRequest) -> Option<HttpResponse> {
    let bearer = header(request, "authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if crypto::hash::constant_time_eq(bearer.as_bytes(), state.bearer.as_bytes()) {
        return None;
    }
    count(&state.counters.unauthorized);
    Some(refusal(actix_web::http::StatusCode::UNAUTHORIZED, "unauthorized", "the API secret is wrong"))
}

/// The partner's own trace, or its part of a caller's that sends one (ours does not: traces end at the broker); it is recorded when the process has
/// telemetry, as `sandbox partner --otlp-endpoint` does.
fn span(request: &HttpRequest) -> Span {
    let span = tracing::info_span!(
        "http.server",
        otel.name = format!("{} {}", request.method(), request.path()),
        otel.kind = "server",
        http.request.method = %request.method(),
        url.path = request.path(),
    );
    runtime::trace::continue_from(&span, header(request, "traceparent"));
    span
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// An error in this partner's own form (not ours: third parties do not speak problem+json).
fn refusal(status: actix_web::http::StatusCode, code: &str, message: &str) -> HttpResponse {
    HttpResponse::build(status).json(serde_json::json!({ "error": { "code": code, "message": message } }))
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A poisoned lock means that another handler panicked; the data is still whole (single assignments only).
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
