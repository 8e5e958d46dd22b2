//! A payer who is asked to approve a payment.

use api::approvals::{ACR_PAYMENT, PaymentShown};
use identity::access_token::{self, Claims, Expect, KeySet};
use serde_json::json;
use testkit::browser::{self, Person};

use crate::browser::{Browser, PASSWORD, parameter};
use crate::draft::{Client, Draft, Pushed, Reply};
use crate::ledger::{Ledger, PAYMENT, payment};
use crate::world::{APP, ISSUER, World};

/// A request for the approval of the payment, right in everything.
pub(crate) async fn par(world: &World, client: &Client) -> (Draft, String) {
    let (mut draft, verifier) = client.par(world).await;
    draft.set("scope", "payouts:write");
    draft.set("acr_values", ACR_PAYMENT);
    draft.set("authorization_details", &json!([{ "type": "payment_initiation", "identifier": PAYMENT }]).to_string());
    (draft, verifier)
}

pub(crate) async fn push(world: &World, client: &Client) -> Pushed {
    let (draft, verifier) = par(world, client).await;
    let reply = draft.send(world).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    Pushed { request_uri: reply.member("request_uri"), verifier }
}

/// A person with a login: the address and the subject.
pub(crate) async fn somebody(world: &World, client: &Client) -> (String, String) {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    let email = browser.register_anybody().await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let reply = client.redemption(world, &code, &pushed.verifier).await.send(world).await;
    (email, claims(world, &reply).await.sub)
}

pub(crate) async fn claims(world: &World, tokens: &Reply) -> Claims {
    let keys = KeySet::from_jwks(&world.get("/jwks.json").await.text).unwrap();
    let expect = Expect { issuer: ISSUER, audience: "urn:redoubt:ledger", now: world.now() };
    access_token::verify(&tokens.member("access_token"), &keys, &expect).unwrap()
}

/// A payer of whom the ledger says that the payment waits.
pub(crate) struct Scene {
    pub(crate) ledger: Ledger,
    pub(crate) world: World,
    pub(crate) client: Client,
    pub(crate) email: String,
    pub(crate) payment: PaymentShown,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Ledger::start_as("ledger").await).await
    }

    pub(crate) async fn with(ledger: Ledger) -> Self {
        let (world, client) = (ledger.world().await, Client::app());
        let (email, payer) = somebody(&world, &client).await;
        let payment = payment(&world);
        ledger.says(&payer, payment.clone());
        Self { ledger, world, client, email, payment }
    }

    /// Another payment waits under the name from now on.
    pub(crate) fn becomes(&self, change: impl FnOnce(&mut PaymentShown)) -> PaymentShown {
        let mut said = self.ledger.said.lock().unwrap();
        let (_, payment) = said.waits.as_mut().unwrap();
        change(payment);
        payment.clone()
    }

    /// The payer's browser, logged in, before the page is opened.
    pub(crate) async fn logged_in(&self) -> (Browser<'_>, Pushed) {
        self.logged_in_as(&self.email).await
    }

    pub(crate) async fn logged_in_as(&self, email: &str) -> (Browser<'_>, Pushed) {
        let pushed = push(&self.world, &self.client).await;
        let mut browser = Browser::new(&self.world);
        browser.open(APP, &pushed.request_uri).await;
        let reply = browser.log_in(email, PASSWORD).await;
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/approve")), "{}", reply.text);
        // A page that asks nobody, for the token of the forms.
        browser.get("/login").await;
        (browser, pushed)
    }

    pub(crate) async fn redeem(&self, url: &str, pushed: &Pushed) -> Reply {
        let code = parameter(&url.parse().unwrap(), "code").expect(url);
        self.client.redemption(&self.world, &code, &pushed.verifier).await.send(&self.world).await
    }

    /// The phone's browser, and where it begins.
    pub(crate) fn phone(&self, pushed: &Pushed) -> (browser::Browser, String) {
        let person =
            Person { email: self.email.clone(), password: PASSWORD.into(), name: String::new(), registers: false };
        let form = [("client_id", APP), ("request_uri", pushed.request_uri.as_str())];
        let start = self.world.url(&format!("/authorize?{}", serde_urlencoded::to_string(form).unwrap()));
        (browser::Browser::new(self.world.http.clone(), person).known_as(ISSUER), start)
    }
}

/// What the form of the page says of what it shows.
pub(crate) fn mark(page: &Reply) -> String {
    page.text.split_once("name=\"shown\" value=\"").expect(&page.text).1.split('"').next().unwrap().to_owned()
}

pub(crate) async fn press(browser: &mut Browser<'_>, decision: &str, mark: &str) -> Reply {
    browser.post("/approve", &[("decision", decision), ("shown", mark)]).await
}
