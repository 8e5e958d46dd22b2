//! A person with a passkey: a software one, and what a page's script does with it.

use diesel_async::SimpleAsyncConnection as _;
use testkit::passkey::{Passkey, Saying};

use crate::browser::{Browser, PASSWORD};
use crate::database::{connect, line};
use crate::draft::{Client, Reply};
use crate::second_factor::{awaiting, paper};
use crate::world::{ISSUER, World};

/// The host of the issuer.
pub(crate) const RP_ID: &str = "auth.test";

/// What the page asks for: one of its `data-` attributes.
pub(crate) fn asks(page: &Reply, name: &str) -> String {
    let (_, rest) = page.text.split_once(&format!(" data-{name}=\"")).expect(&page.text);
    rest.split('"').next().unwrap().to_owned()
}

/// What answers the page, right in everything.
pub(crate) fn right(page: &Reply, ceremony: &str) -> Saying {
    Saying::right(ceremony, &asks(page, "challenge"), ISSUER, RP_ID)
}

/// The fields that the script fills in when a passkey was made.
pub(crate) fn created(passkey: &Passkey, saying: &Saying) -> [(&'static str, String); 2] {
    let created = passkey.create(saying).unwrap();
    let text = |bytes: &[u8]| crypto::b64::encode(bytes);
    [("client_data", text(&created.client_data)), ("attestation_object", text(&created.attestation_object))]
}

/// The fields that the script fills in when a passkey was shown.
pub(crate) fn signed(passkey: &Passkey, saying: &Saying) -> [(&'static str, String); 4] {
    let signed = passkey.sign(saying).unwrap();
    let text = |bytes: &[u8]| crypto::b64::encode(bytes);
    [
        ("credential", text(&passkey.id)),
        ("client_data", text(&signed.client_data)),
        ("authenticator_data", text(&signed.authenticator_data)),
        ("signature", text(&signed.signature)),
    ]
}

/// Sends a form with these fields.
pub(crate) async fn send(
    browser: &mut Browser<'_>,
    path: &str,
    fields: &[(&'static str, String)],
    more: &[(&str, &str)],
) -> Reply {
    let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
    browser.post(path, &fields.chain(more.iter().copied()).collect::<Vec<_>>()).await
}

/// What the challenge of the browser's page is made of, as hexadecimal.
pub(crate) async fn nonce(world: &World, browser: &Browser<'_>) -> String {
    let cookie = &browser.cookies[0].1;
    let query = "select encode(nonce, 'hex') as line from passkey_ceremonies where browser_hash = ";
    line(world, &format!("{query}sha256('{cookie}')")).await
}

/// Gives all pages that ask this nonce: their challenges differ by what they are for, and by nothing else.
pub(crate) async fn put_back(world: &World, nonce: &str) {
    let everywhere = format!("update passkey_ceremonies set nonce = decode('{nonce}', 'hex')");
    connect(&world.database.superuser_url).await.batch_execute(&everywhere).await.unwrap();
}

/// Adds a passkey in a browser that has logged in just now.
pub(crate) async fn add(browser: &mut Browser<'_>, passkey: &Passkey, name: &str) -> Reply {
    let page = browser.get("/second-factor/passkey").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let fields = created(passkey, &right(&page, "webauthn.create"));
    send(browser, "/second-factor/passkey", &fields, &[("name", name)]).await
}

/// Somebody new has a passkey: their address, the passkey, and the codes on paper.
pub(crate) async fn owner(world: &World) -> (String, Passkey, Vec<String>) {
    let (mut browser, _) = Browser::at_login(world, &Client::app()).await;
    let email = browser.register_anybody().await;
    let passkey = Passkey::generate();
    let page = add(&mut browser, &passkey, "My phone").await;
    assert_eq!((page.status, paper(&page).len()), (200, 10), "{}", page.text);
    (email, passkey, paper(&page))
}

/// A browser in which the password was right, and the page that asks for the passkey.
pub(crate) async fn asked<'w>(world: &'w World, client: &Client, email: &str) -> (Browser<'w>, Reply, String) {
    let (mut browser, verifier) = awaiting(world, client, email).await;
    let page = browser.get("/code").await;
    (browser, page, verifier)
}

/// Shows the passkey to the page.
pub(crate) async fn show(browser: &mut Browser<'_>, page: &Reply, passkey: &Passkey) -> Reply {
    send(browser, "/code", &signed(passkey, &right(page, "webauthn.get")), &[]).await
}

/// Logged in with the passkey.
pub(crate) async fn logged_in<'w>(world: &'w World, email: &str, passkey: &Passkey) -> Browser<'w> {
    let (mut browser, page, _) = asked(world, &Client::app(), email).await;
    let reply = show(&mut browser, &page, passkey).await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")), "{}", reply.text);
    browser.get("/second-factor").await;
    browser
}

/// The password was right, and there is no second factor.
pub(crate) async fn by_password<'w>(world: &'w World, email: &str) -> Browser<'w> {
    let (mut browser, _) = Browser::at_login(world, &Client::app()).await;
    assert_eq!(browser.log_in(email, PASSWORD).await.leads_to().as_deref(), Some("/consent"));
    browser.get("/consent").await;
    browser
}
