//! `oauth4webapi`, from npm: the library under `openid-client`, certified as a FAPI 2.0 relying party, with the cryptography of
//! node. It checks more of an answer than a client must: issuer, state, nonce, signature and binding, and refuses what is not so.

use serde_json::{Value, json};

use crate::npm::{Package, Script};
use crate::world::World;

const PACKAGE: Package = Package {
    name: "oauth4webapi",
    version: "3.8.8",
    integrity: "sha512-8N28E+a/oxfXWBgOMt+ZP/JUf/XR+IFbvkAEPP3gznXOMv9BpAAwiIj0TFNz3tGTPc0ZQ8zmWBNgN1nAys0gng==",
};
const SCOPE: &str = "openid profile email offline_access accounts:read";

#[tokio::test]
async fn a_client_of_another_language_logs_in_and_takes_no_answer_of_another_issuer() {
    let world = World::start().await;
    let [ca, jwk] = world.files();
    let environment = [("NODE_EXTRA_CA_CERTS", &*ca), ("JWK", &*jwk), ("ISSUER", &*world.issuer), ("SCOPE", SCOPE)];
    let Some(mut script) = Script::start(&PACKAGE, include_str!("oauth4webapi.mjs"), &environment).await else {
        return;
    };

    let authorization = script.hears("open").await;
    script.tell(&world.browse(&authorization, "allow").await).await;
    let told: Value = script.told("told").await;
    script.ended().await;

    assert_eq!((&told["type"], &told["scope"]), (&json!("dpop"), &json!(SCOPE)));
    let (claims, person) = (&told["claims"], &told["person"]);
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(world.issuer), &person["sub"]));
    assert_eq!((&person["name"], &person["email_verified"]), (&json!("Ada Lovelace"), &json!(false)));
    assert_eq!((&claims["name"], &claims["email"]), (&person["name"], &person["email"]));
    // FAPI 2.0 §5.3.2.1: a bound refresh token stays.
    assert_eq!((&told["renewed"], &told["rotated"]), (&json!(true), &json!(false)));
    // RFC 9449 §8: told once, the client needs to be told no second time.
    assert_eq!(told["asked"], 1);
    let wrong = json!({
        "answer": "OAUTH_INVALID_RESPONSE",
        "without": "OAUTH_INVALID_RESPONSE",
        "metadata": "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED",
        "assertion": "invalid_client",
    });
    assert_eq!(told["wrong"], wrong);
    world.stop().await;
}
