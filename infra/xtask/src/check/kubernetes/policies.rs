//! What the network policies allow at each end, worked out for every pair of pods and every port, beside what `infra/system.toml` says; and who reaches anything that is
//! no pod.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use system::System;

use super::super::Complaints;
use super::rendered::{COMPONENT, Objects, Workload, keys, list, number, pairs, text, texts};

/// The only service that reaches hosts outside (docs/ARCHITECTURE.md).
const OUT: &str = "broker";
/// What takes what the world sends.
pub(super) const EDGE: &str = "edge";
/// What the way out leaves out at least: private networks, this link, this host.
const CLOSED: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];
/// The pods of a Prometheus, as its operator labels them: who comes from another namespace.
pub(super) const PROMETHEUS: [(&str, &str); 1] = [("app.kubernetes.io/name", "prometheus")];
const DNS: u64 = 53;
/// A managed PostgreSQL and Redis: no pods, at an address of the site's own network.
const STORES: [u64; 2] = [POSTGRES, REDIS];
const POSTGRES: u64 = 5432;
const REDIS: u64 = 6379;

pub(super) fn all(objects: &Objects, system: &System) -> Complaints {
    let policies: Vec<&Value> = objects.of_kind("NetworkPolicy").collect();
    let mut complaints: Complaints = policies.iter().flat_map(|policy| unjudged(policy)).collect();
    if !policies.iter().any(|policy| closes(policy)) {
        complaints.push("no policy closes what no other opens".to_owned());
    }
    let workloads = objects.workloads();
    let expected = expected(&workloads, system);
    // Each end by itself: if one of them fails, the other still holds.
    for end in [GOES, COMES] {
        let allowed = allowed(&policies, &workloads, end);
        let edge = |(from, to, port): &(String, String, u64)| format!("{from} → {to}:{port}");
        let open = allowed.difference(&expected);
        complaints.extend(open.map(|one| format!("{} is open ({}), and nobody has said so", edge(one), end.sort)));
        let closed = expected.difference(&allowed);
        complaints.extend(closed.map(|one| format!("{} is closed ({}), and it is needed", edge(one), end.sort)));
    }
    complaints.extend(workloads.iter().flat_map(|workload| beyond(workload, &policies)));
    complaints
}

/// From, to, and the port there.
type Edges = BTreeSet<(String, String, u64)>;

fn expected(workloads: &[Workload<'_>], system: &System) -> Edges {
    let there = |name: &str| workloads.iter().any(|workload| workload.name == name);
    let stand_in =
        |name: &str| system.stand_ins.iter().find(|(known, _)| known == name).map_or(0, |(_, port)| u64::from(*port));
    let mut edges = Edges::new();
    let mut add = |from: &str, to: &str, port: u64| {
        if there(from) && there(to) {
            edges.insert((from.to_owned(), to.to_owned(), port));
        }
    };
    for service in &system.services {
        let name = &service.name;
        for called in system.services.iter().filter(|called| service.calls.contains(&called.name)) {
            add(name, &called.name, called.internal.into());
        }
        add(name, "postgres", POSTGRES);
        add(name, "collector", stand_in("collector"));
        if let Some(public) = service.public {
            add(name, "redis", REDIS);
            add(EDGE, name, public.port.into());
        }
    }
    add("init", "postgres", POSTGRES);
    // The world, in a development system: it is called, and sends what has happened.
    add(OUT, "partner", stand_in("partner"));
    let hooks = system.services.iter().find(|service| service.name == OUT).and_then(|service| service.public);
    if let Some(public) = hooks {
        add("partner", OUT, public.port.into());
    }
    add("partner", "collector", stand_in("collector"));
    edges
}

/// One end of an edge: the sort of its policies, and where these say what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    sort: &'static str,
    rules: &'static str,
    peers: &'static str,
}

const GOES: End = End { sort: "Egress", rules: "/spec/egress", peers: "/to" };
const COMES: End = End { sort: "Ingress", rules: "/spec/ingress", peers: "/from" };

/// What that end allows. The edge takes from anywhere.
fn allowed(policies: &[&Value], workloads: &[Workload<'_>], end: End) -> Edges {
    let mut edges = Edges::new();
    for from in workloads {
        for to in workloads.iter().filter(|to| to.name != from.name && (end == GOES || to.name != EDGE)) {
            let (of, other) = if end == GOES { (from, to) } else { (to, from) };
            let open = to.ports().into_iter().filter(|port| opens(policies, of, end, other, *port));
            edges.extend(open.map(|(_, port)| (from.name.to_owned(), to.name.to_owned(), port)));
        }
    }
    edges
}

/// Whether one of the policies of `of` allows `other` at that port. Whom no policy of that sort selects is open (the API's own rule).
fn opens(policies: &[&Value], of: &Workload<'_>, end: End, other: &Workload<'_>, port: (&str, u64)) -> bool {
    let of_it = |policy: &&&Value| is_of(policy, end.sort) && selects(policy, "/spec/podSelector", of);
    let mut of_it = policies.iter().filter(of_it).peekable();
    if of_it.peek().is_none() {
        return true;
    }
    of_it.flat_map(|policy| list(policy, end.rules)).any(|rule| {
        let who = list(rule, end.peers);
        let whom = who.is_empty() || who.iter().any(|peer| is_peer(peer, other));
        let ports = list(rule, "/ports");
        whom && (ports.is_empty() || ports.iter().any(|one| is_port(one, port)))
    })
}

/// A pod of this namespace.
fn is_peer(peer: &Value, other: &Workload<'_>) -> bool {
    // A block of addresses may have this pod's in it, if it has private ones; `beyond` judges those.
    peer.get("podSelector").is_some() && peer.get("namespaceSelector").is_none() && selects(peer, "/podSelector", other)
}

fn is_port(rule: &Value, (name, port): (&str, u64)) -> bool {
    match rule.get("port") {
        None => true,
        Some(Value::String(named)) => named == name,
        Some(one) => one.as_u64() == Some(port),
    }
}

fn is_of(policy: &Value, sort: &str) -> bool {
    texts(policy, "/spec/policyTypes").contains(&sort)
}

fn selects(value: &Value, pointer: &str, workload: &Workload<'_>) -> bool {
    let labels = pairs(value, &format!("{pointer}/matchLabels"));
    let plain = labels.iter().all(|(key, value)| workload.labels.get(key) == Some(value));
    plain
        && list(value, &format!("{pointer}/matchExpressions")).iter().all(|expression| {
            let found = workload.labels.get(text(expression, "/key"));
            found.is_some_and(|found| texts(expression, "/values").contains(found))
        })
}

/// What this reader of policies would not understand.
fn unjudged(policy: &Value) -> Complaints {
    let name = text(policy, "/metadata/name");
    let mut complaints = Complaints::new();
    if texts(policy, "/spec/policyTypes").is_empty() {
        complaints.push(format!("the policy {name} does not say of which sort it is"));
    }
    for (rules, port) in ["/spec/ingress", "/spec/egress"]
        .into_iter()
        .flat_map(|rules| list(policy, rules))
        .flat_map(|rule| list(rule, "/ports").iter().map(move |port| (rule, port)))
    {
        // Names are asked for by both; everything else is TCP, which is what a rule without a word means.
        let number = port.pointer("/port").and_then(Value::as_u64);
        let by = port.get("protocol").and_then(Value::as_str);
        if port.get("endPort").is_some()
            || !(matches!(by, None | Some("TCP")) || number == Some(DNS) && by == Some("UDP"))
        {
            complaints.push(format!("the policy {name} opens ports in a way that nobody has judged: {rules}"));
        }
    }
    let mut selectors = vec![policy.pointer("/spec/podSelector")];
    for (rules, peers) in [("/spec/ingress", "/from"), ("/spec/egress", "/to")] {
        for peer in list(policy, rules).iter().flat_map(|rule| list(rule, peers)) {
            selectors.extend([peer.get("podSelector"), peer.get("namespaceSelector")]);
        }
    }
    for selector in selectors.into_iter().flatten() {
        let strange = keys(selector, "").any(|key| !["matchLabels", "matchExpressions"].contains(&key))
            || list(selector, "/matchExpressions").iter().any(|expression| text(expression, "/operator") != "In");
        if strange {
            complaints.push(format!("the policy {name} selects in a way that nobody has judged: {selector}"));
        }
    }
    complaints
}

/// Everybody, both ways, nothing.
fn closes(policy: &Value) -> bool {
    let nobody_in_particular =
        policy.pointer("/spec/podSelector").is_some_and(|selector| keys(selector, "").next().is_none());
    nobody_in_particular
        && ["Ingress", "Egress"].iter().all(|sort| is_of(policy, sort))
        && list(policy, "/spec/ingress").is_empty()
        && list(policy, "/spec/egress").is_empty()
}

/// What it reaches, and who reaches it, that is no pod of this namespace.
fn beyond(workload: &Workload<'_>, policies: &[&Value]) -> Complaints {
    let name = workload.name;
    let mut complaints = Complaints::new();
    for End { sort, rules, peers } in [GOES, COMES] {
        let of_it =
            policies.iter().filter(|policy| is_of(policy, sort) && selects(policy, "/spec/podSelector", workload));
        for rule in of_it.flat_map(|policy| list(policy, rules)) {
            let ports: Vec<u64> = list(rule, "/ports").iter().map(|port| number(port, "/port")).collect();
            let who = list(rule, peers);
            let good = match sort {
                "Egress" => who.iter().all(|peer| may_go(peer, workload, &ports)) && !who.is_empty(),
                // From anywhere.
                _ => {
                    name == EDGE
                        || (!who.is_empty() && who.iter().all(|peer| is_local(peer) || may_watch(peer, workload, rule)))
                }
            };
            if !good && sort == "Egress" {
                complaints.push(format!("{name} has a way out: {rule}"));
            } else if !good {
                complaints.push(format!("{name} takes what the world sends: {rule}"));
            }
        }
    }
    complaints
}

fn is_local(peer: &Value) -> bool {
    peer.get("podSelector").is_some() && peer.get("namespaceSelector").is_none() && peer.get("ipBlock").is_none()
}

/// One namespace by its name, in it Prometheus alone, and of a service its internal listener alone.
fn may_watch(peer: &Value, workload: &Workload<'_>, rule: &Value) -> bool {
    let namespace = pairs(peer, "/namespaceSelector/matchLabels");
    let ports = list(rule, "/ports");
    namespace.keys().eq(["kubernetes.io/metadata.name"].iter())
        && keys(peer, "/namespaceSelector").eq(["matchLabels"])
        && keys(peer, "/podSelector").eq(["matchLabels"])
        && pairs(peer, "/podSelector/matchLabels") == BTreeMap::from(PROMETHEUS)
        && peer.get("ipBlock").is_none()
        && workload.component() == "service"
        && !ports.is_empty()
        && ports.iter().all(|port| text(port, "/port") == "internal")
}

fn may_go(peer: &Value, workload: &Workload<'_>, ports: &[u64]) -> bool {
    let of_cluster = pairs(peer, "/namespaceSelector/matchLabels");
    if !of_cluster.is_empty() {
        let dns = BTreeMap::from([("kubernetes.io/metadata.name", "kube-system")]);
        let servers = BTreeMap::from([("k8s-app", "kube-dns")]);
        return of_cluster == dns
            && pairs(peer, "/podSelector/matchLabels") == servers
            && !ports.is_empty()
            && ports.iter().all(|port| *port == DNS);
    }
    let Some(block) = peer.get("ipBlock") else { return is_local(peer) };
    let (cidr, except) = (text(block, "/cidr"), texts(block, "/except"));
    if cidr.ends_with("/0") {
        let version = |network: &&&str| network.contains(':') == cidr.contains(':');
        return workload.name == OUT
            && ports == [443]
            && CLOSED.iter().filter(version).all(|closed| except.contains(closed));
    }
    let stored = ["service", "migration"].contains(&workload.labels.get(COMPONENT).copied().unwrap_or_default()); // Default: it is neither.
    stored && is_private(cidr) && !ports.is_empty() && ports.iter().all(|port| STORES.contains(port))
}

/// A part of a private network, no larger than a /16 (a /48).
fn is_private(cidr: &str) -> bool {
    let Some((address, bits)) = cidr.split_once('/') else { return false };
    let bits: u8 = bits.parse().unwrap_or_default(); // Default: the whole world, which is refused.
    match address.parse() {
        Ok(std::net::IpAddr::V4(address)) => address.is_private() && bits >= 16,
        Ok(std::net::IpAddr::V6(address)) => address.is_unique_local() && bits >= 48,
        Err(_) => false,
    }
}
