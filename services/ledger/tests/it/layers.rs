//! Every public route stands behind all layers, and what a handler demands is what its route says.

use std::sync::Mutex;

use reqwest::Method;
use runtime::Service as _;
use serde_json::{Value, json};
use testkit::authority::Reply;

use crate::world::{IBAN, World, transfer};

#[tokio::test]
async fn no_route_answers_somebody_without_tokens() {
    let world = World::start().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let routes = ledger::Ledger::describe();
    let (public, internal): (Vec<_>, Vec<_>) = routes.iter().partition(|route| route.listener == "public");
    assert!(!public.is_empty() && !internal.is_empty());
    for route in public {
        assert!(route.guard.starts_with("Caller<"), "{route:?}");
        let method: Method = route.method.parse().unwrap();
        let request = world.public.request(method.clone(), world.url(&route.path.replace("{id}", id)));
        let request = if method == Method::GET { request } else { request.json(&json!({})) };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{route:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    for route in internal {
        assert!(route.guard.starts_with("Peer<"), "{route:?}");
    }
}

#[tokio::test]
async fn a_scope_opens_its_own_door_only() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&alice, "EUR").await);
    let reader = world.authority.phone("alice").with_scopes(&["accounts:read"]);
    assert_eq!(world.get(&reader, "/v1/accounts").await.status, 200);
    for (path, body) in [
        ("/v1/transfers", transfer(&from, &to, "1.00")),
        ("/v1/accounts", json!({ "currency": "EUR", "name": "x" })),
        ("/v1/exchanges", json!({})),
        ("/v1/payouts", json!({})),
        ("/v1/payees", json!({})),
    ] {
        let reply = world.post(&reader, path, &body).await;
        assert_eq!((reply.status, reply.code()), (403, "auth.forbidden"), "{path}");
    }
    assert_eq!(world.balance(&alice, &from).await, "10.00");
}

#[tokio::test]
async fn a_changed_body_or_a_missing_key_moves_nothing() {
    let log = crate::world::logged();
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&alice, "EUR").await);
    let url = world.url("/v1/transfers");
    let signed = alice.request(Method::POST, &url, Some(&transfer(&from, &to, "1.00")));
    let tampered = signed.body(transfer(&from, &to, "9.00").to_string()).send().await.unwrap();
    assert_eq!(tampered.status(), 401);
    // A signature covers the key: without it, or with another one, it is no signature of this request.
    let mut stripped = alice.request(Method::POST, &url, Some(&transfer(&from, &to, "1.00"))).build().unwrap();
    stripped.headers_mut().remove("idempotency-key");
    assert_eq!(world.public.execute(stripped).await.unwrap().status(), 401);
    let overlong = "k".repeat(256);
    let reply = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, "1.00"), &overlong).await;
    assert_eq!((reply.status, reply.code()), (400, "idempotency.key_invalid"));
    assert_eq!(audited(log, &reply), [json!(["idempotency", "key_invalid", "sub-alice"])]);
    assert_eq!(world.balance(&alice, &from).await, "10.00");
}

/// A copy shown to another process would be refused there: signed, that would be the phone's proof that its request, passed on by the same
/// hand, has done nothing.
#[tokio::test]
async fn what_the_layers_refuse_is_not_signed() {
    let world = World::start().await;
    let (alice, without_nonce) = (world.phone("alice").await, world.authority.phone("alice"));
    let url = world.url("/v1/accounts");
    let challenged = without_nonce.request(Method::GET, &url, None).build().unwrap();
    let honest = alice.request(Method::GET, &url, None).build().unwrap();
    let (copy, mut altered) = (honest.try_clone().unwrap(), honest.try_clone().unwrap());
    altered.url_mut().set_query(Some("limit=1"));
    let answer = world.public.execute(honest).await.unwrap();
    assert!(answer.status() == 200 && answer.headers().contains_key("signature"));
    for (what, request) in [("no nonce", challenged), ("a copy", copy), ("an altered copy", altered)] {
        let refused = world.public.execute(request).await.unwrap();
        assert!(refused.status() == 401 && !refused.headers().contains_key("signature"), "{what}");
    }
}

/// The audit lines of the request that was answered so.
pub(crate) fn audited(log: &Mutex<Vec<u8>>, reply: &Reply) -> Vec<Value> {
    let request_id = reply.headers["request-id"].to_str().unwrap();
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_request = lines.filter(|line| line["target"] == "audit" && line["request_id"] == request_id);
    of_request.map(|line| json!([line["layer"], line["reason"], line["subject"]])).collect()
}

#[tokio::test]
async fn reaching_for_somebody_elses_account_is_one_line_in_the_audit_log() {
    let log = crate::world::logged();
    let world = World::start().await;
    let (alice, mallory) = (world.phone("alice").await, world.phone("mallory").await);
    let (account, own) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&mallory, "EUR").await);
    let read = world.get(&mallory, &format!("/v1/accounts/{account}")).await;
    let theft = world.post(&mallory, "/v1/transfers", &transfer(&account, &own, "1.00")).await;
    for (reply, reason) in [(read, "not_visible"), (theft, "not_owner")] {
        assert_eq!((reply.status, reply.code()), (404, "ledger.account_not_found"));
        assert_eq!(audited(log, &reply), [json!(["authorization", reason, "sub-mallory"])]);
    }
}

/// One refusal for each handler that a phone reaches: of what somebody else has, where the handler names such a thing.
#[tokio::test]
async fn no_handlers_refusal_gets_past_the_audit_log() {
    let log = crate::world::logged();
    let world = World::start().await;
    let (alice, mallory) = (world.phone("alice").await, world.phone("mallory").await);
    let (hers, dollars) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&alice, "USD").await);
    let (own, own_dollars) = (world.open(&mallory, "EUR").await, world.open(&mallory, "USD").await);
    let made = world.post(&alice, "/v1/transfers", &transfer(&hers, &world.open(&alice, "EUR").await, "1.00")).await;
    let euro = json!({ "amount": "1.00", "currency": "EUR" });
    let carol = json!({ "name": "Carol", "iban": IBAN });
    let payout = |from: &str, payee: &Value| json!({ "from_account": from, "amount": euro, "payee_id": payee });
    let her_carol = world.post(&alice, "/v1/payees", &carol).await.body["id"].take();
    let own_carol = world.post(&mallory, "/v1/payees", &carol).await.body["id"].take();
    let paid = world.post(&alice, "/v1/payouts", &payout(&hers, &her_carol)).await;
    let (transfer_id, payout_id) = (made.body["id"].as_str().unwrap(), paid.body["id"].as_str().unwrap());
    let exchange = |from: &str, to: &str| json!({ "from_account": from, "to_account": to, "amount": euro });
    let account = json!({ "currency": "EUR", "name": "" });
    let refusals = [
        ("GET /v1/accounts", "?limit=0", None, 400, None),
        ("POST /v1/accounts", "", Some(account), 400, None),
        ("GET /v1/accounts/{id}", hers.as_str(), None, 404, Some("not_visible")),
        ("GET /v1/accounts/{id}/entries", &hers, None, 404, Some("not_visible")),
        ("POST /v1/transfers", "", Some(transfer(&hers, &own, "1.00")), 404, Some("not_owner")),
        ("POST /v1/transfers", "", Some(transfer(&own, &hers, "1.00")), 422, None),
        ("GET /v1/transfers/{id}", transfer_id, None, 404, Some("not_visible")),
        ("POST /v1/exchanges", "", Some(exchange(&hers, &own_dollars)), 404, Some("not_owner")),
        ("POST /v1/exchanges", "", Some(exchange(&own, &dollars)), 404, Some("not_found")),
        ("GET /v1/payees", "?limit=0", None, 400, None),
        ("POST /v1/payees", "", Some(json!({ "name": "", "iban": IBAN })), 400, None),
        ("GET /v1/payees/{id}", her_carol.as_str().unwrap(), None, 404, Some("not_visible")),
        ("POST /v1/payees/{id}/removal", her_carol.as_str().unwrap(), None, 404, Some("not_visible")),
        ("POST /v1/payouts", "", Some(payout(&hers, &own_carol)), 404, Some("not_owner")),
        ("POST /v1/payouts", "", Some(payout(&own, &her_carol)), 404, Some("not_own_payee")),
        ("POST /v1/payouts", "", Some(payout(&own, &json!(own))), 404, Some("no_payee")),
        ("GET /v1/payouts/{id}", payout_id, None, 404, Some("not_visible")),
        ("POST /v1/payouts/{id}/cancellation", payout_id, None, 404, Some("not_visible")),
    ];
    for route in ledger::Ledger::describe().iter().filter(|route| route.listener == "public") {
        let name = format!("{} {}", route.method, route.path);
        assert!(refusals.iter().any(|refusal| refusal.0 == name), "no refusal of {name} is looked at");
    }
    for (route, about, body, status, reason) in refusals {
        let (method, path) = route.split_once(' ').unwrap();
        let path = if path.contains("{id}") { path.replace("{id}", about) } else { format!("{path}{about}") };
        let reply = mallory.send(method.parse().unwrap(), &world.url(&path), body.as_ref()).await;
        assert_eq!(reply.status, status, "{route}: {:?}", reply.body);
        let lines: Vec<_> = reason.map(|reason| json!(["authorization", reason, "sub-mallory"])).into_iter().collect();
        assert_eq!(audited(log, &reply), lines, "{route}");
    }
}
