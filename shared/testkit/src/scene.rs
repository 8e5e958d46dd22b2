//! What every service's test scene has in common: where it listens, what it may see of the database, who drips at it, what was logged.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::Result;
use defense::DefenseConfig;
use defense::config::{Rate, Rates};
use runtime::Running;
use runtime::config::{Common, Database, Internal, Listener, Telemetry};
use runtime::telemetry::{self, Sink};
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::drip::Target;
use crate::pki::Pki;
use crate::server;
pub use crate::server::FREE;

/// A service on two free ports with its certificates and its own database.
pub fn common(service: &str, pki: &Pki, database: &TestDatabase) -> Common {
    let (public, internal) = (pki.public(service), pki.internal(service));
    let url = "https://localhost".to_owned();
    Common {
        public: Some(Listener {
            listen: FREE,
            url: url.clone(),
            certificate: public.certificate,
            key: public.key,
            docs: false,
        }),
        internal: Internal {
            listen: FREE,
            url,
            certificate: internal.certificate,
            key: internal.key,
            ca: pki.internal_ca(),
        },
        database: Some(Database { url_file: database.files.app.clone(), migrator_url_file: None, max_connections: 8 }),
        telemetry: Telemetry::default(),
        exit_with_parent: false,
        connections: 2048,
        workers: Some(1),
    }
}

/// The layers' settings of a service that the app calls. Everybody in a test has one address, so it has room for all of them.
pub fn defense(pki: &Pki) -> DefenseConfig {
    let much = Rate { units: 1_000_000, seconds: 60 };
    DefenseConfig {
        apps_file: Some(pki.apps_file()),
        api_key_pepper_file: Some(pki.secret("api-key-pepper")),
        rates: Rates { address: much, network: much, failures: much, instance: much, user: much, class: much },
        ..DefenseConfig::default()
    }
}

/// The same with a public listener that has this address, and that the world reaches under `url`.
pub fn reached(common: Common, listen: SocketAddr, url: &str) -> Common {
    let public = common.public.map(|public| Listener { listen, url: url.to_owned(), ..public });
    Common { public, ..common }
}

/// The listeners of a running service, for a client that speaks by hand; inside as the workload `peer`. `id` stands for `{…}` in paths.
pub fn target<'a>(running: &Running, pki: &'a Pki, peer: &'a str, id: &'a str) -> Target<'a> {
    Target { public: running.public, internal: running.internal, pki, peer, id }
}

/// What a running service answers when the operator asks whether it is ready.
///
/// # Errors
///
/// It answers nothing, or no JSON.
pub async fn health(running: &Running, pki: &Pki) -> Result<(u16, Value)> {
    let client = server::client(&pki.internal_ca(), Some(&pki.internal("operator")))?;
    let url = format!("https://localhost:{}/health/ready", running.internal.port());
    let response = client.get(url).send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

/// Waits until a running service is ready and misses nothing.
///
/// # Panics
///
/// It does not become so within twenty seconds, or does not answer.
pub async fn until_ready(running: &Running, pki: &Pki) {
    let ready = json!({ "status": "ready" });
    until(async || {
        let answer = health(running, pki).await;
        assert!(answer.is_ok(), "{answer:?}");
        answer.is_ok_and(|(status, said)| status == 200 && said == ready)
    })
    .await;
}

/// Waits until `what` answers true.
///
/// # Panics
///
/// It does not, for twenty seconds.
pub async fn until<F: Future<Output = bool>>(mut what: impl FnMut() -> F) {
    let happens = async {
        while !what().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let happened = tokio::time::timeout(Duration::from_secs(20), happens).await;
    assert!(happened.is_ok(), "it did not happen within twenty seconds");
}

/// Everything that is logged from now on by anything in this process, at this level (as `RUST_LOG` has it).
///
/// # Panics
///
/// Somebody else logs already.
pub fn logged(service: &'static str, level: &str) -> &'static Arc<Mutex<Vec<u8>>> {
    static LOGGED: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOGGED.get_or_init(|| {
        let memory: Arc<Mutex<Vec<u8>>> = Arc::default();
        let telemetry = Telemetry { log: level.to_owned(), ..Telemetry::default() };
        let guard = telemetry::init_with(service, &telemetry, Sink::Memory(Arc::clone(&memory)));
        assert!(guard.is_ok(), "somebody else logs already");
        std::mem::forget(guard);
        memory
    })
}

/// Fails unless each of these subcommands of a program explains itself, without a configuration.
///
/// # Panics
///
/// One does not.
pub fn explains_itself(program: &str, service: &str, subcommands: &[&str]) {
    for name in subcommands {
        let output = Command::new(program).args(name.split(' ')).arg("--help").output();
        let text = output.as_ref().map(|output| (output.status.success(), String::from_utf8_lossy(&output.stdout)));
        let explained = text.is_ok_and(|(good, text)| good && text.contains(&format!("Usage: {service} {name}")));
        assert!(explained, "{name}: {output:?}");
    }
}
