//! Somebody who tries passwords at the login page of a partner's site, a plain browser without any app, from as many networks as they like; and
//! somebody who has only mistyped.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use crypto::{b64, hash, random};
use identity::jose;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use testkit::browser::Person;
use testkit::pki::Pki;
use url::Url;

use crate::hooked::{Seen, now};
use crate::stack::Stack;

const PARTNER: &str = "partner-web";
const REDIRECT: &str = "https://localhost:8400/callback";

/// A browser that a partner's site has sent to our login page.
pub struct Visitor {
    http: Client,
    cookies: BTreeMap<String, String>,
    page: Url,
    csrf: String,
}

impl Visitor {
    /// From the network 127.0.`network`.0/24 of this machine.
    pub async fn from(stack: &Stack, network: u8) -> Result<Self> {
        let pki = Pki::create(&stack.pki)?;
        let http = testkit::server::client_at(&pki.public_ca(), Ipv4Addr::new(127, 0, network, 1).into())?;
        let request_uri = push(stack, &pki, &http).await?;
        let mut page = Url::parse(&format!("{}/authorize", stack.auth_url))?;
        page.query_pairs_mut().append_pair("client_id", PARTNER).append_pair("request_uri", &request_uri);
        let mut visitor = Self { http, cookies: BTreeMap::new(), page, csrf: String::new() };
        let answer = visitor.open(Method::GET, String::new()).await?;
        let location = answer.headers().get(LOCATION).context("the login does not begin")?.to_str()?.to_owned();
        visitor.page = visitor.page.join(&location)?;
        let login = visitor.open(Method::GET, String::new()).await?.text().await?;
        let (_, rest) = login.split_once("name=\"csrf\" value=\"").context("no form")?;
        rest.split('"').next().context("no token")?.clone_into(&mut visitor.csrf);
        Ok(visitor)
    }

    /// Types this into the page.
    pub async fn types(&mut self, email: &str, password: &str) -> Result<Seen> {
        let fields = [("csrf", self.csrf.as_str()), ("email", email), ("password", password)];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let answer = self.open(Method::POST, form).await?;
        let id = answer.headers().get(api::header::REQUEST_ID).context("an answer without an id")?.to_str()?.to_owned();
        let status = answer.status().as_u16();
        Ok(Seen { status, code: "(a page)".to_owned(), request_id: id, body: Value::String(answer.text().await?) })
    }

    async fn open(&mut self, method: Method, form: String) -> Result<Response> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method.clone(), self.page.clone()).header(COOKIE, cookies.join("; "));
        if method == Method::POST {
            request = request
                .header(ORIGIN, self.page.origin().ascii_serialization())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        let answer = request.send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().context("an empty cookie")?;
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }
}

/// What the partner's server asks for its visitor.
async fn push(stack: &Stack, pki: &Pki, http: &Client) -> Result<String> {
    let (now, jti, verifier) = (now(), random::token(16), random::token(32));
    let claims =
        json!({ "iss": PARTNER, "sub": PARTNER, "aud": stack.auth_url, "iat": now, "exp": now + 60, "jti": jti });
    let header = jose::Header::new("JWT").with_kid("partner-web-1");
    let assertion = jose::sign_es256(&testkit::partner_web::signer(pki)?, &header, &claims)?;
    let challenge = b64::encode(&hash::sha256(verifier.as_bytes()));
    let fields = [
        ("client_id", PARTNER),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request =
        http.post(format!("{}/par", stack.auth_url)).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer: Value = serde_json::from_slice(&request.body(form).send().await?.bytes().await?)?;
    let name = answer.get("request_uri").and_then(Value::as_str);
    Ok(name.with_context(|| format!("the partner's request was refused: {answer}"))?.to_owned())
}

/// Guesses from three networks, and then the right password from a fourth: a list of passwords has it, and whoever works through it is a script.
pub async fn stuff(stack: &Stack, victim: &Person) -> Result<Seen> {
    for network in 1..=3 {
        let seen = Visitor::from(stack, network).await?.types(&victim.email, "a guess from a list").await?;
        ensure!(seen.status == 422, "guess {network} was answered {seen}");
    }
    Visitor::from(stack, 4).await?.types(&victim.email, &victim.password).await
}

/// The benign twin: somebody mistypes twice, and then does not.
pub async fn mistype(stack: &Stack, person: &Person) -> Result<()> {
    let mut visitor = Visitor::from(stack, 5).await?;
    for typed in ["a slip of the finger", "and another one"] {
        let seen = visitor.types(&person.email, typed).await?;
        ensure!(seen.status == 422, "a slip was answered {seen}");
    }
    let seen = visitor.types(&person.email, &person.password).await?;
    ensure!(seen.status == 303, "somebody who had mistyped twice was answered {seen}");
    Ok(())
}
