//! What a person allows is what the client gets: all of the service, and of the person only what they tick.

use serde_json::Value;

use crate::browser::{Browser, PASSWORD, parameter};
use crate::draft::{Client, Reply, refusal};
use crate::userinfo::Request;
use crate::world::World;

const NAME: &str = "grant_profile";
const EMAIL: &str = "grant_email";

/// Brings a request for that scope as far as the login page; the verifier.
pub(crate) async fn ask(browser: &mut Browser<'_>, world: &World, client: &Client, scope: &str) -> String {
    let (mut draft, verifier) = client.par(world).await;
    draft.set("scope", scope);
    let request_uri = draft.send(world).await.member("request_uri");
    browser.open(client.id(), &request_uri).await;
    verifier
}

/// The tokens of a new person who is asked for `scope` and ticks these boxes.
async fn allowed(world: &World, client: &Client, scope: &str, boxes: &[&str]) -> Reply {
    let mut browser = Browser::new(world);
    let verifier = ask(&mut browser, world, client, scope).await;
    browser.register_anybody().await;
    let code = parameter(&browser.allow(boxes).await, "code").unwrap();
    client.redemption(world, &code, &verifier).await.send(world).await
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&crypto::b64::decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The names of the boxes of a page, and whether each is ticked.
fn boxes(page: &Reply) -> Vec<(String, bool)> {
    let tags = page.text.split('<').filter(|tag| tag.starts_with("input") && tag.contains("type=\"checkbox\""));
    tags.map(|tag| {
        let name = tag.split_once(" name=\"").unwrap().1.split('"').next().unwrap();
        (name.to_owned(), tag.contains(" checked"))
    })
    .collect()
}

#[tokio::test]
async fn name_and_address_are_each_given_or_kept_back_and_the_client_is_told() {
    let world = World::start().await;
    let rows: [(&str, &[&str], &str, &[&str]); 6] = [
        ("openid profile email", &[], "openid", &[]),
        ("openid profile email", &[NAME], "openid profile", &["name"]),
        ("openid profile email", &[EMAIL], "openid email", &["email", "email_verified"]),
        ("email openid profile", &[EMAIL, NAME], "email openid profile", &["email", "email_verified", "name"]),
        ("openid profile accounts:read", &[], "openid accounts:read", &[]),
        // What was not asked for is not given, whatever the form says.
        ("openid profile", &[NAME, EMAIL], "openid profile", &["name"]),
    ];
    for client in [Client::app(), Client::partner(&world)] {
        for (asked, ticked, scope, released) in rows {
            let tokens = allowed(&world, &client, asked, ticked).await;
            let access_token = tokens.member("access_token");
            assert_eq!(tokens.member("scope"), scope, "RFC 6749 §5.1: what differs from the request is said");
            assert_eq!(claims(&access_token)["scope"], scope);
            let person = Request::new(&world, &client, &access_token).await.send(&world).await.json();
            let id_token = claims(&tokens.member("id_token"));
            assert_eq!(person["sub"], id_token["sub"]);
            for told in [&person, &id_token] {
                for claim in ["name", "email", "email_verified"] {
                    assert_eq!(told.get(claim).is_some(), released.contains(&claim), "{asked}: {claim} in {told}");
                }
                if released.contains(&"email") {
                    assert_eq!((&told["email"], &told["email_verified"]), (&person["email"], &Value::from(false)));
                }
            }
        }
    }
}

/// A box that is ticked already is no consent (Regulation (EU) 2016/679, recital 32).
#[tokio::test]
async fn there_is_a_box_for_each_that_was_asked_for_and_none_is_ticked() {
    let world = World::start().await;
    for (scope, expected) in [
        ("openid accounts:read", &[][..]),
        ("openid profile", &[NAME][..]),
        ("openid email", &[EMAIL]),
        ("email openid profile accounts:read", &[NAME, EMAIL]),
    ] {
        let mut browser = Browser::new(&world);
        ask(&mut browser, &world, &Client::app(), scope).await;
        let address = browser.register_anybody().await;
        let page = browser.get("/consent").await;
        let expected: Vec<_> = expected.iter().map(|name| ((*name).to_owned(), false)).collect();
        assert_eq!(boxes(&page), expected, "{scope}");
        assert_eq!(page.text.contains(&address), scope.contains("email"), "the person sees what would be told");
        let service = page.text.contains("<li>See your accounts");
        assert_eq!(service, scope.contains("accounts:read"), "what the service needs is not up for choice");
    }
}

#[tokio::test]
async fn what_was_kept_back_is_asked_for_again_and_what_was_given_is_too() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let mut browser = Browser::new(&world);
    ask(&mut browser, &world, &client, "openid profile email").await;
    let address = browser.register_anybody().await;
    browser.allow(&[NAME]).await;

    let mut browser = Browser::new(&world);
    let verifier = ask(&mut browser, &world, &client, "openid profile email").await;
    browser.log_in(&address, PASSWORD).await;
    let page = browser.get("/consent").await;
    assert_eq!(boxes(&page), [(NAME.to_owned(), false), (EMAIL.to_owned(), false)]);
    let code = parameter(&browser.allow(&[EMAIL]).await, "code").unwrap();
    let tokens = client.redemption(&world, &code, &verifier).await.send(&world).await;
    assert_eq!(tokens.member("scope"), "openid email", "nothing is left of the answer before");
}

#[tokio::test]
async fn a_grant_is_remembered_for_what_was_given_and_no_refresh_widens_it() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let tokens = allowed(&world, &client, "openid profile email offline_access", &[NAME]).await;
    let token = tokens.member("refresh_token");
    let renewed = client.refresh(&world, &token).await.send(&world).await;
    assert_eq!(renewed.member("scope"), "openid profile offline_access");
    for scope in ["openid email", "openid profile email offline_access"] {
        let mut draft = client.refresh(&world, &token).await;
        draft.set("scope", scope);
        let expected = refusal(400, "invalid_scope", "scope/scope_not_granted");
        assert_eq!(draft.send(&world).await.refused(), expected, "{scope}");
    }
}

#[tokio::test]
async fn who_allows_nothing_has_denied() {
    let world = World::start().await;
    let mut browser = Browser::new(&world);
    ask(&mut browser, &world, &Client::partner(&world), "profile email").await;
    browser.register_anybody().await;
    let url = browser.allow(&[]).await;
    assert_eq!((parameter(&url, "error").as_deref(), parameter(&url, "code")), (Some("access_denied"), None));
}
