//! A running service with a database of its own, a clock that the test sets, and a stand-in for attestation.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth::config::{AuthMethod, ClientMetadata, Config, Password};
use auth::{Auth, MIGRATIONS};
use crypto::p256::SigningKey;
use crypto::password::Params;
use defense::captcha::CaptchaConfig;
use defense::config::Rate;
use identity::Jwk;
use identity::attestation_token::{AudienceKey, AudienceKeys, Master, epoch_of};
use runtime::{Clock as _, Common, Running};
use serde_json::json;
use testkit::audit;
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;
use testkit::pki::Pki;
use testkit::scene;
use testkit::server::{self, Server};
use tokio::time::timeout;

use crate::draft::Reply;

/// What clients see. Requests go to the port that was free; host names are no matter of this service's.
pub(crate) const ISSUER: &str = "https://auth.test";
pub(crate) const APP: &str = "redoubt-mobile";
pub(crate) const APP_REDIRECT: &str = "https://app.redoubt.example/callback";
pub(crate) const PARTNER: &str = "partner-web";
pub(crate) const PARTNER_REDIRECT: &str = "https://localhost:8400/callback";
pub(crate) const SCOPES: &str =
    "openid offline_access accounts:read accounts:write transfers:write payouts:write exchanges:write";

const MASTER: [u8; 32] = [7; 32];
/// The master of decoys.
pub(crate) const DECOYS: [u8; 32] = [9; 32];

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) http: reqwest::Client,
    pub(crate) database: TestDatabase,
    pub(crate) partner_key: Arc<SigningKey>,
    pub(crate) pki: Pki,
    address: SocketAddr,
    internal: SocketAddr,
    attestation: Option<Server>,
    pub(crate) running: Running,
    pub(crate) config: Config,
}

impl World {
    /// For a client whose bodies drip.
    pub(crate) fn drips(&self) -> testkit::drip::Target<'_> {
        scene::target(&self.running, &self.pki, "ledger", "01890a5d-ac96-774b-bcce-b302099a8057")
    }

    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// Nobody is asked for a captcha: for what else stops who fails often.
    pub(crate) async fn start_without_captcha() -> Self {
        Self::start_with(|config| {
            let all = Rate { units: 1_000_000, seconds: 1 };
            let captcha = &mut config.captcha;
            (captcha.identifier, captcha.network, captcha.device) = (all, all, all);
            (captcha.identifier_harder, captcha.network_harder, captcha.device_harder) = (all, all, all);
        })
        .await
    }

    /// Starts with a configuration that the test changes.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        audit::listen();
        let pki = Pki::create(Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/auth-pki"))).unwrap();
        let clock = Arc::new(ManualClock::now());
        let database = TestDatabase::create("auth", MIGRATIONS).await.unwrap();
        let attestation = attestation(&pki, clock.clone()).await;
        let partner_key = Arc::new(SigningKey::generate());
        let mut config = config(&pki, &database, &attestation.url(), &partner_key);
        change(&mut config);
        let running = runtime::start::<Auth>(config.clone(), clock.clone()).await.unwrap();
        Self {
            config,
            clock,
            http: server::client(&pki.public_ca(), None).unwrap(),
            partner_key,
            address: running.public.unwrap(),
            internal: running.internal,
            attestation: Some(attestation),
            running,
            database,
            pki,
        }
    }

    /// One more process on the same database, which tells behavior there.
    pub(crate) async fn beside(&self, behavior_url: Option<String>) -> Running {
        let attestation = self.attestation.as_ref().unwrap().url();
        let mut config = config(&self.pki, &self.database, &attestation, &self.partner_key);
        config.behavior_url = behavior_url;
        runtime::start::<Auth>(config, self.clock.clone()).await.unwrap()
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.unix()
    }

    /// Where a path really is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Where a path of the internal listener is.
    pub(crate) fn internal_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.internal.port())
    }

    /// The key under which client attestations are made now.
    pub(crate) fn attestation_key(&self) -> AudienceKey {
        let now = self.now();
        master(&MASTER).key("auth", epoch_of(now))
    }

    /// Attestation goes away.
    pub(crate) fn stop_attestation(&mut self) {
        self.attestation = None;
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::read(self.http.get(self.url(path)).send().await.unwrap()).await
    }

    /// The server's current `DPoP` nonce; a request that is refused gives one as well.
    pub(crate) async fn nonce(&self) -> String {
        let asking = async {
            loop {
                let reply = Reply::read(self.http.post(self.url("/token")).send().await.unwrap()).await;
                if let Some(nonce) = reply.header("dpop-nonce") {
                    return nonce;
                }
                // On a busy machine a shared store's answer may come too late; then nobody has one until there is a new connection.
                assert_eq!(reply.status, 503, "{}", reply.text);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), asking).await.expect("the shared store answers in the end")
    }
}

/// What audience keys are derived from.
pub(crate) fn master(bytes: &[u8; 32]) -> Master {
    Master::new(1, crypto::SecretBytes::new(bytes.to_vec()))
}

/// Serves the `auth` audience's keys, as attestation would.
async fn attestation(pki: &Pki, clock: Arc<ManualClock>) -> Server {
    let document = move || {
        let keys = AudienceKeys::derive(&[master(&MASTER)], "auth", clock.unix());
        serde_json::to_value(keys.with_decoys(&[master(&DECOYS)], "auth", clock.unix()).to_wire("auth")).unwrap()
    };
    let routes: server::Configure = Arc::new(move |config: &mut actix_web::web::ServiceConfig| {
        let document = document.clone();
        let route = actix_web::web::get().to(move || {
            let answer = actix_web::HttpResponse::Ok().json(document());
            async { answer }
        });
        config.route("/internal/v1/audience-keys", route);
    });
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::start(free, &pki.internal("attestation"), Some(&pki.internal_ca()), routes).await.unwrap()
}

fn config(pki: &Pki, database: &TestDatabase, attestation_url: &str, partner: &SigningKey) -> Config {
    let partner = Jwk::from(partner.public()).with_kid("partner-web-1");
    Config {
        defense: scene::defense(pki),
        common: Common {
            workers: Some(2),
            ..scene::reached(scene::common("auth", pki, database), scene::FREE, ISSUER)
        },
        attestation_url: attestation_url.into(),
        // Nobody is there: only whoever approves a payment asks it.
        ledger_url: "https://localhost:1".to_owned(),
        behavior_url: None,
        places: runtime::places::PlacesConfig::default(),
        signing_key_file: pki.secret("auth-signing.pk8"),
        published_key_files: Vec::new(),
        pepper_file: pki.secret("auth-pepper"),
        kek_file: secret(pki, "auth-kek"),
        lookup_key_file: secret(pki, "auth-lookup-key"),
        captcha: CaptchaConfig::new(secret(pki, "auth-captcha-key")),
        password: Password {
            params: Params { memory_kib: 64, iterations: 1, parallelism: 1 },
            max_wait_millis: 5000,
            ..Password::default()
        },
        clients: vec![
            ClientMetadata {
                client_id: APP.into(),
                client_name: "Redoubt".into(),
                redirect_uris: vec![APP_REDIRECT.into()],
                scope: format!("{SCOPES} profile email"),
                token_endpoint_auth_method: AuthMethod::AttestJwtClientAuthDpop,
                jwks: None,
            },
            ClientMetadata {
                client_id: PARTNER.into(),
                client_name: "Partner Web".into(),
                redirect_uris: vec![PARTNER_REDIRECT.into()],
                scope: "openid profile email offline_access accounts:read".into(),
                token_endpoint_auth_method: AuthMethod::PrivateKeyJwt,
                jwks: Some(json!({ "keys": [partner.to_value()] })),
            },
        ],
    }
}

/// A key file of 32 bytes, made where the PKI does not make it.
fn secret(pki: &Pki, name: &str) -> PathBuf {
    let path = pki.secret(name);
    if !path.exists() {
        // Another test may have been faster; then its file is as good.
        drop(crypto::files::write_new_secret(&path, &crypto::random::bytes::<32>()));
    }
    path
}
