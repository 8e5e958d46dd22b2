//! The stand-in for the broker: what it was asked, and what it answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use runtime::{Clock as _, SystemClock};
use serde_json::{Value, json};
use testkit::pki::Pki;
use testkit::scene;
use testkit::server::{self, Server};

/// What the broker was asked, and what it answers.
pub(crate) struct Broker {
    pub(crate) server: Server,
    pub(crate) asked: Arc<Mutex<Vec<(String, Value)>>>,
    pub(crate) answers: Arc<Mutex<Answers>>,
}

/// Status and body per operation.
pub(crate) struct Answers {
    pub(crate) rates: (u16, Value),
    pub(crate) payout: (u16, Value),
    /// To the question where a payout stands.
    pub(crate) standing: (u16, Value),
    /// Whether an account belongs to a name; and how long that takes.
    pub(crate) name: (u16, Value),
    pub(crate) late: Duration,
    /// If set, it answers for the bank instead.
    pub(crate) bank: Option<Bank>,
}

/// Answers an operation with its body.
type Bank = Box<dyn FnMut(&str, &Value) -> (u16, Value) + Send>;

/// A problem of the broker.
pub(crate) fn problem(status: u16, code: &str) -> (u16, Value) {
    (status, json!({ "type": "", "title": "", "status": status, "code": code }))
}

/// What the broker lets pass of a name service's word.
pub(crate) fn said(word: &str) -> (u16, Value) {
    (200, json!({ "result": { "word": word } }))
}

/// Rates as they were published so many days ago.
pub(crate) fn rates_of(days_ago: i64) -> (u16, Value) {
    let rates = json!({ "USD": "1.1172", "JPY": "175.68", "CHF": "0.9234" });
    (200, json!({ "result": { "date": day(days_ago), "base": "EUR", "rates": rates } }))
}

/// The date of so many days ago.
pub(crate) fn day(days_ago: i64) -> String {
    let at = chrono::DateTime::from_timestamp(SystemClock.unix() - days_ago * 86_400, 0).unwrap();
    at.date_naive().to_string()
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            rates: rates_of(0),
            payout: (200, json!({ "result": { "id": "po_1", "status": "accepted" } })),
            standing: (200, json!({ "result": { "id": "po_1", "outcome": "accepted" } })),
            name: said("match"),
            late: Duration::ZERO,
            bank: None,
        }
    }
}

impl Broker {
    pub(crate) async fn start(pki: &Pki) -> Self {
        let asked: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let (heard, said) = (Arc::clone(&asked), Arc::clone(&answers));
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let (heard, said) = (Arc::clone(&heard), Arc::clone(&said));
            config.route(
                "/internal/v1/operations/{provider}/{operation}",
                web::post().to(move |path: web::Path<(String, String)>, body: web::Json<Value>| {
                    let (provider, operation) = path.into_inner();
                    let body = body.into_inner();
                    heard.lock().unwrap().push((format!("{provider}/{operation}"), body.clone()));
                    let mut said = said.lock().unwrap();
                    let (status, body) = match (operation.as_str(), &mut said.bank) {
                        ("reference_rates", _) => said.rates.clone(),
                        ("check_payee", _) => said.name.clone(),
                        (operation, Some(bank)) => bank(operation, &body),
                        ("payout_status", None) => said.standing.clone(),
                        (_, None) => said.payout.clone(),
                    };
                    let late = if operation == "check_payee" { said.late } else { Duration::ZERO };
                    let status = StatusCode::from_u16(status).unwrap();
                    async move {
                        tokio::time::sleep(late).await;
                        HttpResponse::build(status).json(body)
                    }
                }),
            );
        });
        let server =
            Server::start(scene::FREE, &pki.internal("broker"), Some(&pki.internal_ca()), routes).await.unwrap();
        Self { server, asked, answers }
    }

    /// The bodies of the calls of one operation: `create_payout` of any provider, `sandbox-bank/create_payout` of one.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        let meant = |name: &str| name == operation || name.ends_with(&format!("/{operation}"));
        asked.iter().filter(|(name, _)| meant(name)).map(|(_, body)| body.clone()).collect()
    }
}
