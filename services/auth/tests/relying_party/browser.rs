//! A browser and the person before it. It knows of the server what the pages show.

use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, StatusCode};
use url::Url;

use crate::world::REDIRECT;

/// Follows redirects and pages that go on by themselves, keeps cookies, fills in what the page asks for.
pub(crate) struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
    /// Where the login page is.
    page: Option<Url>,
    /// What it last showed.
    pub(crate) shown: String,
}

impl Browser {
    /// Without cookies; `http` follows no redirects by itself.
    pub(crate) fn new(http: reqwest::Client) -> Self {
        Self { http, cookies: BTreeMap::new(), page: None, shown: String::new() }
    }

    /// Goes on from `start` until it is sent to the client.
    pub(crate) async fn answer(mut self, start: &str, decision: &str) -> String {
        let mut url = Url::parse(start).unwrap();
        let mut response = self.open(Method::GET, &url, String::new()).await;
        for _ in 0..10 {
            if response.status() == StatusCode::SEE_OTHER {
                let location = response.headers()[LOCATION].to_str().unwrap();
                url = url.join(location).unwrap();
                response = self.open(Method::GET, &url, String::new()).await;
                continue;
            }
            assert_eq!(response.status(), StatusCode::OK, "{url}");
            let html = response.text().await.unwrap();
            if let Some((_, refresh)) = html.split_once("http-equiv=\"refresh\" content=\"0; url=") {
                let target = refresh.split('"').next().unwrap().replace("&#38;", "&");
                assert!(target.starts_with(REDIRECT), "{target}");
                return target;
            }
            let tags = || html.split('<').map(str::trim);
            if let Some(register) =
                tags().filter_map(|tag| attribute(tag, "href")).find(|href| href.starts_with("/register"))
            {
                url = url.join(register).unwrap();
                response = self.open(Method::GET, &url, String::new()).await;
                continue;
            }
            url = url.join(tags().find_map(|tag| attribute(tag, "action")).unwrap()).unwrap();
            response = self.open(Method::POST, &url, filled(tags(), decision)).await;
        }
        unreachable!("the login does not end: {url}")
    }

    /// Goes as far as the login page.
    pub(crate) async fn at_login(&mut self, start: &str) {
        let start = Url::parse(start).unwrap();
        let response = self.open(Method::GET, &start, String::new()).await;
        let page = start.join(response.headers()[LOCATION].to_str().unwrap()).unwrap();
        self.shown = self.open(Method::GET, &page, String::new()).await.text().await.unwrap();
        self.page = Some(page);
    }

    /// Types a password that is wrong, with that answer to a challenge.
    pub(crate) async fn log_in(&mut self, answer: &str) -> StatusCode {
        let csrf = self.shown.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
        let fields = [("csrf", csrf), ("email", "asked@example.com"), ("password", "wrong"), ("altcha", answer)];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let page = self.page.clone().unwrap();
        let response = self.open(Method::POST, &page, form).await;
        let status = response.status();
        self.shown = response.text().await.unwrap();
        status
    }

    async fn open(&mut self, method: Method, url: &Url, form: String) -> reqwest::Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method.clone(), url.clone()).header(COOKIE, cookies.join("; "));
        if method == Method::POST {
            request = request.header(ORIGIN, url.origin().ascii_serialization());
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
            self.cookies.retain(|known, _| known != name || !cookie.contains("Max-Age=0"));
        }
        response
    }
}

/// The form as a person would send it who ticks every box, with the button of that value.
fn filled<'a>(tags: impl Iterator<Item = &'a str>, decision: &str) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for tag in tags.filter(|tag| tag.starts_with("input") || tag.starts_with("button")) {
        let Some(name) = attribute(tag, "name") else { continue };
        let there = attribute(tag, "value").unwrap_or_default();
        match name {
            "name" => form.append_pair(name, "Ada Lovelace"),
            "email" => form.append_pair(name, &format!("ada-{}@example.com", crypto::random::token(6))),
            "password" => form.append_pair(name, "seven purple kettles sing"),
            "decision" if there != decision => continue,
            _ => form.append_pair(name, there),
        };
    }
    form.finish()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}
