//! The service on real sockets with a real database, and workloads of the house to speak to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use __name__::config::{Config, Notes};
use __name__::{MIGRATIONS, __Name__};
use defense::DefenseConfig;
use reqwest::Client;
use runtime::config::Common;
use runtime::{Clock as _, Running};
use serde_json::{Value, json};
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;
use testkit::database::guards::rows;
use testkit::pki::Pki;
use testkit::{audit, scene, server};

/// A running service and what surrounds it.
pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) pki: Pki,
    database: TestDatabase,
    clock: Arc<ManualClock>,
    clients: BTreeMap<String, Client>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The lines about it in the audit log, as `layer/reason`.
    pub(crate) refused: Vec<String>,
}

impl Reply {
    /// Status, code and field of a problem.
    pub(crate) fn problem(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (self.status, text("code"), text("field"))
    }
}

impl World {
    /// A service without notes, and ready.
    pub(crate) async fn new() -> Self {
        let pki = Pki::temporary().unwrap();
        let database = TestDatabase::create("__name__", MIGRATIONS).await.unwrap();
        let clock = Arc::new(ManualClock::now());
        audit::listen();
        let running = runtime::start::<__Name__>(config(&pki, &database), clock.clone()).await.unwrap();
        scene::until_ready(&running, &pki).await;
        let client = |name: &String| {
            (name.clone(), server::client(&pki.internal_ca(), Some(&pki.internal(name))).unwrap())
        };
        let clients = Pki::workloads().unwrap().iter().map(client).collect();
        Self { running, pki, database, clock, clients }
    }

    /// Every workload that there is.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &String> {
        self.clients.keys()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.internal.port())
    }

    /// Writes a note as this peer does.
    pub(crate) async fn put(&self, peer: &str, id: &str, text: &str) -> Reply {
        let url = self.url(&format!("/internal/v1/notes/{id}"));
        reply(self.clients[peer].put(url).json(&json!({ "text": text }))).await
    }

    /// Reads a note as this peer does.
    pub(crate) async fn get(&self, peer: &str, id: &str) -> Reply {
        reply(self.clients[peer].get(self.url(&format!("/internal/v1/notes/{id}")))).await
    }

    /// An id that nothing has.
    pub(crate) fn id(&self) -> String {
        api::Id::from(storage::ids::new(self.clock.unix_millis())).to_string()
    }

    /// How many notes there are.
    pub(crate) async fn notes(&self) -> usize {
        rows(&self.database.superuser_url, "", "select 1 from notes").await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let refused = audit::of(answer.headers()["request-id"].to_str().unwrap());
    Reply { status, body: answer.json().await.unwrap(), refused }
}

/// The configuration of a development system.
pub(crate) fn config(pki: &Pki, database: &TestDatabase) -> Config {
    Config {
        common: Common { public: None, ..scene::common("__name__", pki, database) },
        defense: DefenseConfig::default(),
        notes: Notes { longest: 20 },
    }
}
