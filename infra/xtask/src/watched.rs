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
use crate::stack::{Kind, Stack};
use crate::{panels, place};

/// Scrapes and evaluations come each second.
const PATIENCE: Duration = Duration::from_secs(40);

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
    let prometheus = Server::start(&software, &panels::configuration(&stack).unwrap()).unwrap();
    let began = panels::now().unwrap();
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
    let page = panels::drawn(&prometheus, began).unwrap();
    assert_eq!(page.faults, Vec::<String>::new());
    assert!(page.text.matches("<svg viewBox=\"0 0 1000").count() > 15, "{}", page.text);
    drop(prometheus);
    stack.end().unwrap();
}
