//! Every public route stands behind all layers, and what a handler demands is what its route says.

use reqwest::Method;
use runtime::Service as _;
use serde_json::json;

use crate::world::{World, transfer};

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
        let request = world.public.request(method, world.url(&route.path.replace("{id}", id))).json(&json!({}));
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
    ] {
        let reply = world.post(&reader, path, &body).await;
        assert_eq!((reply.status, reply.code()), (403, "auth.forbidden"), "{path}");
    }
    assert_eq!(world.balance(&alice, &from).await, "10.00");
}

#[tokio::test]
async fn a_changed_body_or_a_missing_key_moves_nothing() {
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
    let long = "k".repeat(256);
    let reply = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, "1.00"), &long).await;
    assert_eq!((reply.status, reply.code()), (400, "idempotency.key_invalid"));
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
        let request_id = reply.headers["request-id"].to_str().unwrap();
        let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of_request = lines.iter().filter(|line| line["target"] == "audit" && line["request_id"] == request_id);
        let audit: Vec<_> = of_request.map(|line| (&line["layer"], &line["reason"], &line["subject"])).collect();
        assert_eq!(audit, [(&json!("authorization"), &json!(reason), &json!("sub-mallory"))]);
    }
}
