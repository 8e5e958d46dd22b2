//! Requests of the two kinds of clients, right in everything until a test breaks one thing; and answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crypto::p256::SigningKey;
use identity::client_attestation::{self, Claims, Confirmation};
use identity::jose::{self, Header};
use identity::{App, Jwk, Level, Platform, dpop};
use serde_json::{Value, json};
use testkit::audit;
use testkit::server::app_headers_on;

use crate::world::{APP, APP_REDIRECT, ISSUER, PARTNER, PARTNER_REDIRECT, SCOPES, World};

/// An answer, read whole.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    /// The path that a redirect leads to.
    pub(crate) fn leads_to(&self) -> Option<String> {
        self.header("location").map(|location| location.split('?').next().unwrap().to_owned())
    }

    /// The URL that a page goes on to by itself.
    pub(crate) fn goes_on_to(&self) -> String {
        let refresh = self.text.split_once("<meta http-equiv=\"refresh\" content=\"0; url=").expect(&self.text).1;
        refresh.split('"').next().unwrap().replace("&#38;", "&")
    }

    pub(crate) fn headers(&self) -> &reqwest::header::HeaderMap {
        &self.headers
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect(&self.text)
    }

    /// The member of a JSON answer, as text.
    pub(crate) fn member(&self, name: &str) -> String {
        self.json()[name].as_str().expect(&self.text).to_owned()
    }

    /// The check that refused: `layer/reason`, exactly one.
    pub(crate) fn refusal(&self) -> String {
        let mut refusals = audit::of(&self.header("request-id").unwrap());
        assert_eq!(refusals.len(), 1, "one audit line for one refusal: {refusals:?} {} {}", self.status, self.text);
        refusals.remove(0)
    }

    /// What a protocol endpoint refused, and why: status, `error`, `layer/reason`.
    pub(crate) fn refused(&self) -> (u16, String, String) {
        (self.status, self.member("error"), self.refusal())
    }
}

/// Shorthand for what [`Reply::refused`] is compared with.
pub(crate) fn refusal(status: u16, error: &str, reason: &str) -> (u16, String, String) {
    (status, error.to_owned(), reason.to_owned())
}

/// How a client authenticates.
#[derive(Clone)]
pub(crate) enum Kind {
    App,
    Partner(Arc<SigningKey>),
}

/// A client and the key that its tokens are bound to.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) kind: Kind,
    pub(crate) key: Arc<SigningKey>,
}

impl Client {
    /// An attested phone.
    pub(crate) fn app() -> Self {
        Self { kind: Kind::App, key: Arc::new(SigningKey::generate()) }
    }

    /// The confidential web client.
    pub(crate) fn partner(world: &World) -> Self {
        Self { kind: Kind::Partner(Arc::clone(&world.partner_key)), key: Arc::new(SigningKey::generate()) }
    }

    pub(crate) fn id(&self) -> &'static str {
        match self.kind {
            Kind::App => APP,
            Kind::Partner(_) => PARTNER,
        }
    }

    pub(crate) fn redirect_uri(&self) -> &'static str {
        match self.kind {
            Kind::App => APP_REDIRECT,
            Kind::Partner(_) => PARTNER_REDIRECT,
        }
    }

    pub(crate) fn jkt(&self) -> String {
        Jwk::from(self.key.public()).thumbprint().to_string()
    }

    /// A right request to a protocol endpoint.
    pub(crate) async fn draft(&self, world: &World, path: &'static str, form: &[(&'static str, &str)]) -> Draft {
        let now = world.now();
        let mut form: BTreeMap<_, _> = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        form.insert("client_id", self.id().to_owned());
        let mut draft = Draft {
            path,
            form,
            proof: Some(Proof {
                key: Arc::clone(&self.key),
                htm: "POST".into(),
                htu: format!("{ISSUER}{path}"),
                iat: now,
                jti: crypto::random::token(16),
                token: None,
                nonce: Some(world.nonce().await),
            }),
            attestation: None,
            assertion: None,
            keyed: Some(Platform::Android),
            extra: Vec::new(),
        };
        match &self.kind {
            Kind::App => draft.attestation = Some(self.attestation(world)),
            Kind::Partner(key) => draft.assertion = Some(Assertion::new(Arc::clone(key), now)),
        }
        draft
    }

    fn attestation(&self, world: &World) -> Attestation {
        let now = world.now();
        Attestation {
            secret: world.attestation_key(),
            claims: Claims {
                sub: APP.into(),
                iat: now,
                exp: now + 300,
                jti: crypto::random::token(16),
                cnf: Confirmation { jwk: Jwk::from(self.key.public()) },
                app: App {
                    id: "dev.redoubt.app".into(),
                    version: "1.0".into(),
                    build: 1_u64.into(),
                    platform: Platform::Android,
                },
                level: Level::StrongBox,
                support_id: "support-1".into(),
            },
        }
    }

    /// A right pushed request and the verifier that goes with it.
    pub(crate) async fn par(&self, world: &World) -> (Draft, String) {
        let verifier = crypto::random::token(32);
        let challenge = crypto::b64::encode(&crypto::hash::sha256(verifier.as_bytes()));
        let scope = if matches!(self.kind, Kind::App) { SCOPES } else { "openid offline_access accounts:read" };
        let form = [
            ("response_type", "code"),
            ("redirect_uri", self.redirect_uri()),
            ("scope", scope),
            ("state", "state-1"),
            ("nonce", "nonce-1"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        (self.draft(world, "/par", &form).await, verifier)
    }

    /// Pushes a right request.
    pub(crate) async fn push(&self, world: &World) -> Pushed {
        let (draft, verifier) = self.par(world).await;
        let reply = draft.send(world).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        Pushed { request_uri: reply.member("request_uri"), verifier }
    }

    /// A right redemption of a code.
    pub(crate) async fn redemption(&self, world: &World, code: &str, verifier: &str) -> Draft {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri()),
            ("code_verifier", verifier),
        ];
        self.draft(world, "/token", &form).await
    }

    /// A right refresh.
    pub(crate) async fn refresh(&self, world: &World, token: &str) -> Draft {
        self.draft(world, "/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

/// A pushed request.
pub(crate) struct Pushed {
    pub(crate) request_uri: String,
    pub(crate) verifier: String,
}

/// A `DPoP` proof to be made.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) key: Arc<SigningKey>,
    pub(crate) htm: String,
    pub(crate) htu: String,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) token: Option<String>,
    pub(crate) nonce: Option<String>,
}

impl Proof {
    pub(crate) fn make(&self) -> String {
        let (token, nonce) = (self.token.as_deref(), self.nonce.as_deref());
        dpop::create(self.key.as_ref(), &self.htm, &self.htu, self.iat, &self.jti, token, nonce).unwrap()
    }
}

/// A client attestation to be made.
#[derive(Clone)]
pub(crate) struct Attestation {
    pub(crate) secret: identity::attestation_token::AudienceKey,
    pub(crate) claims: Claims,
}

/// A client assertion to be made.
#[derive(Clone)]
pub(crate) struct Assertion {
    pub(crate) key: Arc<SigningKey>,
    pub(crate) kid: String,
    pub(crate) typ: String,
    pub(crate) claims: Value,
}

impl Assertion {
    fn new(key: Arc<SigningKey>, now: i64) -> Self {
        let jti = crypto::random::token(16);
        let claims = json!({ "iss": PARTNER, "sub": PARTNER, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti });
        Self { key, kid: "partner-web-1".into(), typ: "JWT".into(), claims }
    }

    pub(crate) fn make(&self) -> String {
        let header = Header::new(self.typ.clone()).with_kid(self.kid.clone());
        jose::sign_es256(self.key.as_ref(), &header, &self.claims).unwrap()
    }
}

/// A request that a test may break before it is sent.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) path: &'static str,
    pub(crate) form: BTreeMap<&'static str, String>,
    pub(crate) proof: Option<Proof>,
    pub(crate) attestation: Option<Attestation>,
    pub(crate) assertion: Option<Assertion>,
    /// The app that an attested client says it is, with its API key.
    pub(crate) keyed: Option<Platform>,
    /// Further headers, as they are.
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl Draft {
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.form.insert(name, value.to_owned());
    }

    /// The proof, to be broken.
    pub(crate) fn proof(&mut self) -> &mut Proof {
        self.proof.as_mut().unwrap()
    }

    /// The attestation, to be broken.
    pub(crate) fn attestation(&mut self) -> &mut Attestation {
        self.attestation.as_mut().unwrap()
    }

    /// The assertion, to be broken.
    pub(crate) fn assertion(&mut self) -> &mut Assertion {
        self.assertion.as_mut().unwrap()
    }

    pub(crate) async fn send(&self, world: &World) -> Reply {
        self.send_to(world, world.url(self.path)).await
    }

    /// To where it really goes.
    pub(crate) async fn send_to(&self, world: &World, url: String) -> Reply {
        let mut form = self.form.clone();
        if let Some(assertion) = &self.assertion {
            form.entry("client_assertion").or_insert_with(|| assertion.make());
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            form.entry("client_assertion_type").or_insert_with(|| kind.to_owned());
        }
        let mut request = world
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(serde_urlencoded::to_string(form).unwrap());
        if let Some(proof) = &self.proof {
            request = request.header("dpop", proof.make());
        }
        if let Some(attestation) = &self.attestation {
            let token = client_attestation::issue(&attestation.secret, &attestation.claims).unwrap();
            request = request.header("oauth-client-attestation", token);
            for (name, value) in self.keyed.iter().flat_map(|platform| app_headers_on(*platform, &world.pki).unwrap()) {
                request = request.header(name, value);
            }
        }
        for (name, value) in &self.extra {
            request = request.header(*name, value);
        }
        Reply::read(request.send().await.unwrap()).await
    }
}
