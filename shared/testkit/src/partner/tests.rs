//! The partner behaves as a third party does: on TLS, with its own secret and its own memory.

use std::sync::{Arc, Mutex};

use actix_web::{HttpRequest, HttpResponse, web};

use super::*;

fn order(creditor: &str) -> serde_json::Value {
    serde_json::json!({
        "payout_id": "p-1", "amount": "10.00", "currency": "EUR",
        "creditor_iban": "AT611904300234573201", "creditor_name": creditor, "reference": "rent",
    })
}

#[tokio::test]
async fn a_payout_needs_the_secret_and_happens_once_per_key() {
    let pki = Pki::temporary().unwrap();
    let options = Options::of(&pki).unwrap();
    let bearer = options.bearer.clone();
    let partner = Partner::start(options).await.unwrap();
    let client = server::client(&pki.public_ca(), None).unwrap();
    let post = |key: &'static str, secret: &str| {
        let request =
            client.post(format!("{}/v1/payouts", partner.url())).bearer_auth(secret).header("idempotency-key", key);
        request.json(&order("Bob")).send()
    };
    assert_eq!(post("k", "wrong").await.unwrap().status(), 401);
    let first: serde_json::Value = post("k", &bearer).await.unwrap().json().await.unwrap();
    let again: serde_json::Value = post("k", &bearer).await.unwrap().json().await.unwrap();
    assert_eq!(first["id"], again["id"]);
    let calls = partner.calls();
    assert_eq!((calls.payouts, calls.payouts_created, calls.unauthorized), (2, 1, 1));
}

#[tokio::test]
async fn the_outcome_is_told_by_a_signed_webhook_that_is_retried() {
    let pki = Pki::temporary().unwrap();
    let mut options = Options::of(&pki).unwrap();
    options.settle = Duration::ZERO;
    let (bearer, secret) = (options.bearer.clone(), options.webhook_secret.clone());
    let seen: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let sink = Arc::clone(&seen);
    let routes = Arc::new(move |config: &mut web::ServiceConfig| {
        let (sink, secret) = (Arc::clone(&sink), secret.clone());
        config.route(
            "/webhooks",
            web::post().to(move |request: HttpRequest, body: web::Bytes| {
                let (sink, secret) = (Arc::clone(&sink), secret.clone());
                async move {
                    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
                    let timestamp = header("webhook-timestamp").parse().unwrap();
                    assert_eq!(
                        header("webhook-signature"),
                        webhook::sign(&secret, &header("webhook-id"), timestamp, &body).unwrap()
                    );
                    let mut seen = lock(&sink);
                    seen.push(serde_json::from_slice(&body).unwrap());
                    if seen.len() == 1 { HttpResponse::ServiceUnavailable() } else { HttpResponse::Accepted() }.finish()
                }
            }),
        );
    });
    let receiver = Server::start(options.listen, &pki.public("broker"), None, routes).await.unwrap();
    options.webhook_url = Some(format!("{}/webhooks", receiver.url()));
    let partner = Partner::start(options).await.unwrap();
    let client = server::client(&pki.public_ca(), None).unwrap();
    let request =
        client.post(format!("{}/v1/payouts", partner.url())).bearer_auth(bearer).header("idempotency-key", "k");
    assert_eq!(request.json(&order("FAIL Ltd")).send().await.unwrap().status(), 201);
    while partner.calls().webhooks_accepted == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = lock(&seen);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1]["type"], "payout.failed");
    assert_eq!(seen[1]["data"]["payout_id"], "p-1");
}

#[tokio::test]
async fn the_rates_are_the_ecbs_own_form() {
    let pki = Pki::temporary().unwrap();
    let partner = Partner::start(Options::of(&pki).unwrap()).await.unwrap();
    let client = server::client(&pki.public_ca(), None).unwrap();
    let xml = client.get(format!("{}{}", partner.url(), ecb::PATH)).send().await.unwrap().text().await.unwrap();
    assert!(xml.contains("<Cube time='2026-10-30'>") && xml.contains("<Cube currency='USD' rate='1.1172'/>"));
    assert_eq!(partner.calls().rates, 1);
}
