//! A real Prometheus beside the running system, with the configuration and the rules of `infra/watching`: it comes with the watcher's certificate, no target
//! is down, each series that rules and dashboards ask for is one that it has, and an alert fires when there is a reason.

use std::path::Path;
use std::time::Duration;

use ladder::prometheus::{Server, Software};
use ladder::shell;
use serde_json::Value;
use system::system;
use testkit::missing::may_be_missing;

use crate::commands::Command;
use crate::options::Options;
use crate::place;
use crate::stack::{Kind, Stack};

/// Scrapes and evaluations come each second.
const PATIENCE: Duration = Duration::from_secs(40);

/// The repository's own, with the ports, keys and haste of this run.
fn configuration(stack: &Stack) -> String {
    let folder = place::root().join("infra/watching");
    let mut text = std::fs::read_to_string(folder.join("prometheus.yaml")).unwrap();
    let pki = format!("{}/", stack.pki().display());
    let rules = format!("- {}", folder.join("alerts.yaml").display());
    let mut changed = vec![
        ("../../target/dev/pki/".to_owned(), pki),
        ("- alerts.yaml".to_owned(), rules),
        ("interval: 5s".to_owned(), "interval: 1s".to_owned()),
    ];
    for service in &system().unwrap().services {
        let here = stack.url(&format!("{}-internal", service.name)).unwrap().replace("https://", "");
        changed.push((format!("localhost:{}", service.internal), here));
    }
    for (there, here) in changed {
        assert!(text.contains(&there), "{there} is not in prometheus.yaml");
        text = text.replace(&there, &here);
    }
    text
}

/// The results of a query, each with its labels.
fn query(prometheus: &Server, query: &str) -> Vec<Value> {
    let escaped = query.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let answer = prometheus.ask(&format!("/api/v1/query?query={escaped}")).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {answer}")).clone()
}

fn firing(prometheus: &Server) -> Vec<String> {
    let all = query(prometheus, "ALERTS{alertstate=\"firing\"}");
    all.iter().map(|alert| alert["metric"]["alertname"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_prometheus_reads_every_service_and_calls_when_a_decoy_is_used() {
    let say = |line: &str| drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()));
    let software = match Software::bring(&place::target(), say) {
        Ok(software) => software,
        Err(why) => return may_be_missing("Prometheus", "REDOUBT_PROMETHEUS_WAIVED", &why),
    };
    let mut stack = Stack::start(Kind::Demo, &Options::of(Command::Demo)).unwrap();
    let prometheus = Server::start(&software, &configuration(&stack)).unwrap();
    let services: Vec<&str> = system().unwrap().services.iter().map(|service| service.name.as_str()).collect();
    // What begins is looked at twice before anything happens.
    let up = || (query(&prometheus, "count_over_time(up[1m]) >= 2 and up == 1").len() == services.len()).then_some(());
    let all_up = shell::poll(PATIENCE, up);
    assert!(all_up.is_some(), "{:?}", query(&prometheus, "up"));
    assert_eq!(firing(&prometheus), Vec::<String>::new(), "nothing has happened");

    // Among much else somebody uses a decoy.
    let told = stack.tell(&[], Path::new("/dev/null")).unwrap();
    assert!(told.success(), "{told}");
    let called = shell::poll(PATIENCE, || firing(&prometheus).contains(&"DecoyUsed".to_owned()).then_some(()));
    assert!(called.is_some(), "{:?}", query(&prometheus, "defense_alarms_total"));
    let expected = ["DecoyUsed"];
    let fired = firing(&prometheus);
    assert!(fired.iter().all(|alert| expected.contains(&alert.as_str())), "{fired:?}");
    assert!(query(&prometheus, "up == 0").is_empty(), "a target is down");

    // The rules are all there, and each could be evaluated.
    let rules: Value = serde_json::from_str(&prometheus.ask("/api/v1/rules").unwrap()).unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 10 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");
    // What dashboards ask for gets an answer, but for what the schema says that this run does not show.
    for (board, asked) in boards() {
        let answered = query(&prometheus, &asked);
        assert!(!answered.is_empty() || is_unseen(&asked), "{board}: nothing answers {asked}");
    }
    drop(prometheus);
    stack.end().unwrap();
}

/// Every query of every dashboard.
fn boards() -> Vec<(String, String)> {
    let files = crate::check::files().unwrap();
    let mut asked = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("infra/watching/dashboards/")) {
        let board: Value = serde_json::from_str(&file.text).unwrap();
        for target in board["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap())
        {
            asked.push((file.path.clone(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    assert!(asked.len() > 20, "{asked:?}");
    asked
}

fn is_unseen(query: &str) -> bool {
    let schema = system::telemetry::telemetry().unwrap();
    let unseen = schema.metrics.iter().filter(|(_, metric)| metric.unseen.is_some());
    unseen.flat_map(|(name, metric)| metric.series(name)).any(|series| query.contains(&series))
}
