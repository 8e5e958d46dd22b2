//! A hooked phone: what somebody holds who has full control of a genuine phone and its app.
//!
//! They can use the device key (not copy it out of the hardware; here they can, which is worse), read the refresh token
//! and every token in memory, and send any bytes. It speaks the protocol by itself, without the SDK, so that each request
//! can be taken apart, changed and sent again.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use api::Sealed;
use api::attestation::{App, Assert, Attested, Challenge, Platform, Purpose, RequestChallenge};
use api::payees::PayeeIban;
use crypto::hpke::{self, KeyPair};
use crypto::p256::SigningKey;
use crypto::{SecretBytes, b64, random};
use identity::message_signature::{RequestParts, sign};
use identity::sealed_field::{self, Intent};
use identity::{Jwk, dpop, evidence, jose};
use mobile_sdk::Store;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::phone::CLIENT_ID;
use crate::stack::Stack;

/// Everything that an instance holds.
pub struct Hooked {
    http: Client,
    api: Url,
    pub key: Arc<SigningKey>,
    /// *What*.
    pub attestation_token: String,
    token_id: String,
    session_key: SecretBytes,
    /// The ledger's, which fields are sealed to.
    sealing_key: Jwk,
    /// Client attestation for the authorization server.
    pub client_attestation: String,
    /// *Who*.
    pub access_token: String,
    nonce: Mutex<Option<String>>,
}

/// What the attacker sees of an answer.
#[derive(Debug, Clone)]
pub struct Seen {
    pub status: u16,
    /// The stable code or OAuth error, when there is one.
    pub code: String,
    /// The request's id, which the operator can look up.
    pub request_id: String,
    pub body: Value,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

/// A request, complete, as bytes to play with.
#[derive(Debug, Clone)]
pub struct Forged {
    pub method: Method,
    pub url: Url,
    /// Headers in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Forged {
    /// Takes a header out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self = self.without(name);
        self.headers.push((name, value));
        self
    }

    /// Sends it as it is.
    pub async fn send(&self, http: &Client) -> Result<Seen> {
        let mut request = http.request(self.method.clone(), self.url.clone()).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        seen(request.send().await?).await.map(|(seen, _)| seen)
    }
}

/// What can be seen of a response, and its `DPoP-Nonce`.
async fn seen(response: reqwest::Response) -> Result<(Seen, Option<String>)> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, request_id, nonce) =
        (response.status().as_u16(), header(api::header::REQUEST_ID), header(api::header::DPOP_NONCE));
    let body: Value = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
    let code = body.get("code").or_else(|| body.get("error")).and_then(Value::as_str).unwrap_or("").to_owned();
    Ok((Seen { status, code, request_id: request_id.unwrap_or_default(), body }, nonce))
}

impl Hooked {
    /// What its requests are signed with.
    pub fn session_key(&self) -> &SecretBytes {
        &self.session_key
    }

    /// Takes over the app on a phone: renews its session and its access token with the device key.
    pub async fn take_over(
        stack: &Stack,
        http: Client,
        key: Arc<SigningKey>,
        app: App,
        store: &dyn Store,
    ) -> Result<Self> {
        let refresh_token = store.get("redoubt.refresh_token").await?.context("nobody is logged in on this phone")?;
        let mut hooked = Self::renew(stack, http, key, app).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose().as_str()),
            ("client_id", CLIENT_ID),
        ];
        let answer = hooked.oauth(&format!("{}/token", stack.auth_url), &form).await?;
        let access_token = answer.body.get("access_token").and_then(Value::as_str);
        access_token.with_context(|| format!("the refresh token gave {answer}"))?.clone_into(&mut hooked.access_token);
        Ok(hooked)
    }

    /// A session by assertion of the device key (Android), and nobody logged in.
    pub async fn renew(stack: &Stack, http: Client, key: Arc<SigningKey>, app: App) -> Result<Self> {
        let ask = RequestChallenge { platform: Platform::Android, purpose: Purpose::Assertion };
        let url = format!("{}/v1/challenges", stack.attestation_url);
        let challenge: Challenge = http.post(url).json(&ask).send().await?.error_for_status()?.json().await?;
        let keys = KeyPair::generate();
        let jwk = key.public();
        let jkt = Jwk::from(jwk.clone()).thumbprint();
        let bytes = b64::decode(&challenge.challenge)?;
        let binding = evidence::binding(Platform::Android, &bytes, &jkt, &keys.public(), CLIENT_ID, &app);
        let claims = json!({"challenge": challenge.challenge, "evidence_hash": b64::encode(&evidence::shown(&binding, &[])), "iat": now()});
        let proof = jose::sign_es256(&*key, &jose::Header::new("redoubt-instance-proof+jwt"), &claims)?;
        let request = Assert {
            challenge: challenge.challenge,
            platform: Platform::Android,
            client_id: CLIENT_ID.into(),
            app,
            device_key: Jwk::from(jwk).to_value(),
            session_public_key: b64::encode(&keys.public()),
            assertion: None,
            proof,
        };
        let url = format!("{}/v1/assertions", stack.attestation_url);
        let attested: Attested = http.post(url).json(&request).send().await?.error_for_status()?.json().await?;
        Self::open(stack, http, key, &keys, attested)
    }

    fn open(stack: &Stack, http: Client, key: Arc<SigningKey>, keys: &KeyPair, attested: Attested) -> Result<Self> {
        let issued = attested.tokens.into_iter().find(|token| token.audience == api::service::LEDGER_AUDIENCE);
        let issued = issued.context("no attestation token for the ledger")?;
        let payload = issued.token.split('.').nth(1).context("not a JWS")?;
        let claims: Value = serde_json::from_slice(&b64::decode(payload)?)?;
        let token_id = claims.get("jti").and_then(Value::as_str).context("no jti")?.to_owned();
        let sealed = hpke::Sealed {
            enc: b64::decode(&issued.session_key.enc)?,
            ct: b64::decode(&issued.session_key.ciphertext)?,
        };
        let session_key = keys
            .open(b"redoubt-session-key-v1", token_id.as_bytes(), &sealed)
            .map_err(|_| anyhow::anyhow!("the session key does not open"))?;
        let sealing_key = issued.sealing_key.context("no key to seal fields to")?;
        let sealing_key = Jwk::from_value(&sealing_key)?;
        Ok(Self {
            http,
            api: Url::parse(&stack.ledger_url)?,
            key,
            attestation_token: issued.token,
            token_id,
            session_key,
            sealing_key,
            client_attestation: attested.client_attestation,
            access_token: String::new(),
            nonce: Mutex::new(None),
        })
    }

    /// A form to the authorization server with client attestation and `DPoP`, answering its nonce once.
    pub async fn oauth(&self, url: &str, form: &[(&str, &str)]) -> Result<Seen> {
        let mut nonce = None;
        for _ in 0..2 {
            let proof = self.proof("POST", url, None, nonce.as_deref())?;
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
            let request = request.header(api::header::CLIENT_ATTESTATION, &self.client_attestation);
            let (seen, fresh) = seen(request.header(api::header::DPOP, proof).send().await?).await?;
            if seen.code != "use_dpop_nonce" {
                return Ok(seen);
            }
            nonce = fresh;
        }
        bail!("the authorization server asks for a nonce again and again")
    }

    /// A `DPoP` proof by the device key.
    pub fn proof(&self, method: &str, url: &str, token: Option<&str>, nonce: Option<&str>) -> Result<String> {
        Ok(dpop::create(&*self.key, method, url, now(), &random::token(16), token, nonce)?)
    }

    /// A complete, valid request to the ledger.
    pub async fn forge(&self, method: Method, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Forged> {
        if self.nonce().is_none() {
            self.learn_nonce().await?;
        }
        let url = self.api.join(path)?;
        let proof = self.proof(method.as_str(), url.as_str(), Some(&self.access_token), self.nonce().as_deref())?;
        let mut headers = vec![
            (api::header::ATTESTATION_TOKEN, self.attestation_token.clone()),
            (api::header::AUTHORIZATION, format!("DPoP {}", self.access_token)),
            (api::header::DPOP, proof),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        if let Some(key) = key {
            headers.push((api::header::IDEMPOTENCY_KEY, key.to_owned()));
        }
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        self.sign(Forged { method, url, headers, body })
    }

    /// A payee's IBAN, sealed as the SDK does it, for the request that will have this key.
    pub fn seal_iban(&self, iban: &str, key: &str) -> Result<Sealed<PayeeIban>> {
        let jkt = Jwk::from(self.key.public()).thumbprint();
        Ok(sealed_field::seal(&self.sealing_key, &Intent { jkt: &jkt, idempotency_key: key }, iban)?)
    }

    /// Signs a request anew with the session key.
    pub fn sign(&self, forged: Forged) -> Result<Forged> {
        let forged = forged.without("signature").without("signature-input").without("content-digest");
        let headers: Vec<(&str, &str)> = forged.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let authority = forged.url.authority().to_owned();
        let parts = RequestParts {
            method: forged.method.as_str(),
            authority: &authority,
            path: forged.url.path(),
            query: forged.url.query(),
            headers: &headers,
            body: &forged.body,
        };
        let signed = sign(self.session_key.expose(), &parts, now(), &random::token(16), &self.token_id)?;
        let mut out = forged.with("signature-input", signed.signature_input).with("signature", signed.signature);
        if let Some(digest) = signed.content_digest {
            out = out.with("content-digest", digest);
        }
        Ok(out)
    }

    /// The ledger tells a nonce to whoever has everything else.
    async fn learn_nonce(&self) -> Result<()> {
        let url = self.api.join("/v1/accounts")?;
        let proof = self.proof("GET", url.as_str(), Some(&self.access_token), None)?;
        let forged = self.sign(Forged {
            method: Method::GET,
            url,
            headers: vec![
                (api::header::ATTESTATION_TOKEN, self.attestation_token.clone()),
                (api::header::AUTHORIZATION, format!("DPoP {}", self.access_token)),
                (api::header::DPOP, proof),
            ],
            body: Vec::new(),
        })?;
        let mut request = self.http.get(forged.url.clone());
        for (name, value) in &forged.headers {
            request = request.header(*name, value);
        }
        let response = request.send().await?;
        let nonce = match response.status() {
            StatusCode::UNAUTHORIZED => seen(response).await?.1,
            // The layer that asks for one is off: any will do.
            StatusCode::OK => Some("nobody-asked".to_owned()),
            other => bail!("the ledger answered {other} to a proof without its nonce"),
        };
        *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = nonce;
        Ok(())
    }

    fn nonce(&self) -> Option<String> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The body of a transfer in euro.
pub(crate) fn transfer(from: api::Id, to: api::Id, amount: &str) -> Value {
    json!({"from_account": from, "to_account": to, "amount": {"amount": amount, "currency": "EUR"}, "reference": "attack"})
}

pub(crate) fn now() -> i64 {
    use mobile_sdk::Clock as _;
    mobile_sdk::SystemClock.unix()
}
