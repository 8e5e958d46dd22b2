//! A provider at its real address, and the client's side of the wire.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use actix_web::web::Bytes;
use auth::Auth;
use auth::config::{AuthMethod, ClientMetadata, Config, Password};
use crypto::password::Params;
use defense::captcha::CaptchaConfig;
use http::StatusCode;
use huskarl::core::client_auth::{Audience, JwtBearer};
use huskarl::core::dpop::DPoP;
use huskarl::core::http::{HttpClient, HttpResponse, Idempotency};
use huskarl::core::jwk::{Jwk, PrivateJwk};
use huskarl::core::platform::MaybeSendBoxFuture;
use huskarl::core::server_metadata::AuthorizationServerMetadata;
use huskarl::core::{Error, RetryAdvice};
use huskarl::grant::authorization_code::{AuthorizationCodeGrant, PendingState, StartInput};
use huskarl_crypto_native::asymmetric::signer::{GenerateAlgorithm, PrivateKey};
use openidconnect::IssuerUrl;
use openidconnect::core::CoreProviderMetadata;
use runtime::{Running, SystemClock};
use testkit::database::TestDatabase;
use testkit::pki::Pki;
use testkit::scene;

use crate::browser::Browser;

pub(crate) const CLIENT: &str = "partner-web";
pub(crate) const REDIRECT: &str = "https://localhost:8400/callback";
pub(crate) const SCOPES: [&str; 3] = ["openid", "offline_access", "accounts:read"];

/// What a client is and how it authenticates; the default is the one that is registered.
pub(crate) struct Setup {
    pub(crate) client: &'static str,
    pub(crate) redirect: String,
    pub(crate) key: Option<PrivateKey>,
    pub(crate) audience: Audience,
}

impl Default for Setup {
    fn default() -> Self {
        Self { client: CLIENT, redirect: REDIRECT.to_owned(), key: None, audience: Audience::Issuer }
    }
}

/// A provider at its real address, and what the client has to reach it.
pub(crate) struct World {
    pub(crate) issuer: String,
    pub(crate) wire: Wire,
    key: PrivateKey,
    running: Running,
    // Dropped after the service.
    _database: TestDatabase,
    pki: Pki,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_for(REDIRECT).await
    }

    /// For a client at that redirect URI.
    pub(crate) async fn start_for(redirect: &str) -> Self {
        Self::start_in(Pki::temporary().unwrap(), redirect, |_| ()).await
    }

    /// With these keys, and a configuration that the test changes.
    pub(crate) async fn start_in(pki: Pki, redirect: &str, change: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::create("auth", auth::MIGRATIONS).await.unwrap();
        // The port is in the issuer, so it is chosen before the service starts.
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let issuer = format!("https://localhost:{}", listen.port());
        let mut config = config(&pki, &database, listen, &issuer);
        for client in &mut config.clients {
            client.redirect_uris = vec![redirect.to_owned()];
        }
        change(&mut config);
        let running = runtime::start::<Auth>(config, Arc::new(SystemClock)).await.unwrap();
        let wire = Wire { http: testkit::server::client(&pki.public_ca(), None).unwrap(), seen: Arc::default() };
        let jwk: Jwk = serde_json::from_str(&read(&pki.secret("partner-web.jwk"))).unwrap();
        let key = PrivateKey::from_jwk(jwk.private_jwk().map(PrivateJwk::try_into).unwrap().unwrap()).unwrap();
        Self { issuer, wire, key, running, _database: database, pki }
    }

    pub(crate) async fn metadata(&self) -> AuthorizationServerMetadata {
        AuthorizationServerMetadata::fetch().http_client(&self.wire).issuer(&self.issuer).call().await.unwrap()
    }

    /// A client with a `DPoP` key of its own.
    pub(crate) async fn grant(&self, metadata: &AuthorizationServerMetadata, setup: Setup) -> AuthorizationCodeGrant {
        let dpop = PrivateKey::generate(GenerateAlgorithm::Es256, None).unwrap();
        let assertion =
            JwtBearer::builder().signer(setup.key.unwrap_or_else(|| self.key.clone())).audience(setup.audience).build();
        AuthorizationCodeGrant::builder_from_metadata(metadata)
            .unwrap()
            .client_id(setup.client)
            .http_client(self.wire.clone())
            .client_auth(assertion)
            .redirect_uri(setup.redirect)
            .dpop(DPoP::builder().signer(dpop).build())
            .oidc(true)
            .build()
            .await
            .unwrap()
    }

    /// A new person opens the URL, creates a login, and gives that answer; where their browser is sent in the end.
    pub(crate) async fn browse(&self, url: &str, decision: &str) -> String {
        Browser::new(self.wire.http.clone()).answer(url, decision).await
    }

    pub(crate) async fn log_in(&self, grant: &AuthorizationCodeGrant) -> (String, PendingState) {
        let started = grant.start(StartInput::scope(scopes())).await.unwrap();
        (self.browse(&started.authorization_url.to_string(), "allow").await, started.pending_state)
    }

    /// What `openidconnect` finds: metadata and keys.
    pub(crate) async fn discover(&self) -> CoreProviderMetadata {
        let http = |request: http::Request<Vec<u8>>| async move {
            let answer = self.wire.execute(request.map(Bytes::from), Idempotency::Idempotent).await?;
            let mut response = http::Response::new(answer.body.to_vec());
            (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
            Ok::<_, Error>(response)
        };
        CoreProviderMetadata::discover_async(IssuerUrl::new(self.issuer.clone()).unwrap(), &http).await.unwrap()
    }

    /// For a client with a server of its own: its certificate and key.
    pub(crate) fn client_tls(&self) -> (String, String) {
        let own = self.pki.public("partner-web");
        (own.certificate.to_str().unwrap().to_owned(), own.key.to_str().unwrap().to_owned())
    }

    /// For a client that is a process of its own: our CA's certificate, and the client's key.
    pub(crate) fn files(&self) -> [String; 2] {
        [self.pki.public_ca(), self.pki.secret("partner-web.jwk")].map(|path| path.to_str().unwrap().to_owned())
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

/// A port that nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

pub(crate) fn scopes() -> Vec<String> {
    SCOPES.map(str::to_owned).to_vec()
}

fn config(pki: &Pki, database: &TestDatabase, listen: SocketAddr, issuer: &str) -> Config {
    Config {
        common: scene::reached(scene::common("auth", pki, database), listen, issuer),
        defense: scene::defense(pki),
        // Nobody is there: a client with a key of its own logs in whether or not attestation runs.
        attestation_url: "https://localhost:1".to_owned(),
        ledger_url: "https://localhost:1".to_owned(),
        behavior_url: None,
        places: runtime::places::PlacesConfig::default(),
        signing_key_file: pki.secret("auth-signing.pk8"),
        published_key_files: Vec::new(),
        pepper_file: pki.secret("auth-pepper"),
        kek_file: secret(pki, "auth-kek"),
        lookup_key_file: secret(pki, "auth-lookup-key"),
        captcha: CaptchaConfig::new(secret(pki, "auth-captcha-key")),
        password: Password { params: Params { memory_kib: 64, iterations: 1, parallelism: 1 }, ..Password::default() },
        clients: vec![ClientMetadata {
            client_id: CLIENT.into(),
            client_name: "Partner Web".to_owned(),
            redirect_uris: vec![REDIRECT.to_owned()],
            scope: format!("{} profile email", SCOPES.join(" ")),
            token_endpoint_auth_method: AuthMethod::PrivateKeyJwt,
            jwks: Some(serde_json::from_str(&read(&pki.dir().join("partner-web-jwks.json"))).unwrap()),
        }],
    }
}

/// A key file of 32 bytes, made where the PKI does not make it.
fn secret(pki: &Pki, name: &str) -> PathBuf {
    let path = pki.secret(name);
    if !path.exists() {
        crypto::files::write_new_secret(&path, &crypto::random::bytes::<32>()).unwrap();
    }
    path
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The client's requests over the HTTP client of the house, and what was answered.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) http: reqwest::Client,
    seen: Arc<Mutex<Vec<(String, StatusCode, Bytes)>>>,
}

impl Wire {
    /// The requests that were answered with this error.
    pub(crate) fn answers(&self, error: &str) -> Vec<(String, StatusCode)> {
        let seen = self.seen.lock().unwrap();
        let error = format!("\"error\":\"{error}\"");
        let told = seen.iter().filter(|(_, _, body)| String::from_utf8_lossy(body).contains(&error));
        told.map(|(request, status, _)| (request.clone(), *status)).collect()
    }
}

impl HttpClient for Wire {
    // Nothing is tried again and nothing is measured: the answers are our own server's.
    fn execute(
        &self,
        request: http::Request<Bytes>,
        _: Idempotency,
    ) -> MaybeSendBoxFuture<'_, Result<HttpResponse, Error>> {
        Box::pin(async move {
            let failed = |error: reqwest::Error| Error::new(RetryAdvice::No, error);
            let name = format!("{} {}", request.method(), request.uri().path());
            let response = self.http.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await.map_err(failed)?;
            self.seen.lock().unwrap().push((name, status, body.clone()));
            Ok(HttpResponse { status, headers, body })
        })
    }
}
