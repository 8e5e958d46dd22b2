//! Clients that do what the standards permit and ours do not do.

use serde_json::{Value, json};

use crate::draft::{Client, Draft, refusal};
use crate::world::World;

/// Makes a JWS under a header that our own signing functions do not write.
fn signed(draft: &mut Draft, typ: &str, claims: &Value) -> String {
    let key = draft.assertion.as_ref().map_or_else(|| draft.proof.as_ref().unwrap().key.clone(), |it| it.key.clone());
    let header = identity::jose::Header::new(typ).with_kid("partner-web-1");
    identity::jose::sign_es256(key.as_ref(), &header, claims).unwrap()
}

#[tokio::test]
async fn the_type_of_a_jwt_is_a_media_type() {
    let world = World::start().await;
    let client = Client::partner(&world);
    for typ in ["JWT", "jwt", "application/jwt", "Application/JWT", "Client-Authentication+JWT"] {
        let (mut draft, _) = client.par(&world).await;
        typ.clone_into(&mut draft.assertion().typ);
        assert_eq!(draft.send(&world).await.status, 201, "{typ}");
    }
    for typ in ["application/application/jwt", "text/jwt", "jwt ", "dpop+jwt", ""] {
        let (mut draft, _) = client.par(&world).await;
        typ.clone_into(&mut draft.assertion().typ);
        let expected = refusal(401, "invalid_client", "client_authentication/typ_unexpected");
        assert_eq!(draft.send(&world).await.refused(), expected, "{typ}");
    }
}

#[tokio::test]
async fn a_proof_may_name_its_type_in_any_case() {
    let world = World::start().await;
    let client = Client::app();
    for typ in ["DPoP+JWT", "application/dpop+jwt"] {
        let (mut draft, _) = client.par(&world).await;
        let proof = draft.proof.take().unwrap();
        let claims = json!({
            "jti": proof.jti, "htm": proof.htm, "htu": proof.htu, "iat": proof.iat, "nonce": proof.nonce,
        });
        let header = identity::jose::Header::new(typ).with_jwk(identity::Jwk::from(client.key.public()));
        let made = identity::jose::sign_es256(client.key.as_ref(), &header, &claims).unwrap();
        draft.extra.push(("dpop", made));
        let reply = draft.send(&world).await;
        assert_eq!(reply.status, 201, "{typ}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_date_may_have_a_fraction() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let now = world.now();
    let (mut draft, _) = client.par(&world).await;
    let mut claims = draft.assertion().claims.clone();
    claims["exp"] = serde_json::from_str(&format!("{}.75", now + 60)).unwrap();
    claims["iat"] = serde_json::from_str(&format!("{now}.25")).unwrap();
    claims["nbf"] = serde_json::from_str(&format!("{now}.0")).unwrap();
    let assertion = signed(&mut draft, "JWT", &claims);
    draft.set("client_assertion", &assertion);
    let proof = draft.proof.take().unwrap();
    let iat: Value = serde_json::from_str(&format!("{now}.5")).unwrap();
    let claims = json!({ "jti": proof.jti, "htm": proof.htm, "htu": proof.htu, "iat": iat, "nonce": proof.nonce });
    let header = identity::jose::Header::new("dpop+jwt").with_jwk(identity::Jwk::from(client.key.public()));
    let made = identity::jose::sign_es256(client.key.as_ref(), &header, &claims).unwrap();
    draft.extra.push(("dpop", made));
    let reply = draft.send(&world).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
}

#[tokio::test]
async fn head_is_answered_wherever_get_is_with_the_same_head_and_no_body() {
    let world = World::start().await;
    for path in ["/.well-known/openid-configuration", "/jwks.json", "/style.css", "/login", "/authorize", "/userinfo"] {
        let get = world.get(path).await;
        let head = world.http.head(world.url(path)).send().await.unwrap();
        assert_eq!(head.status().as_u16(), get.status, "{path}");
        for name in ["content-type", "content-length", "cache-control", "content-security-policy"] {
            let got = head.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(got, get.header(name), "{path} {name}");
        }
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    let post_only = world.http.head(world.url("/token")).send().await.unwrap();
    assert_eq!(post_only.status(), 405);
}
