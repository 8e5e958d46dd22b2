//! The scene: what every test needs, started for it alone.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use broker::Broker;
use broker::config::{Config, Delivery, ProviderSettings, Vault};
use broker::secrets::SecretPlace;
use broker::secrets::place::Placement;
use broker::secrets::seal::{self, Writer};
use chrono::Utc;
use crypto::SecretString;
use crypto::envelope::FileKek;
use runtime::{Clock, Running, Service};
use serde_json::{Value, json};
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;
use testkit::partner::{self, Partner};
use testkit::pki::Pki;
use testkit::scene;
use testkit::server::{self, Server};

use crate::hostile::Hostile;

pub(crate) use testkit::scene::FREE as ANY;
/// The secret that the broker keeps for the hostile upstream.
pub(crate) const HOSTILE_SECRET: &str = "hostile_s3cret/with+odd=chars_0123456789";
/// The secret of its webhooks.
pub(crate) const HOSTILE_WHSEC: &str = "whsec_hFi1h0QcJ+/eE0LS+Vb8ZqkXwTjNcMuYfB3sGd7Kp2A=";

/// Everything that was logged by anything in this process.
pub(crate) fn logged() -> &'static Arc<Mutex<Vec<u8>>> {
    scene::logged("broker", "trace")
}

/// What the ledger was asked, and what it answers.
pub(crate) struct Ledger {
    server: Server,
    pub(crate) requests: Arc<Mutex<Vec<LedgerRequest>>>,
    pub(crate) answer: Arc<AtomicU16>,
    pub(crate) says: Arc<Mutex<Value>>,
}

/// One request to the ledger.
#[derive(Clone, Debug)]
pub(crate) struct LedgerRequest {
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) traceparent: Option<String>,
}

impl Ledger {
    async fn start(pki: &Pki) -> Self {
        let requests: Arc<Mutex<Vec<LedgerRequest>>> = Arc::default();
        let answer = Arc::new(AtomicU16::new(200));
        let says = Arc::new(Mutex::new(json!({})));
        let (heard, status, body_of) = (Arc::clone(&requests), Arc::clone(&answer), Arc::clone(&says));
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let (heard, status, body_of) = (Arc::clone(&heard), Arc::clone(&status), Arc::clone(&body_of));
            config.default_service(web::to(move |request: HttpRequest, body: web::Json<Value>| {
                let traceparent = request.headers().get("traceparent").map(|value| value.to_str().unwrap().to_owned());
                heard.lock().unwrap().push(LedgerRequest {
                    path: request.path().to_owned(),
                    body: body.into_inner(),
                    traceparent,
                });
                let status = StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap();
                std::future::ready(HttpResponse::build(status).json(&*body_of.lock().unwrap()))
            }));
        });
        let server = Server::start(ANY, &pki.internal("ledger"), Some(&pki.internal_ca()), routes).await.unwrap();
        Self { server, requests, answer, says }
    }

    /// Answers a problem from now on.
    pub(crate) fn refuse(&self, status: u16, code: &str, field: Option<&str>) {
        let mut problem = json!({ "type": "t", "title": "t", "status": status, "code": code });
        if let Some(field) = field {
            problem["field"] = json!(field);
        }
        *self.says.lock().unwrap() = problem;
        self.answer.store(status, Ordering::SeqCst);
    }

    pub(crate) fn requests(&self) -> Vec<LedgerRequest> {
        self.requests.lock().unwrap().clone()
    }
}

/// The audit lines of a request: layer, reason, peer.
pub(crate) fn audited(request_id: &str) -> Vec<Value> {
    let log = String::from_utf8(logged().lock().unwrap().clone()).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = lines.filter(|line| line["target"] == "audit" && line["request_id"] == request_id);
    ours.map(|line| json!([line["layer"], line["reason"], line["peer"]])).collect()
}

pub(crate) struct Bench {
    pub(crate) broker: Running,
    pub(crate) pki: Pki,
    pub(crate) database: TestDatabase,
    pub(crate) partner: Partner,
    pub(crate) ledger: Ledger,
    pub(crate) hostile: Hostile,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) public: reqwest::Client,
    pub(crate) as_ledger: reqwest::Client,
    pub(crate) superuser: storage::Pool,
    pub(crate) config: Config,
    /// Bound and never read: the name server of `lost`.
    _silent: UdpSocket,
}

impl Bench {
    /// For a client whose bodies drip.
    pub(crate) fn drips(&self) -> testkit::drip::Target<'_> {
        scene::target(&self.broker, &self.pki, "ledger", "sandbox-bank")
    }

    /// Everything up, all secrets sealed as version 1.
    pub(crate) async fn start() -> Self {
        Self::start_where(|_| {}).await
    }

    /// The same with another configuration.
    pub(crate) async fn start_where(change: impl FnOnce(&mut Config)) -> Self {
        logged();
        let pki = Pki::temporary().unwrap();
        let database = TestDatabase::create("broker", Broker::migrations().unwrap()).await.unwrap();
        let partner_options = partner::Options { settle: Duration::ZERO, ..partner::Options::of(&pki).unwrap() };
        let (bearer, whsec) = (partner_options.bearer.clone(), partner_options.webhook_secret.clone());
        let partner = Partner::start(partner_options).await.unwrap();
        let ledger = Ledger::start(&pki).await;
        let hostile = Hostile::start(&pki).await;
        let silent = UdpSocket::bind(ANY).unwrap();
        let mut config = configuration(&pki, &database, &partner, &ledger, &hostile, silent.local_addr().unwrap());
        change(&mut config);
        let clock = Arc::new(ManualClock::now());
        let broker = runtime::start::<Broker>(config.clone(), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        partner.send_webhooks_to(format!("https://localhost:{}/webhooks/sandbox-bank", broker.public.unwrap().port()));
        let public = server::client(&pki.public_ca(), None).unwrap();
        let as_ledger = server::client(&pki.internal_ca(), Some(&pki.internal("ledger"))).unwrap();
        let superuser = storage::pool(&SecretString::from(database.superuser_url.clone()), 2).unwrap();
        let bench = Self {
            broker,
            pki,
            database,
            partner,
            ledger,
            hostile,
            clock,
            public,
            as_ledger,
            superuser,
            config,
            _silent: silent,
        };
        bench.seal("sandbox-bank", "api", &bearer).await;
        bench.seal("sandbox-bank", "webhook", &whsec).await;
        bench.seal("sandbox-names", "api", &bearer).await;
        bench.seal("hostile", "api", HOSTILE_SECRET).await;
        bench.seal("hostile", "webhook", HOSTILE_WHSEC).await;
        bench
    }

    /// Seals a new version, as `broker seal-secret` does.
    pub(crate) async fn seal(&self, provider: &str, id: &str, secret: &str) -> u32 {
        self.seal_at(&self.place(provider, id), secret).await
    }

    /// The same for a place that is not the configuration's.
    pub(crate) async fn seal_at(&self, place: &SecretPlace, secret: &str) -> u32 {
        let pool = storage::pool(&SecretString::from(self.database.sealer_url.clone()), 1).unwrap();
        let kek = FileKek::from_file(self.pki.secret("broker-kek")).unwrap();
        seal::seal(self.writer(&pool, &kek), place, &SecretString::from(secret)).await.unwrap()
    }

    /// What a secret is sealed with.
    pub(crate) fn writer<'a>(&'a self, pool: &'a storage::Pool, kek: &'a FileKek) -> Writer<'a> {
        Writer { pool, kek, floor_file: &self.config.vault.floor_file, now: Utc::now_of(&self.clock) }
    }

    /// The place of a secret, as the configuration says.
    pub(crate) fn place(&self, provider: &str, id: &str) -> SecretPlace {
        let base = self.config.providers[&provider.into()].base_url.as_deref().unwrap();
        let origin = url::Url::parse(base).unwrap().origin().ascii_serialization();
        let placement = match id {
            "webhook" => Placement::StandardWebhooks,
            "siteverify" => Placement::Form,
            _ => Placement::Bearer,
        };
        SecretPlace { provider: provider.into(), id: id.into(), origin, placement }
    }

    /// Calls an operation as the ledger.
    pub(crate) async fn call(&self, operation: &str, params: Value) -> (u16, Value) {
        self.call_as(&self.as_ledger, operation, json!({ "params": params })).await
    }

    /// Calls an operation with an idempotency key.
    pub(crate) async fn call_with_key(&self, operation: &str, params: Value, key: &str) -> (u16, Value) {
        self.call_as(&self.as_ledger, operation, json!({ "params": params, "idempotency_key": key })).await
    }

    pub(crate) async fn call_as(&self, client: &reqwest::Client, operation: &str, body: Value) -> (u16, Value) {
        let url = format!("https://localhost:{}/internal/v1/operations/{operation}", self.broker.internal.port());
        let response = client.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// A second broker, with one provider somewhere else.
    pub(crate) async fn broker_with(&self, provider: &str, settings: ProviderSettings) -> Running {
        let mut config = self.config.clone();
        config.providers.insert(provider.into(), settings);
        runtime::start::<Broker>(config, Arc::clone(&self.clock) as Arc<dyn Clock>).await.unwrap()
    }

    /// Calls an operation of that broker as the ledger.
    pub(crate) async fn call_at(&self, broker: &Running, operation: &str, params: Value) -> (u16, Value) {
        let url = format!("https://localhost:{}/internal/v1/operations/{operation}", broker.internal.port());
        let response = self.as_ledger.post(url).json(&json!({ "params": params })).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The settings of a provider on loopback under the development authority.
    pub(crate) fn on_loopback(&self, url: String) -> ProviderSettings {
        ProviderSettings { base_url: Some(url), ..self.config.providers[&"hostile".into()].clone() }
    }

    /// Sends a webhook with these headers.
    pub(crate) async fn webhook(&self, provider: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
        let url = format!("https://localhost:{}/webhooks/{provider}", self.broker.public.unwrap().port());
        let mut request = self.public.post(url).header("content-type", "application/json").body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// Sends a webhook of the partner, signed under `secret` at `time`.
    pub(crate) async fn signed(&self, secret: &str, id: &str, time: i64, body: &[u8]) -> u16 {
        let signature = partner::webhook::sign(secret, id, time, body).unwrap();
        let time = time.to_string();
        let headers = [("webhook-id", id), ("webhook-timestamp", &*time), ("webhook-signature", &*signature)];
        self.webhook("sandbox-bank", &headers, body).await
    }

    /// The partner's webhook secret.
    pub(crate) fn whsec(&self) -> String {
        std::fs::read_to_string(self.pki.secret("partner-webhook-secret")).unwrap()
    }

    /// Runs SQL as superuser.
    pub(crate) async fn sql(&self, statement: &str) {
        use diesel_async::SimpleAsyncConnection as _;
        storage::connection(&self.superuser).await.unwrap().batch_execute(statement).await.unwrap();
    }

    /// Counts with SQL.
    pub(crate) async fn count(&self, of: &str) -> i64 {
        use diesel_async::RunQueryDsl as _;
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        let mut db = storage::connection(&self.superuser).await.unwrap();
        let found: Count =
            diesel::sql_query(format!("select count(*) as count from {of}")).get_result(&mut db).await.unwrap();
        found.count
    }

    /// Waits until `of` counts `expected`, while the clock goes on: an attempt that was under way when something changed
    /// puts the next one off by the clock's time.
    pub(crate) async fn until_in_time(&self, of: &str, expected: i64) {
        for _ in 0..100 {
            if self.count(of).await == expected {
                return;
            }
            self.clock.advance(60);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.until(of, expected).await;
    }

    /// Waits until `of` counts `expected`.
    pub(crate) async fn until(&self, of: &str, expected: i64) {
        for _ in 0..500 {
            if self.count(of).await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{of}: {} and not {expected}", self.count(of).await);
    }
}

/// The time of the test's clock, for what takes chrono's type.
pub(crate) trait NowOf {
    fn now_of(clock: &ManualClock) -> chrono::DateTime<Utc>;
}

impl NowOf for Utc {
    fn now_of(clock: &ManualClock) -> chrono::DateTime<Utc> {
        chrono::DateTime::from_timestamp_millis(clock.unix_millis()).unwrap()
    }
}

fn configuration(
    pki: &Pki,
    database: &TestDatabase,
    partner: &Partner,
    ledger: &Ledger,
    hostile: &Hostile,
    silent: SocketAddr,
) -> Config {
    let loopback = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let at = |url: String| ProviderSettings {
        base_url: Some(url),
        root_certificates_file: Some(pki.public_ca()),
        allowed_networks: loopback.clone(),
        ..ProviderSettings::default()
    };
    let providers = BTreeMap::from([
        ("ecb".into(), at(partner.url())),
        ("sandbox-bank".into(), at(partner.url())),
        ("sandbox-names".into(), at(partner.url())),
        ("hostile".into(), at(hostile.url())),
        // The same upstream, but nobody said that this provider lives on loopback.
        ("outside".into(), ProviderSettings { allowed_networks: Vec::new(), ..at(hostile.url()) }),
        // The same upstream, but its certificate must come from another authority.
        ("impostor".into(), ProviderSettings { root_certificates_file: Some(pki.internal_ca()), ..at(hostile.url()) }),
        // A provider whose name server keeps silent.
        ("lost".into(), ProviderSettings { name_servers: vec![silent], ..at("https://lost.example".to_owned()) }),
    ]);
    Config {
        common: scene::common("broker", pki, database),
        defense: scene::defense(pki),
        vault: Vault {
            sealer_url_file: None,
            kek_file: pki.secret("broker-kek"),
            floor_file: pki.dir().join("broker-floor"),
            cache_seconds: 30,
        },
        manifests: manifests(),
        providers,
        delivery: Delivery { ledger_url: ledger.server.url(), poll_ms: 50 },
    }
}

fn manifests() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (ours, tests) = (folder.join("manifests"), folder.join("tests/it/manifests"));
    let ours = ["ecb", "sandbox-bank", "sandbox-names"].iter().map(|name| ours.join(format!("{name}.toml")));
    let tests =
        ["hostile", "outside", "impostor", "lost", "raw", "old"].iter().map(|name| tests.join(format!("{name}.toml")));
    ours.chain(tests).collect()
}
