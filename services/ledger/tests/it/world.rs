//! The scene: what every test needs, started for it alone.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crypto::SecretString;
use ledger::config::{Approval, Config, Limits, Payees, PayoutOperations, Payouts, Posting, RateSource};
use ledger::{Ledger, MIGRATIONS};
use money::{Currency, Money};
use reqwest::Method;
use runtime::{Clock, Running, SystemClock};
use serde_json::{Value, json};
use storage::Pool;
use testkit::authority::{Authority, Reply, SyntheticPhone};
use testkit::database::TestDatabase;
use testkit::pki::Pki;
use testkit::scene;
pub(crate) use testkit::scene::until;
use testkit::server;

use crate::broker::Broker;
pub(crate) use crate::broker::{day, problem, rates_of};

/// A valid IBAN.
pub(crate) const IBAN: &str = "DE89370400440532013000";

/// Another valid IBAN for each number.
pub(crate) fn iban(number: u128) -> String {
    let account = 370_400_440_000_000_000 + number;
    // ISO 7064, MOD 97-10, of the account with the country's letters as numbers behind it.
    format!("DE{:02}{account}", 98 - (account * 1_000_000 + 131_400) % 97)
}

/// Everything that was logged by anything in this process.
pub(crate) fn logged() -> &'static Arc<Mutex<Vec<u8>>> {
    scene::logged("ledger", "info")
}

pub(crate) struct World {
    pub(crate) ledger: Running,
    pub(crate) authority: Authority,
    pub(crate) broker: Broker,
    /// Dropped with the world.
    database: DroppedAside,
    pub(crate) config: Config,
    pub(crate) superuser: Pool,
    pub(crate) pki: Pki,
    pub(crate) public: reqwest::Client,
    as_broker: reqwest::Client,
    as_operator: reqwest::Client,
}

impl World {
    /// For a client whose bodies drip.
    pub(crate) fn drips(&self) -> testkit::drip::Target<'_> {
        scene::target(&self.ledger, &self.pki, "broker", "01890a5d-ac96-774b-bcce-b302099a8057")
    }

    pub(crate) async fn start() -> Self {
        Self::start_with(Posting::default()).await
    }

    pub(crate) async fn start_with(posting: Posting) -> Self {
        Self::start_where(|config| config.posting = posting).await
    }

    /// With a configuration that is changed before the start.
    pub(crate) async fn start_where(change: impl FnOnce(&mut Config)) -> Self {
        let pki = Pki::temporary().unwrap();
        let (database, authority, broker) =
            tokio::join!(TestDatabase::create("ledger", MIGRATIONS), Authority::start(&pki), Broker::start(&pki));
        let (database, authority) = (database.unwrap(), authority.unwrap());
        let mut config = configuration(&pki, &database, &authority, &broker);
        change(&mut config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ledger = runtime::start::<Ledger>(config.clone(), clock).await.unwrap();
        let client = |name: &str| server::client(&pki.internal_ca(), Some(&pki.internal(name))).unwrap();
        let superuser = storage::pool(&SecretString::from(database.superuser_url.clone()), 2).unwrap();
        let (as_broker, as_operator) = (client("broker"), client("operator"));
        let public = server::app_client(&pki).unwrap();
        Self {
            ledger,
            authority,
            broker,
            database: DroppedAside(Some(database)),
            config,
            superuser,
            pki,
            public,
            as_broker,
            as_operator,
        }
    }

    /// Another ledger on the same books, with a configuration that is changed before the start; the first one is gone.
    pub(crate) async fn start_again_where(&mut self, change: impl FnOnce(&mut Config)) {
        let listen = TcpListener::bind(scene::FREE).unwrap().local_addr().unwrap();
        let public = self.config.common.public.as_mut().unwrap();
        (public.listen, public.url) = (listen, format!("https://localhost:{}", listen.port()));
        change(&mut self.config);
        let next = runtime::start::<Ledger>(self.config.clone(), Arc::new(SystemClock)).await.unwrap();
        std::mem::replace(&mut self.ledger, next).stop().await.unwrap();
    }

    /// Another ledger on the same books, beside the first one.
    pub(crate) async fn start_beside(&self) -> Running {
        let mut config = self.config.clone();
        let listen = TcpListener::bind(scene::FREE).unwrap().local_addr().unwrap();
        let public = config.common.public.as_mut().unwrap();
        (public.listen, public.url) = (listen, format!("https://localhost:{}", listen.port()));
        runtime::start::<Ledger>(config, Arc::new(SystemClock)).await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.ledger.public.unwrap().port())
    }

    pub(crate) fn internal_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.ledger.internal.port())
    }

    /// A user's phone, which knows the server's nonce.
    pub(crate) async fn phone(&self, name: &str) -> SyntheticPhone {
        let phone = self.authority.phone(name);
        phone.learn_nonce(&self.url("/v1/accounts")).await;
        phone
    }

    pub(crate) async fn get(&self, phone: &SyntheticPhone, path: &str) -> Reply {
        phone.send(Method::GET, &self.url(path), None).await
    }

    pub(crate) async fn post(&self, phone: &SyntheticPhone, path: &str, body: &Value) -> Reply {
        self.post_with_key(phone, path, body, &crypto::random::token(16)).await
    }

    /// A payout may say its `creditor`, who becomes a payee first.
    pub(crate) async fn post_with_key(&self, phone: &SyntheticPhone, path: &str, body: &Value, key: &str) -> Reply {
        match self.with_payee(phone, body).await {
            Ok(body) => phone.send_with_key(Method::POST, &self.url(path), Some(&body), key).await,
            Err(refused) => refused,
        }
    }

    /// The body with the payee's id in the place of the creditor; the same one each time.
    pub(crate) async fn with_payee(&self, phone: &SyntheticPhone, body: &Value) -> Result<Value, Reply> {
        let mut body = body.clone();
        let Some(creditor) = body.as_object_mut().and_then(|members| members.remove("creditor")) else {
            return Ok(body);
        };
        let key = crypto::b64::encode(&crypto::hash::sha256(creditor.to_string().as_bytes()));
        let added = phone.send_with_key(Method::POST, &self.url("/v1/payees"), Some(&creditor), &key).await;
        body["payee_id"] = added.body["id"].clone();
        if added.status == 201 { Ok(body) } else { Err(added) }
    }

    /// Opens an account; answers its id.
    pub(crate) async fn open(&self, phone: &SyntheticPhone, currency: &str) -> String {
        let reply = self.post(phone, "/v1/accounts", &json!({ "currency": currency, "name": "Main" })).await;
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        reply.body["id"].as_str().unwrap().to_owned()
    }

    /// Opens an account with money on it.
    pub(crate) async fn open_with(&self, phone: &SyntheticPhone, amount: &str, currency: &str) -> String {
        let id = self.open(phone, currency).await;
        let (status, body) = self.deposit(&crypto::random::token(8), &id, amount, currency).await;
        assert_eq!(status, 201, "{body}");
        id
    }

    pub(crate) async fn deposit(&self, event: &str, account: &str, amount: &str, currency: &str) -> (u16, Value) {
        let body = json!({ "provider": "sandbox-bank", "event_id": event, "account_id": account, "amount": amount, "currency": currency,
            "debtor_name": "Employer GmbH", "reference": "Salary" });
        self.as_broker("/internal/v1/deposits", &body).await
    }

    /// Posts as the broker.
    pub(crate) async fn as_broker(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.as_broker.post(self.internal_url(path)).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn balance(&self, phone: &SyntheticPhone, account: &str) -> String {
        let reply = self.get(phone, &format!("/v1/accounts/{account}")).await;
        reply.body["balance"]["amount"].as_str().unwrap_or_else(|| panic!("{:?}", reply.body)).to_owned()
    }

    /// Whether a batch that has the head of the books in hand waits for a row.
    pub(crate) async fn a_batch_waits(&self) -> bool {
        let mut db = storage::connection(&self.superuser).await.unwrap();
        let waits = "select from pg_stat_activity join pg_locks using (pid) \
                     where wait_event_type = 'Lock' and relation = 'head'::regclass and granted";
        diesel_async::RunQueryDsl::execute(diesel::sql_query(waits), &mut db).await.unwrap() > 0
    }

    /// What the ledger says of itself.
    pub(crate) async fn health(&self) -> (u16, Value) {
        let response = self.as_operator.get(self.internal_url("/health/ready")).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// What became of the request that was answered so, layer by layer.
    pub(crate) async fn receipt(&self, reply: &Reply) -> Value {
        let id = reply.headers["request-id"].to_str().unwrap();
        let url = self.internal_url(&format!("/internal/v1/receipts/{id}"));
        let signed = self.as_operator.get(url).send().await.unwrap().text().await.unwrap();
        let claims = crypto::b64::decode(signed.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()["receipt"].take()
    }

    /// What must always hold, as the ledger counts it itself.
    pub(crate) async fn invariants(&self) -> Value {
        let response = self.as_operator.get(self.internal_url("/internal/v1/invariants")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// The running ledger's configuration as a file, for its subcommands.
    pub(crate) fn config_file(&self) -> std::path::PathBuf {
        let mut config = self.config.clone();
        config.common.internal.url = self.internal_url("");
        let path = self.pki.dir().join("ledger.toml");
        std::fs::write(&path, runtime::config::print(&config).unwrap()).unwrap();
        path
    }

    pub(crate) fn database(&self) -> &TestDatabase {
        self.database.0.as_ref().unwrap()
    }

    /// What SQL that is refused says, as superuser.
    pub(crate) async fn sql_error(&self, statement: &str) -> String {
        use diesel_async::SimpleAsyncConnection as _;
        let mut db = storage::connection(&self.superuser).await.unwrap();
        db.batch_execute(statement).await.unwrap_err().to_string()
    }

    /// Runs SQL as superuser.
    pub(crate) async fn sql(&self, statement: &str) {
        use diesel_async::SimpleAsyncConnection as _;
        storage::connection(&self.superuser).await.unwrap().batch_execute(statement).await.unwrap();
    }

    /// The same, where it may be refused.
    pub(crate) async fn try_sql(&self, statement: &str) -> diesel::QueryResult<()> {
        use diesel_async::SimpleAsyncConnection as _;
        storage::connection(&self.superuser).await.unwrap().batch_execute(statement).await
    }

    /// Counts with SQL, as superuser.
    pub(crate) async fn count(&self, of: &str) -> i64 {
        crate::engine::count(&self.superuser, of).await
    }
}

/// Drops its database on a thread that nobody waits for. Waiting would stop this runtime, and with it a connection of the service that is
/// just authenticating; and PostgreSQL finishes no `drop database` before that one has answered or its 60 seconds are over.
struct DroppedAside(Option<TestDatabase>);

impl Drop for DroppedAside {
    fn drop(&mut self) {
        let database = self.0.take();
        std::thread::spawn(move || drop(database));
    }
}

/// A transfer's body.
pub(crate) fn transfer(from: &str, to: &str, amount: &str) -> Value {
    json!({ "from_account": from, "to_account": to, "amount": { "amount": amount, "currency": "EUR" }, "reference": "Dinner" })
}

/// What a provider calls its operations.
pub(crate) fn operations(order: &str, status: &str) -> PayoutOperations {
    PayoutOperations { order: order.to_owned(), status: status.to_owned(), list: None }
}

/// Approval is what other tests are about (`approvals`).
fn any_amount() -> BTreeMap<String, String> {
    let most = |currency: &Currency| Money::new(i64::MAX, *currency).to_string();
    Currency::ALL.iter().map(|currency| (currency.code().to_owned(), most(currency))).collect()
}

fn configuration(pki: &Pki, database: &TestDatabase, authority: &Authority, broker: &Broker) -> Config {
    // Signatures cover the port, so it must be known before the service starts.
    let listen = TcpListener::bind(scene::FREE).unwrap().local_addr().unwrap();
    let url = format!("https://localhost:{}", listen.port());
    Config {
        common: scene::reached(scene::common("ledger", pki, database), listen, &url),
        defense: scene::defense(pki),
        auth_url: authority.auth_url(),
        attestation_url: authority.attestation_url(),
        broker_url: broker.server.url(),
        issuer: authority.issuer().to_owned(),
        poster_url_file: database.files.poster.clone(),
        sealing_key_files: vec![pki.secret("ledger-sealing.pk8")],
        posting: Posting::default(),
        max_accounts_per_owner: 100,
        max_rate_age_days: 7,
        payees: Payees { cooling_off_seconds: 0, ..Payees::default() },
        approval: Approval::uncounted(any_amount()),
        limits: Limits::default(),
        payouts: Payouts { poll_ms: 50, ..Payouts::default() },
        payout_provider: "sandbox-bank".to_owned(),
        payout_providers: [("sandbox-bank".to_owned(), operations("create_payout", "payout_status"))].into(),
        rates: RateSource {
            provider: "ecb".to_owned(),
            operation: "reference_rates".to_owned(),
            published_by: "European Central Bank".to_owned(),
        },
        behavior: None,
        places: runtime::places::PlacesConfig::default(),
    }
}
