//! The broker as a process: its subcommands, and what it does not read from its environment.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
