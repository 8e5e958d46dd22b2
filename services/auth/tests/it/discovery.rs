//! What the server says about itself, read by a client that nobody here wrote; and the table of routes.

use openidconnect::core::CoreProviderMetadata;
use serde_json::{Value, json};
use testkit::server;

use crate::world::{ISSUER, World};

#[tokio::test]
async fn the_metadata_is_what_fapi_2_asks_for() {
    let world = World::start().await;
    let reply = world.get("/.well-known/openid-configuration").await;
    let metadata: CoreProviderMetadata = serde_json::from_str(&reply.text).unwrap();
    assert_eq!((metadata.issuer().as_str(), metadata.jwks_uri().as_str()), (ISSUER, "https://auth.test/jwks.json"));
    let found = reply.json();
    let expected = json!({
        "authorization_endpoint": "https://auth.test/authorize",
        "token_endpoint": "https://auth.test/token",
        "pushed_authorization_request_endpoint": "https://auth.test/par",
        "userinfo_endpoint": "https://auth.test/userinfo",
        "require_pushed_authorization_requests": true,
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": [
            "openid", "profile", "email", "offline_access", "accounts:read", "accounts:write", "transfers:write",
            "exchanges:write", "payouts:write",
        ],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "name", "email", "email_verified",
        ],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": ["urn:redoubt:acr:payment"],
        "authorization_details_types_supported": ["payment_initiation"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "attest_jwt_client_auth_dpop"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "client_attestation_signing_alg_values_supported": ["HS256"],
        "client_attestation_pop_signing_alg_values_supported": ["ES256"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name}");
    }
    assert_eq!(world.get("/.well-known/oauth-authorization-server").await.json(), found);
}

#[tokio::test]
async fn every_endpoint_in_the_metadata_is_there() {
    let world = World::start().await;
    let metadata = world.get("/.well-known/openid-configuration").await.json();
    let metadata: Vec<(String, Value)> = metadata.as_object().unwrap().clone().into_iter().collect();
    for (name, value) in metadata.iter().filter(|(name, _)| name.ends_with("_endpoint") || name == "jwks_uri") {
        let path = value.as_str().unwrap().strip_prefix(ISSUER).unwrap();
        assert_ne!(world.get(path).await.status, 404, "{name}");
    }
}

#[tokio::test]
async fn the_keys_are_public_on_both_listeners_and_never_private() {
    let world = World::start().await;
    let public = world.get("/jwks.json").await;
    assert_eq!(public.header("cache-control").as_deref(), Some("public, max-age=3600"));
    assert!(public.json()["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
    let ledger = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("ledger"))).unwrap();
    let internal = ledger.get(world.internal_url("/jwks.json")).send().await.unwrap();
    assert_eq!(internal.json::<Value>().await.unwrap(), public.json());
    let nobody = server::client(&world.pki.internal_ca(), None).unwrap();
    assert!(nobody.get(world.internal_url("/jwks.json")).send().await.is_err(), "no certificate, no HTTP");
}

#[tokio::test]
async fn the_internal_listener_has_no_public_route() {
    let world = World::start().await;
    let ledger = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("ledger"))).unwrap();
    for path in ["/token", "/login", "/userinfo"] {
        let reply = ledger.get(world.internal_url(path)).send().await.unwrap();
        assert_eq!(reply.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let world = World::start().await;
    let reply = world.get("/admin").await;
    assert_eq!((reply.status, reply.member("code").as_str()), (404, "request.not_found"));
}
