//! `infra/compose/compose.yaml` beside `infra/system.toml`: who is in which network, who has a way out, whose files and ports are whose, and with which rights.
//!
//! It reads the file as it is written, a key a line, and not all of YAML; what it does not know is a complaint, so that nothing stands there which it has not
//! judged.

use std::collections::BTreeMap;

use system::{System, system};

use super::Complaints;
use super::sources::Source;

const FILE: &str = "infra/compose/compose.yaml";
const PORTS: &str = "infra/compose/.env";
/// The only service that reaches hosts outside (docs/ARCHITECTURE.md).
const OUT: &str = "broker";
/// Networks without a way out.
const INTERNAL: [&str; 3] = ["edge", "mesh", "data"];
/// What `&hardened` says, to the letter.
const HARDENED: [&str; 8] = [
    "user: \"10001:10001\"",
    "init: true",
    "read_only: true",
    "cap_drop: [ALL]",
    "security_opt: [\"no-new-privileges:true\"]",
    "pids_limit: 256",
    "mem_limit: 256m",
    "cpus: ${CPUS}",
];
/// Of these, those that nobody says again.
const RIGHTS: [&str; 4] = ["user:", "read_only:", "cap_drop:", "security_opt:"];
/// What a container may say beside that. No key here takes back what `&hardened` says.
const KEYS: [&str; 18] = [
    "<<",
    "image",
    "build",
    "command",
    "environment",
    "networks",
    "network_mode",
    "volumes",
    "tmpfs",
    "ports",
    "healthcheck",
    "depends_on",
    "profiles",
    "mem_limit",
    "shm_size",
    "stop_signal",
    "stop_grace_period",
    "restart",
];
/// What a container takes its rights from; each takes `&hardened` in.
const ANCHORS: [&str; 4] = ["*hardened", "*inside", "*once", "*service"];
/// The networks of what is beside the services.
const BESIDE: [(&str, &[&str]); 8] = [
    ("keys", &[]),
    ("postgres", &["data"]),
    ("redis", &["data"]),
    ("init", &["data"]),
    ("gate", &["published", "edge"]),
    ("workbench", &["published", "mesh"]),
    ("partner", &["egress"]),
    ("collector", &["mesh", "egress"]),
];
/// Those that hold everybody's files, and end before anybody serves.
const ONCE: [&str; 2] = ["keys", "init"];

pub(super) fn all(files: &[Source]) -> Complaints {
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    match (text(FILE), text(PORTS), system()) {
        (Some(compose), Some(ports), Ok(system)) => judge(compose, ports, system),
        (_, _, Err(error)) => vec![error.to_string()],
        _ => vec![format!("{FILE} or {PORTS} is not there")],
    }
}

fn judge(compose: &str, ports: &str, system: &System) -> Complaints {
    let file = Sections::of(compose);
    let mut complaints = Complaints::new();
    let mut expected: BTreeMap<&str, Vec<&str>> =
        BESIDE.iter().map(|(name, networks)| (*name, networks.to_vec())).collect();
    for service in &system.services {
        let edge = service.public.map(|_| "edge");
        let egress = (service.name == OUT).then_some("egress");
        expected.insert(&service.name, edge.into_iter().chain(["mesh", "data"]).chain(egress).collect());
    }
    let containers = file.entries("services");
    for name in containers.keys().filter(|name| !expected.contains_key(*name)) {
        complaints.push(format!("{name} is not in infra/system.toml, nor known beside the services"));
    }
    for (name, networks) in &expected {
        let Some(lines) = containers.get(name) else {
            complaints.push(format!("there is no container {name}"));
            continue;
        };
        let container = Container { name, keys: keys(lines) };
        complaints.extend(container.networks(networks));
        complaints.extend(container.rights());
        complaints.extend(container.files(system));
        complaints.extend(container.ports(system));
    }
    complaints.extend(anchors(&file));
    complaints.extend(networks(&file.entries("networks")));
    complaints.extend(defaults(ports, system));
    complaints.into_iter().map(|complaint| format!("{FILE}: {complaint}")).collect()
}

/// The sections of the file, and the entries of each, two spaces in.
struct Sections<'a>(Vec<&'a str>);

impl<'a> Sections<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()).collect())
    }

    fn section(&self, name: &str) -> Vec<&'a str> {
        let head = |line: &&&str| line.starts_with(&format!("{name}:"));
        let lines = self.0.iter().skip_while(move |line| !head(line)).skip(1);
        lines.take_while(|line| line.starts_with(' ')).copied().collect()
    }

    fn entries(&self, section: &str) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut entries = BTreeMap::new();
        let mut current: Option<&str> = None;
        for line in self.section(section) {
            let name =
                line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')).and_then(|rest| rest.split_once(':'));
            if let Some((name, rest)) = name {
                current = Some(name);
                entries.insert(name, vec![rest.trim()]);
            } else if let Some(lines) = current.and_then(|name| entries.get_mut(name)) {
                lines.push(line);
            }
        }
        entries
    }
}

/// What each container is told, where it is told anything.
pub(super) fn commands(compose: &str) -> Vec<Vec<String>> {
    let containers = Sections::of(compose).entries("services");
    let told = containers.iter().map(|(name, lines)| Container { name, keys: keys(lines) }.list("command"));
    told.filter(|words| !words.is_empty()).collect()
}

/// The keys of a container, four spaces in, each with what follows on its line and below it.
fn keys<'a>(lines: &[&'a str]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = "";
    for line in lines.iter().skip(1) {
        match line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')).and_then(|rest| rest.split_once(':')) {
            Some((key, rest)) => {
                current = key;
                keys.insert(key, vec![rest.trim()]);
            }
            None => keys.entry(current).or_default().push(line.trim()),
        }
    }
    keys
}

struct Container<'a> {
    name: &'a str,
    keys: BTreeMap<&'a str, Vec<&'a str>>,
}

impl Container<'_> {
    /// The words of a list, written on one line or one a line.
    fn list(&self, key: &str) -> Vec<String> {
        let text = self.keys.get(key).map(|lines| lines.join(",").replace("- ", "")).unwrap_or_default(); // Default: it has none.
        let words =
            text.split(',').map(|word| word.trim().trim_matches(|c| "[]\"&".contains(c)).trim_matches('"').to_owned());
        words.filter(|word| !word.is_empty() && word != "all" && word != "*all").collect()
    }

    fn networks(&self, expected: &[&str]) -> Option<String> {
        let (mut found, mut wanted) = (self.list("networks"), expected.to_vec());
        found.sort();
        wanted.sort_unstable();
        // Without a word about networks a container is in one that has a way out.
        let none = expected.is_empty() && self.list("network_mode") == ["none"];
        let good = found == wanted && none == self.keys.contains_key("network_mode") && none == expected.is_empty();
        (!good).then(|| {
            format!("{} is in the networks {found:?}, by infra/system.toml it belongs in {wanted:?}", self.name)
        })
    }

    fn rights(&self) -> Complaints {
        let mut complaints = Complaints::new();
        let taken = self.list("<<");
        if !matches!(taken.as_slice(), [one] if ANCHORS.contains(&one.as_str())) {
            complaints.push(format!("{} takes its rights from {taken:?}, and not from one of {ANCHORS:?}", self.name));
        }
        let unknown = self.keys.keys().filter(|key| !KEYS.contains(*key));
        complaints.extend(
            unknown.map(|key| format!("{} has `{key}`, which nobody has judged (check/containers.rs)", self.name)),
        );
        complaints
    }

    /// A service has its own volume and no other; what is reached from outside or passes on has none.
    fn files(&self, system: &System) -> Option<String> {
        let found = self.list("volumes");
        let own = format!("{}:/run/redoubt:ro", self.name);
        let is_service = system.services.iter().any(|service| service.name == self.name);
        let expected: Vec<String> = match self.name {
            name if ONCE.contains(&name) => return None,
            "postgres" => vec![own, "postgres-data:/var/lib/postgresql/data".to_owned()],
            name if is_service || ["redis", "partner"].contains(&name) => vec![own],
            _ => Vec::new(),
        };
        (found != expected).then(|| format!("{} has the files {found:?}, and needs {expected:?}", self.name))
    }

    /// The ports of its listeners, on loopback; of a container that passes on, also where to.
    fn ports(&self, system: &System) -> Complaints {
        let listeners: Vec<(String, u16)> = match self.name {
            "gate" => system
                .services
                .iter()
                .filter_map(|service| Some((service.name.clone(), service.public?.port)))
                .collect(),
            "workbench" => {
                system.services.iter().map(|service| (service.name.clone() + "-internal", service.internal)).collect()
            }
            name => system.stand_ins.iter().filter(|(stand_in, _)| stand_in == name).cloned().collect(),
        };
        let expected: Vec<String> = listeners
            .iter()
            .map(|(name, port)| format!("127.0.0.1:${{{}}}:{port}", crate::compose::variable(name)))
            .collect();
        let mut complaints = Complaints::new();
        if self.list("ports") != expected {
            complaints.push(format!(
                "{} publishes {:?}, by infra/system.toml it has {expected:?}",
                self.name,
                self.list("ports")
            ));
        }
        if ["gate", "workbench"].contains(&self.name) {
            let host = |name: &str| name.trim_end_matches("-internal").to_owned();
            let ways = listeners.iter().map(|(name, port)| format!("{port}={}:{port}", host(name)));
            let expected: Vec<String> = ["forward".to_owned()].into_iter().chain(ways).collect();
            if self.list("command") != expected {
                complaints.push(format!(
                    "{} passes on {:?}, by infra/system.toml it is {expected:?}",
                    self.name,
                    self.list("command")
                ));
            }
        }
        complaints
    }
}

/// What all containers take their rights from.
fn anchors(file: &Sections<'_>) -> Complaints {
    let hardened: Vec<&str> = file.section("x-hardened").into_iter().map(str::trim).collect();
    let missing = HARDENED.iter().filter(|line| !hardened.contains(line));
    let mut complaints: Complaints = missing.map(|line| format!("&hardened lacks `{line}`")).collect();
    for (anchor, from) in [("x-inside", "<<: *hardened"), ("x-once", "<<: *inside"), ("x-service", "<<: *inside")] {
        if !file.section(anchor).iter().any(|line| line.trim() == from) {
            complaints.push(format!("{anchor} lacks `{from}`"));
        }
    }
    // A key that says the same thing otherwise would count.
    let is_right = |line: &&&str| RIGHTS.iter().any(|right| line.trim().starts_with(right));
    let count = file.0.iter().filter(is_right).count();
    if count != RIGHTS.len() {
        complaints.push(format!("{RIGHTS:?} are said {count} times, and not once each in &hardened"));
    }
    complaints
}

fn networks(found: &BTreeMap<&str, Vec<&str>>) -> Complaints {
    let mut complaints = Complaints::new();
    let known = |name: &str| INTERNAL.contains(&name) || ["published", "egress"].contains(&name);
    complaints.extend(found.keys().filter(|name| !known(name)).map(|name| format!("the network {name} is not known")));
    let says = |name: &str, words: &[&str]| {
        let text = found.get(name).map(|lines| lines.join(" ")).unwrap_or_default(); // Default: it is not there.
        words.iter().all(|word| text.contains(word))
    };
    for name in INTERNAL {
        if !says(name, &["internal: true", "inhibit_ipv4: \"true\""]) {
            complaints.push(format!("the network {name} has a way out: `internal` and `inhibit_ipv4` close it"));
        }
    }
    if !says("published", &["enable_ip_masquerade: \"false\""]) {
        complaints.push("who is in the network published could call out: `enable_ip_masquerade` is not off".to_owned());
    }
    complaints
}

/// Each published port has the value of `infra/system.toml` until somebody changes it.
fn defaults(ports: &str, system: &System) -> Complaints {
    let published = system
        .listeners()
        .into_iter()
        .filter(|(name, _)| !name.ends_with("-edge") && !["console", "desk"].contains(&name.as_str()));
    let lines = published.map(|(name, port)| format!("{}={port}", crate::compose::variable(&name)));
    lines.filter(|line| !ports.lines().any(|have| have == line)).map(|line| format!("{PORTS} lacks `{line}`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSE: &str = include_str!("../../../compose/compose.yaml");
    const DEFAULTS: &str = include_str!("../../../compose/.env");

    #[test]
    fn whatever_opens_a_way_or_takes_back_a_right_is_named() {
        let system = system().unwrap();
        assert_eq!(judge(COMPOSE, DEFAULTS, system), Complaints::new());
        for (from, to, complaint) in [
            ("networks: [mesh, data]\n", "networks: [mesh, data, egress]\n", "behavior is in the networks"),
            ("networks: [edge, mesh, data, egress]", "networks: [edge, mesh, data]", "broker is in the networks"),
            ("networks: [published, edge]", "networks: [published, edge, data]", "gate is in the networks"),
            ("    network_mode: none\n", "", "keys is in the networks"),
            ("    networks: [mesh, data]\n", "    network_mode: host\n", "behavior is in the networks"),
            ("edge: { internal: true,", "edge: { internal: false,", "network edge has a way out"),
            (
                "mesh: { internal: true, driver_opts: { com.docker.network.bridge.inhibit_ipv4: \"true\" } }",
                "mesh: { internal: true }",
                "network mesh has a way out",
            ),
            ("masquerade: \"false\"", "masquerade: \"true\"", "published could call out"),
            ("  egress: {}\n", "  egress: {}\n  other: {}\n", "network other is not known"),
            ("\"behavior:/run/redoubt:ro\"", "\"behavior:/run/redoubt:ro\", \"keys:/keys\"", "behavior has the files"),
            ("\"ledger:/run/redoubt:ro\"", "\"ledger:/run/redoubt\"", "ledger has the files"),
            ("127.0.0.1:${LEDGER_PORT}", "${LEDGER_PORT}", "gate publishes"),
            ("7003=ledger:7003", "7003=ledger:7103", "gate passes on"),
            ("7105=behavior:7105", "7105=postgres:5432", "workbench passes on"),
            ("  read_only: true\n", "", "&hardened lacks `read_only: true`"),
            ("  cap_drop: [ALL]\n", "", "&hardened lacks `cap_drop: [ALL]`"),
            ("    shm_size: 128m\n", "    read_only: false\n", "postgres has `read_only`"),
            ("    shm_size: 128m\n", "    privileged: true\n", "postgres has `privileged`"),
            (
                "    <<: [*hardened]\n    image: redoubt/broker",
                "    image: redoubt/broker",
                "broker takes its rights from []",
            ),
            ("x-inside: &inside\n  <<: *hardened", "x-inside: &inside\n  user: root", "x-inside lacks `<<: *hardened`"),
            (
                "x-service: &service\n  <<: *inside",
                "x-service: &service\n  <<: *inside\n  user: root",
                "are said 5 times",
            ),
            ("  behavior:\n    <<", "  weather:\n    <<", "weather is not in infra/system.toml"),
            ("  behavior:\n    <<", "  weather:\n    <<", "there is no container behavior"),
        ] {
            assert!(COMPOSE.contains(from), "{from}");
            let complaints = judge(&COMPOSE.replacen(from, to, 1), DEFAULTS, system);
            assert!(complaints.iter().any(|found| found.contains(complaint)), "{from} → {to}: {complaints:?}");
        }
        let complaints = judge(COMPOSE, &DEFAULTS.replace("LEDGER_PORT=7003", "LEDGER_PORT=7001"), system);
        assert_eq!(complaints, ["infra/compose/compose.yaml: infra/compose/.env lacks `LEDGER_PORT=7003`"]);
    }
}
