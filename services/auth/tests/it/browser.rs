//! A browser as plain HTTP: a cookie jar, forms filled in from the page, redirects seen one by one.

use std::sync::atomic::{AtomicU64, Ordering};

use url::Url;

use crate::draft::{Client, Pushed, Reply};
use crate::world::{ISSUER, World};

pub(crate) const PASSWORD: &str = "blue tractor under the pier";

/// An address that no other test has.
pub(crate) fn address() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("person-{}@example.org", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[derive(Clone)]
pub(crate) struct Browser<'w> {
    world: &'w World,
    /// Names and values, the oldest first, as browsers send them.
    pub(crate) cookies: Vec<(String, String)>,
    /// What somebody else has put before them in `Cookie`, byte for byte.
    pub(crate) planted: Vec<u8>,
    /// The query of the page that is shown, which says which interaction it belongs to.
    pub(crate) tab: String,
    /// `Origin`, sent with forms.
    pub(crate) origin: Option<String>,
    /// Where it is, as a proxy of ours says it.
    pub(crate) address: Option<String>,
    /// `Accept`, sent with forms.
    pub(crate) accept: Option<&'static str>,
    /// The token of the last page.
    pub(crate) csrf: String,
}

impl<'w> Browser<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let (cookies, planted, tab) = (Vec::new(), Vec::new(), String::new());
        let origin = Some(ISSUER.to_owned());
        Self { world, cookies, planted, tab, origin, address: None, accept: None, csrf: String::new() }
    }

    /// A browser that has brought a request of that client as far as the login page.
    pub(crate) async fn at_login(world: &'w World, client: &Client) -> (Self, Pushed) {
        let pushed = client.push(world).await;
        let mut browser = Self::new(world);
        browser.open(client.id(), &pushed.request_uri).await;
        (browser, pushed)
    }

    /// Brings a `request_uri` and follows to the login page.
    pub(crate) async fn open(&mut self, client_id: &str, request_uri: &str) -> Reply {
        let reply = self.authorize(client_id, request_uri).await;
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/login")), "{}", reply.text);
        self.get("/login").await
    }

    pub(crate) async fn authorize(&mut self, client_id: &str, request_uri: &str) -> Reply {
        let query = serde_urlencoded::to_string([("client_id", client_id), ("request_uri", request_uri)]).unwrap();
        self.get(&format!("/authorize?{query}")).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        let request = self.world.http.get(self.world.url(&self.address(path)));
        self.send(request).await
    }

    /// The path in the tab that is open.
    fn address(&self, path: &str) -> String {
        let page = ["/login", "/register", "/consent", "/approve", "/code", "/second-factor"]
            .iter()
            .any(|page| path.starts_with(page));
        if !page || self.tab.is_empty() {
            return path.to_owned();
        }
        format!("{path}{}{}", if path.contains('?') { '&' } else { '?' }, self.tab)
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        let mut form = form.to_vec();
        let csrf = self.csrf.clone();
        form.push(("csrf", &csrf));
        let mut request = self
            .world
            .http
            .post(self.world.url(&self.address(path)))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(serde_urlencoded::to_string(form).unwrap());
        let (origin, accept) = (self.origin.as_deref(), self.accept);
        for (name, value) in [("origin", origin), ("accept", accept), ("x-forwarded-for", self.address.as_deref())] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        self.send(request).await
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Reply {
        let own: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let header = [self.planted.as_slice(), own.join("; ").as_bytes()].concat();
        if !header.is_empty() {
            request = request.header("cookie", reqwest::header::HeaderValue::from_bytes(&header).unwrap());
        }
        let reply = Reply::read(request.send().await.unwrap()).await;
        for set in reply.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.keep(name, (!set.contains("Max-Age=0")).then_some(value));
        }
        if let Some((_, query)) = reply.header("location").as_deref().and_then(|location| location.split_once('?')) {
            query.clone_into(&mut self.tab);
        }
        if let Some((_, rest)) = reply.text.split_once("name=\"csrf\" value=\"") {
            rest.split('"').next().unwrap().clone_into(&mut self.csrf);
        }
        reply
    }

    /// Keeps a cookie in the place of one of the same name, or forgets it.
    fn keep(&mut self, name: &str, value: Option<&str>) {
        let there = self.cookies.iter().position(|(known, _)| known == name);
        match (there, value) {
            (Some(at), Some(value)) => value.clone_into(&mut self.cookies[at].1),
            (Some(at), None) => drop(self.cookies.remove(at)),
            (None, Some(value)) => self.cookies.push((name.to_owned(), value.to_owned())),
            (None, None) => (),
        }
    }

    pub(crate) async fn log_in(&mut self, email: &str, password: &str) -> Reply {
        self.post("/login", &[("email", email), ("password", password)]).await
    }

    pub(crate) async fn register(&mut self, name: &str, email: &str, password: &str) -> Reply {
        self.post("/register", &[("name", name), ("email", email), ("password", password)]).await
    }

    /// Registers a new person and goes to the consent page.
    pub(crate) async fn register_anybody(&mut self) -> String {
        let email = address();
        let reply = self.register("Alice Adams", &email, PASSWORD).await;
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")), "{}", reply.text);
        assert_eq!(self.get("/consent").await.status, 200);
        email
    }

    /// Allows or denies; where the page goes on to.
    pub(crate) async fn decide(&mut self, decision: &str) -> Url {
        self.answer(&[("decision", decision)]).await
    }

    /// Allows, with these boxes ticked; where the page goes on to.
    pub(crate) async fn allow(&mut self, boxes: &[&str]) -> Url {
        let ticked = boxes.iter().map(|name| (*name, "yes"));
        self.answer(&ticked.chain([("decision", "allow")]).collect::<Vec<_>>()).await
    }

    async fn answer(&mut self, form: &[(&str, &str)]) -> Url {
        let reply = self.post("/consent", form).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.goes_on_to().parse().unwrap()
    }
}

/// A parameter of a redirect.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A code for that client, by a new person.
pub(crate) async fn code(world: &World, client: &Client) -> (String, String) {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    browser.register_anybody().await;
    let url = browser.decide("allow").await;
    (parameter(&url, "code").unwrap(), pushed.verifier)
}

/// Tokens for that client, by a new person.
pub(crate) async fn tokens(world: &World, client: &Client) -> Reply {
    let (code, verifier) = code(world, client).await;
    let reply = client.redemption(world, &code, &verifier).await.send(world).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply
}
