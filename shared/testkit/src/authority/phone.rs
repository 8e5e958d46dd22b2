//! A phone whose every request carries all that the layers ask for.
#![expect(clippy::expect_used, reason = "a test stops where its preparation fails")]

use std::sync::{Arc, Mutex, PoisonError};

use api::Sealed;
use api::approvals::ApprovedPayment;
use api::payees::PayeeIban;
use crypto::p256::SigningKey;
use crypto::{SecretBytes, random};
use identity::message_signature::{self, RequestParts, ResponseParts, SignedHeaders};
use identity::sealed_field::{self, Intent};
use identity::{App, Cnf, Instance, Level, Platform, Thumbprint, access_token, attestation_token, dpop};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;

use super::{ISSUER, KID, Keys};
use crate::phone::android;

/// Lifetime of the tokens, in seconds.
const LIFETIME: i64 = 300;
/// How long it has acted for its user, if nobody says otherwise: a year.
const OLD: i64 = 365 * 86_400;

/// An installation of the app, its user logged in.
pub struct SyntheticPhone {
    keys: Arc<Keys>,
    client: reqwest::Client,
    device: SigningKey,
    subject: String,
    scope: String,
    nonce: Mutex<Option<String>>,
    seals: bool,
    approved: Mutex<Vec<ApprovedPayment>>,
    known: Mutex<Known>,
}

/// What its tokens say of how long its user has had what they have.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// None: they say nothing.
    instance: Option<Instance>,
    factor_since: Option<i64>,
}

/// A request as somebody wants it sent, without anything that shows who sends it.
#[derive(Debug, Clone)]
pub struct Plain {
    /// Its method.
    pub method: Method,
    /// Where it goes.
    pub url: String,
    /// What its body is, if it says so.
    pub content_type: Option<String>,
    /// Its idempotency key, if it has one.
    pub key: Option<String>,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// What came back, as it came.
#[derive(Debug)]
pub struct Raw {
    /// Status code of the answer.
    pub status: u16,
    /// Headers of the answer, with its signature where it has one.
    pub headers: HeaderMap,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Whether the answer is signed under this phone's session key and bound to the request.
    pub authentic: bool,
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply {
    /// Status code of the answer.
    pub status: u16,
    /// Headers of the answer, with its signature where it has one.
    pub headers: HeaderMap,
    /// The body as JSON; `null` when it is none.
    pub body: Value,
    /// Whether the answer is signed under this phone's session key and bound to the request.
    pub authentic: bool,
}

impl Reply {
    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }
}

/// What a signed request was signed with; needed to check the answer.
struct Signed {
    builder: RequestBuilder,
    session_key: SecretBytes,
    signature: String,
}

impl SyntheticPhone {
    pub(super) fn new(keys: Arc<Keys>, client: reqwest::Client, name: &str) -> Self {
        let now = keys.clock.unix();
        Self {
            keys,
            client,
            device: SigningKey::generate(),
            subject: format!("sub-{name}"),
            scope: api::scope::ALL.join(" "),
            nonce: Mutex::default(),
            seals: true,
            approved: Mutex::default(),
            known: Mutex::new(Known {
                instance: Some(Instance { since: now - OLD, first: false }),
                factor_since: None,
            }),
        }
    }

    /// The user's pseudonymous subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The instance, by its device key.
    pub fn thumbprint(&self) -> Thumbprint {
        self.cnf().jkt
    }

    /// The same phone with a token for these scopes only.
    #[must_use]
    pub fn with_scopes(mut self, scopes: &[&str]) -> Self {
        self.scope = scopes.join(" ");
        self
    }

    /// From now on its access tokens say that the user has approved these payments.
    ///
    /// # Panics
    ///
    /// After a panic of another test's thread.
    pub fn approve(&self, payments: &[ApprovedPayment]) {
        *self.approved.lock().expect("the approved payments") = payments.to_vec();
    }

    /// From now on its access tokens say so of how long it has acted for its user, and since when the user has had the second factor that they have shown.
    ///
    /// # Panics
    ///
    /// After a panic of another test's thread.
    pub fn is_known(&self, instance: Option<Instance>, factor_since: Option<i64>) {
        *self.known.lock().expect("what is known of the phone") = Known { instance, factor_since };
    }

    /// The same phone with an app that sends every body as it is, also what has to be sealed.
    #[must_use]
    pub fn as_it_is(mut self) -> Self {
        self.seals = false;
        self
    }

    /// The same phone in a network where this client is all that it has.
    #[must_use]
    pub fn through(mut self, client: reqwest::Client) -> Self {
        self.client = client;
        self
    }

    /// The IBAN of a payee, sealed for this intent of this phone to the ledger's key.
    ///
    /// # Panics
    /// It is too long to be one.
    pub fn seal_iban(&self, iban: &str, key: &str) -> Sealed<PayeeIban> {
        let jkt = self.thumbprint();
        sealed_field::seal(&self.keys.sealing, &Intent { jkt: &jkt, idempotency_key: key }, iban)
            .expect("a sealed IBAN")
    }

    /// What an honest app sends for `body`.
    fn sealed(&self, body: &Value, key: Option<&str>) -> Value {
        let mut body = body.clone();
        let iban = body.pointer_mut("/iban").filter(|_| self.seals);
        if let Some((iban, key)) = iban.zip(key) {
            let sealed = iban.as_str().map(|text| self.seal_iban(text, key));
            *iban = serde_json::to_value(sealed).unwrap_or_default();
        }
        body
    }

    /// A signed request, not sent yet. A POST gets a fresh idempotency key. It carries the last `DPoP` nonce that [`send`]
    /// (or [`learn_nonce`]) has seen, so call one of them first where the nonce matters.
    ///
    /// [`send`]: Self::send
    /// [`learn_nonce`]: Self::learn_nonce
    pub fn request(&self, method: Method, url: &str, body: Option<&Value>) -> RequestBuilder {
        let key = (method == Method::POST).then(|| random::token(16));
        self.sign(&self.plain(method, url, body, key.as_deref())).builder
    }

    /// The same with a given idempotency key.
    pub fn request_with_key(&self, method: Method, url: &str, body: Option<&Value>, key: &str) -> RequestBuilder {
        self.sign(&self.plain(method, url, body, Some(key))).builder
    }

    /// Sends a request as an honest client does: with the server's nonce, and looking at the signature of the answer.
    pub async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Reply {
        let key = (method == Method::POST).then(|| random::token(16));
        self.exchange_json(method, url, body, key.as_deref()).await
    }

    /// The same with a given idempotency key.
    pub async fn send_with_key(&self, method: Method, url: &str, body: Option<&Value>, key: &str) -> Reply {
        self.exchange_json(method, url, body, Some(key)).await
    }

    /// Asks `url` once for the server's `DPoP` nonce.
    pub async fn learn_nonce(&self, url: &str) {
        drop(self.exchange_json(Method::GET, url, None, None).await);
    }

    /// Sends what somebody else has written, as this phone: `None` if nothing came back. Of what stands in the place of a payee's IBAN
    /// the part before the first dot is sealed on the way: so a sender can keep to the form of what is sealed.
    pub async fn forward(&self, mut plain: Plain) -> Option<Raw> {
        let parsed: Option<Value> = serde_json::from_slice(&plain.body).ok();
        if let Some(mut body) = parsed.filter(|body| body.pointer("/iban").is_some()) {
            if let Some(iban) = body.pointer_mut("/iban") {
                let text = iban.as_str().and_then(|text| text.split('.').next()).map(Value::from);
                *iban = text.unwrap_or_else(|| iban.clone()); // Default: what is no text is sent as it is.
            }
            // Quoted or bare, it is the same key.
            let key = plain.key.as_deref().map(|key| key.trim_matches('"'));
            plain.body = serde_json::to_vec(&self.sealed(&body, key)).ok()?;
        }
        self.exchange(&plain).await
    }

    async fn exchange_json(&self, method: Method, url: &str, body: Option<&Value>, key: Option<&str>) -> Reply {
        let Raw { status, headers, body, authentic } =
            self.exchange(&self.plain(method, url, body, key)).await.expect("the service answers");
        Reply { status, body: serde_json::from_slice(&body).unwrap_or_default(), headers, authentic }
    }

    fn plain(&self, method: Method, url: &str, body: Option<&Value>, key: Option<&str>) -> Plain {
        let body = body.map(|body| serde_json::to_vec(&self.sealed(body, key)).expect("JSON")).unwrap_or_default();
        let content_type = (!body.is_empty()).then(|| "application/json".to_owned());
        Plain { method, url: url.to_owned(), content_type, key: key.map(str::to_owned), body }
    }

    async fn exchange(&self, plain: &Plain) -> Option<Raw> {
        let answer = self.once(plain).await?;
        let challenge = answer.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
        if challenge.is_some_and(|challenge| challenge.contains("use_dpop_nonce")) {
            return self.once(plain).await;
        }
        Some(answer)
    }

    async fn once(&self, plain: &Plain) -> Option<Raw> {
        let signed = self.sign(plain);
        let response = signed.builder.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.ok()?;
        if let Some(nonce) = text(&headers, api::header::DPOP_NONCE) {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce);
        }
        let now = self.keys.clock.unix();
        let content_type = text(&headers, "content-type");
        let parts = ResponseParts { status, content_type: content_type.as_deref(), body: &bytes };
        let authentic = SignedHeaders::read(|name| text(&headers, name)).is_some_and(|signature| {
            let key = signed.session_key.expose();
            message_signature::verify_response(key, &parts, &signature, &signed.signature, now).is_ok()
        });
        Some(Raw { status, headers, body: bytes.to_vec(), authentic })
    }

    fn sign(&self, plain: &Plain) -> Signed {
        let Plain { method, url, content_type, key, body } = plain;
        let now = self.keys.clock.unix();
        let url = Url::parse(url).expect("a URL");
        let authority = url.authority().to_owned();
        let (attestation, jti, session_key) = self.attestation_token(now);
        let access = self.access_token(now);
        let htu = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let proof =
            dpop::create(&self.device, method.as_str(), &htu, now, &random::token(16), Some(&access), nonce.as_deref());
        let mut headers = vec![
            ("attestation-token", attestation),
            ("authorization", format!("DPoP {access}")),
            ("dpop", proof.expect("a proof")),
        ];
        headers.extend(content_type.clone().map(|content_type| ("content-type", content_type)));
        headers.extend(key.clone().map(|key| ("idempotency-key", key)));
        let borrowed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (path, query) = (url.path().to_owned(), url.query().map(str::to_owned));
        let parts = RequestParts {
            method: method.as_str(),
            authority: &authority,
            path: &path,
            query: query.as_deref(),
            headers: &borrowed,
            body,
        };
        let signed =
            message_signature::sign(session_key.expose(), &parts, now, &random::token(16), &jti).expect("a signature");
        let signature = signed.signature.clone();
        headers.extend(signed);
        let mut builder = self.client.request(method.clone(), url).body(body.clone());
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        Signed { builder, session_key, signature }
    }

    fn access_token(&self, now: i64) -> String {
        let known = *self.known.lock().expect("what is known of the phone");
        let claims = access_token::Claims {
            iss: ISSUER.to_owned(),
            sub: self.subject.clone(),
            aud: api::service::LEDGER_RESOURCE.to_owned(),
            client_id: "redoubt-mobile".into(),
            scope: self.scope.clone(),
            iat: now,
            exp: now + LIFETIME,
            jti: random::token(16),
            auth_time: now,
            cnf: self.cnf(),
            acr: None,
            amr: Vec::new(),
            authorization_details: self.approved.lock().expect("the approved payments").clone(),
            instance: known.instance,
            factor_since: known.factor_since,
        };
        access_token::issue(&self.keys.signing, KID, &claims).expect("an access token")
    }

    /// The token, its id and its session key.
    fn attestation_token(&self, now: i64) -> (String, String, SecretBytes) {
        let key = self.keys.master.key(self.keys.audience, attestation_token::epoch_of(now));
        let jti = random::token(16);
        let claims = attestation_token::Claims {
            iss: attestation_token::ISSUER.to_owned(),
            aud: self.keys.audience.to_owned(),
            iat: now,
            exp: now + LIFETIME,
            jti: jti.clone(),
            cnf: self.cnf(),
            client_id: "redoubt-mobile".into(),
            app: App {
                id: android::PACKAGE.into(),
                version: "1.0.0".to_owned(),
                build: 1_u64.into(),
                platform: Platform::Android,
            },
            level: Level::StrongBox,
            policy: "test".to_owned(),
            support_id: format!("support-{}", self.subject).into(),
        };
        let session_key = attestation_token::session_key(key.secret.expose(), &jti);
        (attestation_token::issue(&key, &claims).expect("an attestation token"), jti, session_key)
    }

    fn cnf(&self) -> Cnf {
        Cnf { jkt: identity::DeviceSigner::public(&self.device).thumbprint() }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
