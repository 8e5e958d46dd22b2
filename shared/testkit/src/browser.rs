//! The system browser of an emulated phone: follows redirects, keeps cookies, fills in the hosted pages' forms.
//!
//! It does what a person would do and nothing else: it reads the page, types into the fields by their names, and presses the first button, or the second
//! one if that person says no. It has no knowledge of the server beyond what the page shows.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context as _, bail};
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, Response};
use url::Url;

/// More pages than any login has.
const MAX_PAGES: usize = 12;

/// The person in front of the screen.
#[derive(Debug, Clone)]
pub struct Person {
    /// What they log in with.
    pub email: String,
    /// What they type beside it.
    pub password: String,
    /// As what they register.
    pub name: String,
    /// Whether they register first.
    pub registers: bool,
}

/// What has become of a payment that its payer was asked to approve.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The client's redirect URI with `code` or `error` in it.
    pub location: String,
    /// What the pages on the way said: the payment's own is the last but the one that leads back.
    pub shown: Vec<String>,
}

/// Opens the authorization request of a payment's approval, logs in, and approves what is shown.
///
/// # Errors
///
/// A page that is refused, or one that is neither a form nor the way back to `return_to`.
pub async fn approve_payment(browser: Browser, start: &str, return_to: &str) -> anyhow::Result<Answered> {
    answer_payment(browser, start, return_to).await
}

/// The same, but says no to it.
///
/// # Errors
///
/// As [`approve_payment`].
pub async fn refuse_payment(browser: Browser, start: &str, return_to: &str) -> anyhow::Result<Answered> {
    answer_payment(browser.saying_no(), start, return_to).await
}

async fn answer_payment(mut browser: Browser, start: &str, return_to: &str) -> anyhow::Result<Answered> {
    let location = browser.visit(start, return_to).await?;
    Ok(Answered { location, shown: browser.texts })
}

/// A browser session of one person.
pub struct Browser {
    client: Client,
    person: Person,
    cookies: BTreeMap<String, String>,
    /// Titles of the pages seen, in order.
    pub pages: Vec<String>,
    /// What those pages say, in order.
    pub texts: Vec<String>,
    /// Where the server says it is, if that is not where it is.
    origin: Option<String>,
    /// Whether they press the second button where there are two.
    says_no: bool,
    /// What they type where a code is asked for, one after the other: of the authenticator app, or recovery codes.
    pub codes: VecDeque<String>,
}

impl Browser {
    /// A fresh browser. `client` follows no redirects by itself.
    pub fn new(client: Client, person: Person) -> Self {
        let (pages, texts) = (Vec::new(), Vec::new());
        Self {
            client,
            person,
            cookies: BTreeMap::new(),
            pages,
            texts,
            origin: None,
            says_no: false,
            codes: VecDeque::new(),
        }
    }

    /// The browser of a person who says no where they are asked.
    #[must_use]
    pub fn saying_no(mut self) -> Self {
        self.says_no = true;
        self
    }

    /// For a server that is known to the world under another origin than the one where it listens.
    #[must_use]
    pub fn known_as(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// Opens `start` and goes on until the server sends the browser to `return_to`, by a redirect or by a page that goes on by
    /// itself; gives that URL.
    ///
    /// # Errors
    ///
    /// A page that is refused, or one that is neither a form nor the way back.
    pub async fn visit(&mut self, start: &str, return_to: &str) -> anyhow::Result<String> {
        let mut url = Url::parse(start)?;
        let mut response = self.send(Method::GET, &url, None).await?;
        for _ in 0..MAX_PAGES {
            if response.status().is_redirection() {
                let location = response.headers().get(LOCATION).context("a redirect without Location")?.to_str()?;
                if location.starts_with(return_to) {
                    return Ok(location.to_owned());
                }
                url = url.join(location)?;
                response = self.send(Method::GET, &url, None).await?;
                continue;
            }
            let status = response.status();
            let html = response.text().await?;
            self.pages.push(between(&html, "<title>", "</title>").unwrap_or("(no title)").trim().to_owned());
            self.texts.push(text_of(&html));
            if !status.is_success() {
                bail!("{url} answered {status}: {}", text_of(&html));
            }
            if let Some(onward) = refresh(&html).filter(|onward| onward.starts_with(return_to)) {
                return Ok(onward);
            }
            if self.person.registers
                && let Some(link) = link_to(&html, "/register")
            {
                url = url.join(&link)?;
                response = self.send(Method::GET, &url, None).await?;
                continue;
            }
            let form =
                Form::first(&html, self.says_no).with_context(|| format!("no form on {url}: {}", text_of(&html)))?;
            if form.fields.iter().any(|(name, _)| name == "name") {
                self.person.registers = false;
            }
            let mut fields = form.filled(&self.person);
            if let Some((_, code)) = fields.iter_mut().find(|(name, _)| name == "code") {
                let title = self.pages.last().map_or("a page", String::as_str);
                *code = self.codes.pop_front().with_context(|| {
                    format!("`{title}` asks for a code, and none is at hand (`--code=` brings one)")
                })?;
            }
            url = url.join(&form.action)?;
            response = self.send(Method::POST, &url, Some(&fields)).await?;
        }
        bail!("no end of the login after {MAX_PAGES} pages: {:?}", self.pages)
    }

    async fn send(&mut self, method: Method, url: &Url, form: Option<&[(String, String)]>) -> anyhow::Result<Response> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url.clone()).header(COOKIE, cookies.join("; "));
        if let Some(fields) = form {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            request = request
                .header(ORIGIN, self.origin.clone().unwrap_or_else(|| url.origin().ascii_serialization()))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body);
        }
        let response = request.send().await.with_context(|| format!("cannot open {url}"))?;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(response)
    }
}

struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    fn first(html: &str, second_button: bool) -> Option<Self> {
        let form = between(html, "<form", "</form>")?;
        let head = form.split('>').next()?;
        let mut fields = Vec::new();
        // A box stays as it is: this person tells no client more than the service needs.
        for tag in form.split('<').filter(|tag| tag.starts_with("input") && !tag.contains("type=\"checkbox\"")) {
            if let Some(name) = attribute(tag, "name") {
                fields.push((name, attribute(tag, "value").unwrap_or_default()));
            }
        }
        // The first button is the one that Enter presses. A form with one has no other answer.
        let mut buttons = form.split('<').filter(|tag| tag.starts_with("button"));
        let first = buttons.next();
        if let Some(button) = buttons.next().filter(|_| second_button).or(first)
            && let Some(name) = attribute(button, "name")
        {
            fields.push((name, attribute(button, "value").unwrap_or_default()));
        }
        Some(Self { action: attribute(head, "action").unwrap_or_default(), fields })
    }

    fn filled(&self, person: &Person) -> Vec<(String, String)> {
        let typed = |name: &str, value: &str| match name {
            "email" => person.email.clone(),
            "name" => person.name.clone(),
            "password" | "password_again" => person.password.clone(),
            _ => value.to_owned(),
        };
        self.fields.iter().map(|(name, value)| (name.clone(), typed(name, value))).collect()
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split('"').next()?;
    Some(unescape(value))
}

/// Where a page goes by itself.
fn refresh(html: &str) -> Option<String> {
    let tag = html.split('<').find(|tag| tag.starts_with("meta http-equiv=\"refresh\""))?;
    attribute(tag, "content")?.split_once("url=").map(|(_, url)| url.to_owned())
}

fn link_to(html: &str, path: &str) -> Option<String> {
    html.split('<')
        .filter(|tag| tag.starts_with("a "))
        .filter_map(|tag| attribute(tag, "href"))
        .find(|href| href.contains(path))
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&#60;", "<")
        .replace("&lt;", "<")
        .replace("&#62;", ">")
        .replace("&gt;", ">")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
}

fn text_of(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    unescape(&out.split_whitespace().take(120).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_goes_on_by_itself_is_followed() {
        let html = r#"<meta charset="utf-8"><meta http-equiv="refresh" content="0; url=https://a.b/c?d=1&#38;url=2">"#;
        assert_eq!(refresh(html).as_deref(), Some("https://a.b/c?d=1&url=2"));
        assert_eq!(refresh("<meta charset=\"utf-8\">"), None);
    }

    #[test]
    fn a_form_is_read_and_filled_as_a_person_would() {
        let html = r#"<form method="post" action="/login"><input type="hidden" name="csrf" value="a&amp;b">
            <label>E-mail <input name="email" type="email"></label><input name="password" type="password" value="">
            <input type="checkbox" name="grant_email" value="yes"><button name="go" value="1">Log in</button></form>"#;
        let form = Form::first(html, false).unwrap();
        let person = Person { email: "a@b.c".into(), password: "secret".into(), name: "A".into(), registers: false };
        assert_eq!(form.action, "/login");
        let expected = [("csrf", "a&b"), ("email", "a@b.c"), ("password", "secret"), ("go", "1")];
        let filled = form.filled(&person);
        assert_eq!(filled, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn who_says_no_presses_the_second_button_if_there_is_one() {
        let two = r#"<form action="/a"><button name="decision" value="yes">Y</button><button name="decision" value="no">N</button></form>"#;
        let pressed = |html, no| Form::first(html, no).unwrap().fields.remove(0).1;
        assert_eq!((pressed(two, false), pressed(two, true)), ("yes".to_owned(), "no".to_owned()));
        let one = r#"<form action="/a"><button name="decision" value="back">B</button></form>"#;
        assert_eq!((pressed(one, false), pressed(one, true)), ("back".to_owned(), "back".to_owned()));
    }
}
