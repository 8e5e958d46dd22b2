//! What the stand-in gives out verifies as the real thing does.

use identity::access_token::{self, Expect};
use identity::{attestation_token, dpop, message_signature};
use reqwest::Method;

use super::*;

#[tokio::test]
async fn keys_come_over_mtls_only_and_fit_what_the_phones_send() {
    let pki = Pki::temporary().unwrap();
    let authority = Authority::start(&pki).await.unwrap();
    let stranger = server::client(&pki.internal_ca(), None).unwrap();
    assert!(stranger.get(format!("{}/jwks.json", authority.auth_url())).send().await.is_err());
    let client = server::client(&pki.internal_ca(), Some(&pki.internal("ledger"))).unwrap();
    let get = |url: String| {
        let request = client.get(url);
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let jwks = KeySet::from_jwks(&get(format!("{}/jwks.json", authority.auth_url())).await).unwrap();
    let wire: api::internal::AudienceKeys =
        serde_json::from_str(&get(format!("{}/internal/v1/audience-keys", authority.attestation_url())).await).unwrap();
    let keys = AudienceKeys::try_from(&wire).unwrap();

    let alice = authority.phone("alice");
    let url = "https://localhost:8443/v1/accounts?limit=5";
    let request = alice.request(Method::POST, url, Some(&serde_json::json!({ "a": 1 }))).build().unwrap();
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap();
    let now = SystemClock.unix();
    let token = header("authorization").strip_prefix("DPoP ").unwrap();
    let expect = Expect { issuer: authority.issuer(), audience: api::service::LEDGER_RESOURCE, now };
    let access = access_token::verify(token, &jwks, &expect).unwrap();
    let (attested, session_key) =
        attestation_token::verify_with_session_key(header("attestation-token"), &keys, "ledger", now).unwrap();
    assert_eq!((access.sub.as_str(), &access.cnf), (alice.subject(), &attested.cnf));
    let htu = "https://localhost:8443/v1/accounts";
    let proof = dpop::Expect { htm: "POST", htu, access_token: Some(token), now };
    assert_eq!(dpop::verify(header("dpop"), &proof).unwrap().jkt, access.cnf.jkt);
    let parsed = message_signature::parse(header("signature-input"), header("signature")).unwrap();
    let headers: Vec<(&str, &str)> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let parts = message_signature::RequestParts {
        method: "POST",
        authority: "localhost:8443",
        path: "/v1/accounts",
        query: Some("limit=5"),
        headers: &headers,
        body: request.body().unwrap().as_bytes().unwrap(),
    };
    parsed.verify(session_key.expose(), &parts, now).unwrap();
}
