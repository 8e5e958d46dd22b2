//! The broker as a process: its subcommands, and what it does not read from its environment.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;

use broker::config::ProviderSettings;
use runtime::Clock as _;
use serde_json::{Value, json};

use crate::bench::Bench;

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn broker(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
    command.args(arguments).arg("--config").arg(config);
    command
}

/// A command that writes secrets: as the migrator, whose URL only it is told.
fn sealing(bench: &Bench, config: &Path, arguments: &[&str]) -> Command {
    let mut command = broker(config, arguments);
    command.env("BROKER__DATABASE__MIGRATOR_URL_FILE", &bench.database.files.migrator);
    command
}

fn write_config(bench: &Bench) -> PathBuf {
    let path = bench.pki.dir().join("broker.toml");
    std::fs::write(&path, runtime::config::print(&bench.config).unwrap()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_by_a_subcommand_and_the_environment_changes_nothing() {
    let bench = Bench::start().await;
    let config = write_config(&bench);
    let secret = bench.pki.dir().join("secrets/hostile");
    let sealed = "hostile_sealed_by_the_subcommand";
    crypto::files::write_new_secret(&secret, sealed.as_bytes()).unwrap();
    sealed.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    let file = secret.to_str().unwrap();
    let arguments = ["seal-secret", "--provider", "hostile", "--id", "api", "--file", file];
    let output = sealing(&bench, &config, &arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("hostile/api: version 2 is live"));
    assert!(!String::from_utf8_lossy(&output.stdout).contains(sealed));

    let output = sealing(&bench, &config, &["serve"]).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("must not know"));
    let keys = bench.pki.dir().join("sslkeys");
    let mut serving = broker(&config, &["serve"]);
    serving.env("HTTPS_PROXY", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1").env("SSLKEYLOGFILE", &keys);
    let mut process = Process(serving.stdout(Stdio::piped()).spawn().unwrap());
    let port = internal_port(process.0.stdout.take().unwrap());
    let url = format!("https://localhost:{port}/internal/v1/operations/hostile/good");
    let answer = bench.as_ledger.post(url).json(&json!({ "params": {} })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!keys.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_makes_nobody_an_authority() {
    let bench = Bench::start().await;
    let mut config = bench.config.clone();
    // Without authorities of its own: those of the system, to which the development authority does not belong.
    let settings = ProviderSettings { root_certificates_file: None, ..bench.on_loopback(bench.hostile.url()) };
    config.providers.insert("outside".to_owned(), settings);
    let path = bench.pki.dir().join("broker.toml");
    std::fs::write(&path, runtime::config::print(&config).unwrap()).unwrap();
    let mut serving = broker(&path, &["serve"]);
    serving.env("SSL_CERT_FILE", bench.pki.public_ca()).env("SSL_CERT_DIR", bench.pki.dir());
    let mut process = Process(serving.stdout(Stdio::piped()).spawn().unwrap());
    let port = internal_port(process.0.stdout.take().unwrap());
    let url = format!("https://localhost:{port}/internal/v1/operations/outside/good");
    let answer = bench.as_ledger.post(url).json(&json!({ "params": {} })).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(bench.hostile.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_option_and_an_exposed_secret_file_are_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::start().await;
    let config = write_config(&bench);
    let output = broker(&config, &["seal-secret", "--provider", "hostile"]).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("--id is missing"));
    let exposed = bench.pki.dir().join("exposed");
    std::fs::write(&exposed, "long_enough_for_a_secret").unwrap();
    std::fs::set_permissions(&exposed, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = exposed.to_str().unwrap();
    let arguments = ["seal-secret", "--provider", "hostile", "--id", "api", "--file", file];
    let output = sealing(&bench, &config, &arguments).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("chmod 600"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_messages_are_listed_and_redelivered_by_a_subcommand() {
    let bench = Bench::start().await;
    let config = write_config(&bench);
    let run = async |arguments: &[&str]| {
        let mut command = broker(&config, &[&["webhooks"], arguments].concat());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), text)
    };
    let lines = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let body = br#"{"type":"payment.received","data":{"account_id":"01890a5d-ac96-774b-bcce-b302099a8057","amount":"1.00","currency":"XXX","debtor_name":"Carol Confidential"}}"#;
    bench.ledger.refuse(400, "request.invalid", Some("currency"));
    for event_id in ["evt_1", "evt_2", "evt_3"] {
        assert_eq!(bench.signed(&bench.whsec(), event_id, bench.clock.unix(), body).await, 202);
        bench.clock.advance(1);
    }
    bench.until("webhook_inbox where state = 'rejected'", 3).await;

    let (good, text) = run(&["list"]).await;
    assert!(good && !text.contains("Confidential"), "{text}");
    let listed = lines(&text);
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["event_id"], &listed[0]["provider"]), (&json!("evt_1"), &json!("sandbox-bank")));
    assert_eq!(
        (&listed[0]["state"], &listed[0]["last_error"], &listed[0]["reopened"]),
        (&json!("rejected"), &json!("400 request.invalid"), &json!(0))
    );
    let (good, first) = run(&["list", "--state", "rejected", "--limit", "2"]).await;
    let first = lines(&first);
    let last = first[1]["id"].as_str().unwrap();
    let (_, second) = run(&["list", "--after", last]).await;
    assert!(good && [first.clone(), lines(&second)].concat() == listed);
    for state in ["pending", "delivered", "ignored"] {
        assert_eq!(run(&["list", "--state", state]).await, (true, String::new()));
    }

    let id = listed[0]["id"].as_str().unwrap();
    bench.ledger.answer.store(201, Ordering::SeqCst);
    let (good, text) = run(&["redeliver", "--id", id]).await;
    assert!(good && text.contains("back in the queue"), "{text}");
    // The running broker takes it from the database, by its own clock.
    bench.until_in_time("webhook_inbox where event_id = 'evt_1' and state = 'delivered' and reopened = 1", 1).await;
    assert_eq!(bench.count("webhook_inbox where state = 'rejected'").await, 2, "the others stay");
    for (arguments, says) in [
        (&["redeliver", "--id", id][..], "there is no rejected webhook"),
        (&["redeliver", "--id", "x"], "--id is not an id"),
        (&["redeliver"], "--id is missing"),
        (&["list", "--state", "lost"], "--state is none of"),
        (&["list", "--limit", "1001"], "--limit is not between"),
        (&["forget"], "neither"),
        (&[], "say `list`"),
    ] {
        let (good, text) = run(arguments).await;
        assert!(!good && text.contains(says), "{arguments:?}: {text}");
    }
}

/// Reads the log until the internal listener says where it is.
fn internal_port(output: std::process::ChildStdout) -> u16 {
    for line in BufReader::new(output).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
        if line["message"] == "listening" && line["internal"] == true {
            return line["listener"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        }
    }
    panic!("the process ended before it listened");
}

#[test]
fn every_route_is_documented_with_its_guard() {
    let routes = <broker::Broker as runtime::Service>::describe();
    let table: Vec<(&str, &str, &str)> =
        routes.iter().map(|route| (route.listener, route.path.as_str(), route.guard.as_str())).collect();
    assert_eq!(table.len(), 2);
    assert!(table.iter().all(|(_, _, guard)| !guard.is_empty()));
    assert_eq!(table.iter().filter(|(_, _, guard)| *guard == "Public").count(), 1, "webhooks only: {table:?}");
}
