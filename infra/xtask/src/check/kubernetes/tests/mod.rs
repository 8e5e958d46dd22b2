//! Whatever is taken out of the rendered overlays, or put into them, is named.

mod schemas;

use serde_json::{Value, json};
use testkit::missing::may_be_missing;

use super::*;
use crate::check;

/// What an overlay is rendered to; none, where nothing can render it.
fn overlay(name: &str) -> Option<Objects> {
    let Some(kubectl) = kubectl() else {
        may_be_missing("kubectl", WAIVED, "it is not in PATH");
        return None;
    };
    Some(rendered(&kubectl, &format!("{FOLDER}/overlays/{name}")).unwrap().objects)
}

fn judged(objects: &Objects, production: bool) -> Complaints {
    let files = check::files().unwrap();
    let code = code(&files).unwrap();
    whole(objects, &Expectation { system: system().unwrap(), production, code }, &files)
}

/// One thing that is otherwise than an overlay has it, and what is complained of: a line of `broken/*.txt`.
struct Broken<'a> {
    kind: &'a str,
    name: &'a str,
    pointer: String,
    value: Value,
    complaint: &'a str,
}

impl<'a> Broken<'a> {
    fn read(line: &'a str) -> Self {
        let columns: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [which, at, value, complaint] = columns[..] else { panic!("{line}") };
        let (kind, name) = which.split_once('/').unwrap();
        let pointer = match at.split_once('/') {
            Some(("pod", rest)) => format!("/spec/template/spec/{rest}"),
            Some(("first", rest)) => format!("/spec/template/spec/containers/0/{rest}"),
            _ if at == "all" => String::new(),
            _ => format!("/{at}"),
        };
        Self { kind, name, pointer, value: serde_json::from_str(value).unwrap(), complaint }
    }

    fn of(&self, overlay: &Objects) -> Objects {
        let mut objects = overlay.clone();
        // Names of generated maps end in a digest.
        let is_it = |found: &str| {
            found == self.name
                || (self.kind == "ConfigMap" && found.rsplit_once('-').is_some_and(|(stem, _)| stem == self.name))
        };
        let mut of_kind = objects.0.iter_mut().filter(|object| rendered::text(object, "/kind") == self.kind);
        let object = of_kind.find(|object| is_it(rendered::name_of(object)));
        let object = object.unwrap_or_else(|| panic!("there is no {} {}", self.kind, self.name));
        match self.pointer.rsplit_once('/') {
            None => *object = self.value.clone(),
            Some((parent, key)) => {
                let key = key.replace("~1", "/");
                match object.pointer_mut(parent).unwrap_or_else(|| panic!("there is no {parent}")) {
                    Value::Object(map) if self.value.is_null() => assert!(map.remove(&key).is_some(), "{key}"),
                    Value::Object(map) => drop(map.insert(key, self.value.clone())),
                    Value::Array(items) if key == "-" => items.push(self.value.clone()),
                    Value::Array(items) => items[key.parse::<usize>().unwrap()] = self.value.clone(),
                    other => panic!("{parent} is {other}"),
                }
            }
        }
        objects
    }
}

/// The overlay holds, and no longer with any of these.
fn each_is_named(name: &str, broken: &[&str]) {
    let production = name == "prod";
    let Some(overlay) = overlay(name) else { return };
    assert_eq!(judged(&overlay, production), Complaints::new());
    let lines: Vec<&str> = broken.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() > 20, "{lines:?}");
    for line in lines {
        let broken = Broken::read(line);
        let complaints = judged(&broken.of(&overlay), production);
        assert!(complaints.iter().any(|found| found.contains(broken.complaint)), "{line}: {complaints:?}");
    }
}

#[test]
fn a_pod_that_may_more_is_named() {
    each_is_named("dev", &[include_str!("broken/pods.txt")]);
}

#[test]
fn a_service_that_is_not_as_the_table_says_is_named() {
    each_is_named("dev", &[include_str!("broken/services.txt")]);
}

#[test]
fn a_way_that_is_open_or_closed_against_the_table_is_named() {
    each_is_named("dev", &[include_str!("broken/network.txt")]);
}

#[test]
fn production_is_more_than_one_of_each_by_digest_and_told_what_the_table_says() {
    each_is_named("prod", &[include_str!("broken/production.txt")]);
}

#[test]
fn a_file_of_settings_that_says_something_else_is_named() {
    let Some(prod) = overlay("prod") else { return };
    let mut changed = 0;
    for (from, to, complaint) in [
        ("https://behavior:7105", "https://attestation:7105", "ledger: it is told to call attestation:7105"),
        ("\nlisten = \"0.0.0.0:7103\"", "\nlisten = \"127.0.0.1:7103\"", "ledger: it is not told to listen at 7103"),
        ("\nprometheus = true", "\nprometheus = false", "ledger: its settings do not have it answer `GET /metrics`"),
        ("secrets/poster.url", "other/poster.url", "ledger: it is told of /run/redoubt/other/poster.url"),
    ] {
        let mut objects = prod.clone();
        for object in &mut objects.0 {
            let Some(text) = object.pointer("/data/service.toml").and_then(Value::as_str) else { continue };
            if text.contains("poster_url_file") && text.contains(from) {
                changed += 1;
                let text = text.replace(from, to);
                object["data"]["service.toml"] = json!(text);
            }
        }
        let complaints = judged(&objects, true);
        assert!(complaints.iter().any(|found| found.contains(complaint)), "{from} → {to}: {complaints:?}");
    }
    assert_eq!(changed, 4);
}

#[test]
fn settings_that_the_program_does_not_read_are_named_with_its_own_words() {
    let Some(prod) = overlay("prod") else { return };
    // Programs that say what a service says; who reads them really is `cargo xtask check infra`.
    let answers = |word: &'static str| move |_: &str| Ok(ladder::shell::which(word).unwrap());
    assert_eq!(settings::read_back(&prod, answers("true")).unwrap(), Complaints::new());
    let complaints = settings::read_back(&prod, answers("false")).unwrap();
    let count = system().unwrap().services.len();
    // Each service, and each migration, which is told the same.
    assert_eq!(complaints.len(), 2 * count, "{complaints:?}");
}

#[test]
fn what_the_code_says_is_read_and_code_that_does_not_say_it_is_an_error() {
    let said = code(&check::files().unwrap()).unwrap();
    assert_eq!((said.end, said.trust_domain.is_empty()), (27, false));
    assert_eq!(code(&[]), None);
}

#[test]
fn each_edge_of_the_table_is_a_policy_at_both_of_its_ends() {
    let text = edges::text(system().unwrap());
    for name in ["auth-calls-broker", "broker-is-called-by-auth", "broker-calls-ledger", "edge-calls-auth"] {
        assert_eq!(text.matches(&format!("metadata: {{ name: {name} }}")).count(), 1, "{name}");
    }
    assert!(!text.contains("behavior-calls-") && !text.contains("edge-calls-behavior"));
}
