//! The service on real sockets with a real database, and workloads of the house to speak to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use behavior::config::{Config, Judgement};
use behavior::{Behavior, MIGRATIONS};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};
use reqwest::header::HeaderMap;
use runtime::config::Common;
use runtime::{Clock as _, Running};
use serde_json::{Value, json};
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;
use testkit::pki::Pki;
use testkit::{audit, scene, server};

/// A running service and what surrounds it.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pki: Arc<Pki>,
    pub(crate) database: Arc<TestDatabase>,
    pub(crate) running: Running,
    clients: BTreeMap<&'static str, reqwest::Client>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The lines about it in the audit log, as `layer/reason`.
    pub(crate) refused: Vec<String>,
}

/// What a browser was sent.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
    /// As in [`Reply`].
    pub(crate) refused: Vec<String>,
}

impl Reply {
    /// Status, code and field of a problem.
    pub(crate) fn problem(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (self.status, text("code"), text("field"))
    }

    /// The body of an answer that is one.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

impl World {
    /// A service that knows nobody, and is ready.
    pub(crate) async fn new() -> Self {
        Self::new_where(|_| ()).await
    }

    /// The same, with other settings.
    pub(crate) async fn new_where(change: impl FnOnce(&mut Config)) -> Self {
        let pki = Arc::new(Pki::temporary().unwrap());
        let database = Arc::new(TestDatabase::create("behavior", MIGRATIONS).await.unwrap());
        Self::at(pki, database, Arc::new(ManualClock::now()), change).await
    }

    /// Why a service with these settings does not start.
    pub(crate) async fn refused(change: impl FnOnce(&mut Config)) -> String {
        let pki = Pki::temporary().unwrap();
        let database = TestDatabase::create("behavior", MIGRATIONS).await.unwrap();
        let mut config = config(&pki, &database);
        change(&mut config);
        let started = runtime::start::<Behavior>(config, Arc::new(ManualClock::now())).await;
        format!("{:#}", started.err().unwrap())
    }

    /// One more process of the service, which has seen nothing of what came to the other.
    pub(crate) async fn another(&self) -> Self {
        Self::at(self.pki.clone(), self.database.clone(), self.clock.clone(), |_| ()).await
    }

    async fn at(
        pki: Arc<Pki>,
        database: Arc<TestDatabase>,
        clock: Arc<ManualClock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        audit::listen();
        let mut config = config(&pki, &database);
        change(&mut config);
        let running = runtime::start::<Behavior>(config, clock.clone()).await.unwrap();
        scene::until_ready(&running, &pki).await;
        let client = |name| (name, server::client(&pki.internal_ca(), Some(&pki.internal(name))).unwrap());
        let clients = ["auth", "attestation", "ledger", "broker", "behavior", "operator", "analyst", "partner"]
            .map(client)
            .into();
        Self { clock, pki, database, running, clients }
    }

    pub(crate) async fn post(&self, peer: &str, path: &str, body: &Value) -> Reply {
        let url = format!("https://localhost:{}{path}", self.running.internal.port());
        reply(self.clients[peer].post(url).json(body)).await
    }

    pub(crate) async fn get(&self, peer: &str, path: &str) -> Reply {
        reply(self.clients[peer].get(format!("https://localhost:{}{path}", self.running.internal.port()))).await
    }

    /// A page of the desk, as this peer's browser asks for it.
    pub(crate) async fn page(&self, peer: &str, path: &str) -> Seen {
        seen(self.clients[peer].get(self.desk(path)).header("accept", "text/html")).await
    }

    /// Presses a button of a case, as the page at `origin` makes an analyst's browser do it. No redirect is followed.
    pub(crate) async fn press(&self, case: &str, body: &str, heads: &[(&str, &str)]) -> Seen {
        let mut request = self.clients["analyst"].post(self.desk(&format!("/desk/cases/{case}")));
        for (name, value) in heads {
            request = request.header(*name, *value);
        }
        let form = "application/x-www-form-urlencoded";
        seen(request.header("content-type", form).header("accept", "text/html").body(body.to_owned())).await
    }

    /// The desk's own address.
    pub(crate) fn desk(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.internal.port())
    }

    /// Delivers events as the ledger does; the outcome of each.
    pub(crate) async fn tell(&self, events: &[Value]) -> Vec<String> {
        self.tell_as("ledger", events).await
    }

    /// Delivers events as this peer; the outcome of each.
    pub(crate) async fn tell_as(&self, peer: &str, events: &[Value]) -> Vec<String> {
        let body = self.post(peer, "/internal/v1/events", &json!({ "events": events })).await.ok();
        let results = body["results"].as_array().unwrap();
        assert_eq!(results.len(), events.len());
        results.iter().map(|result| result["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// A question about a payment of now.
    pub(crate) fn question(&self, user: &str, payee: &str, amount: &str) -> Value {
        json!({
            "at_unix_millis": self.clock.unix_millis(), "user": user, "payee": payee, "amount": amount, "currency": "EUR",
        })
    }

    /// Asks as the ledger does.
    pub(crate) async fn ask(&self, requests: &[Value]) -> Reply {
        self.post("ledger", "/internal/v1/scores", &json!({ "requests": requests })).await
    }

    /// What the ledger is answered about payments, one for each.
    pub(crate) async fn scores(&self, requests: &[Value]) -> Vec<Value> {
        let body = self.ask(requests).await.ok();
        let results = body["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), requests.len());
        results
    }

    /// What the ledger is answered about a payment of now.
    pub(crate) async fn score(&self, user: &str, payee: &str, amount: &str) -> Value {
        let score = self.scores(&[self.question(user, payee, amount)]).await.remove(0);
        assert_eq!(score["outcome"], "scored", "{score}");
        score
    }

    /// The decision that was made for an answer.
    pub(crate) async fn decision(&self, score: &Value) -> Value {
        let path = format!("/internal/v1/decisions/{}", score["decision_id"].as_str().unwrap());
        self.get("operator", &path).await.ok()
    }

    /// What a payment of now looks like to this process.
    pub(crate) async fn features(&self, user: &str, payee: &str, amount: &str) -> Value {
        self.decision(&self.score(user, payee, amount).await).await["features"].take()
    }

    /// The operator's word.
    pub(crate) async fn label(&self, about: &str, id: &str, label: &str) -> Reply {
        self.post("operator", "/internal/v1/labels", &json!({ "about": about, "id": id, "label": label })).await
    }

    /// A payment that was made so many seconds ago.
    pub(crate) fn paid(&self, seconds_ago: i64, user: &str, payee: &str, amount: &str) -> Value {
        json!({
            "kind": "payment", "id": self.id(), "at_unix_millis": self.clock.unix_millis() - seconds_ago * 1000,
            "user": user, "payee": payee, "amount": amount, "currency": "EUR",
        })
    }

    /// Something that happened at a user's door so many seconds ago.
    pub(crate) fn noticed(&self, kind: &str, seconds_ago: i64, user: &str, more: &[(&str, &str)]) -> Value {
        let at = self.clock.unix_millis() - seconds_ago * 1000;
        let mut event = json!({ "kind": kind, "id": self.id(), "at_unix_millis": at, "user": user });
        for (name, value) in more {
            event[*name] = json!(value);
        }
        event
    }

    /// An id that is nobody's yet.
    pub(crate) fn id(&self) -> String {
        api::Id::from(storage::ids::new(self.clock.unix_millis())).to_string()
    }

    /// How many rows a query has, as the superuser.
    pub(crate) async fn rows(&self, query: &str) -> usize {
        let mut db = AsyncPgConnection::establish(&self.database.superuser_url).await.unwrap();
        diesel::sql_query(query).execute(&mut db).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

async fn seen(request: reqwest::RequestBuilder) -> Seen {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let refused = audit::of(headers["request-id"].to_str().unwrap());
    Seen { status, headers, html: answer.text().await.unwrap(), refused }
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let answer = request.header("accept", "application/json").send().await.unwrap();
    let (status, head) = (answer.status().as_u16(), answer.headers().clone());
    let refused = audit::of(head["request-id"].to_str().unwrap());
    let text = answer.text().await.unwrap();
    // The desk answers in pages whatever is asked for.
    let body = if head["content-type"] == "text/html; charset=utf-8" {
        Value::String(text)
    } else {
        serde_json::from_str(&text).unwrap()
    };
    Reply { status, body, refused }
}

/// The configuration of a development system.
pub(crate) fn config(pki: &Pki, database: &TestDatabase) -> Config {
    let own = |file: &str| PathBuf::from(crate::own(file));
    Config {
        common: Common { public: None, ..scene::common("behavior", pki, database) },
        defense: defense::DefenseConfig::default(),
        judgement: Judgement {
            model_file: own("model/card-payments.json"),
            rules_file: own("rules/payments.toml"),
            dry_run: None,
        },
    }
}
