//! Who calls whom inside, as network policies: made of `infra/system.toml`, one for each end of each edge.

use system::System;

use super::policies::EDGE;

pub(super) const FILE: &str = "infra/k8s/components/network-policies/edges.yaml";

/// The text of [`FILE`].
pub(super) fn text(system: &System) -> String {
    let text = String::from(
        "# Made by `cargo xtask check --fix` from infra/system.toml: who calls whose internal listener, each edge at both of its ends. The check fails when it is not\n\
         # what the table says.\n",
    );
    let mut edges: Vec<(&str, &str, u16)> = Vec::new();
    for caller in &system.services {
        let called = system.services.iter().filter(|service| caller.calls.contains(&service.name));
        edges.extend(called.map(|called| (caller.name.as_str(), called.name.as_str(), called.internal)));
    }
    // What reaches the public listeners comes through the edge, and from nowhere else.
    edges
        .extend(system.services.iter().filter_map(|service| Some((EDGE, service.name.as_str(), service.public?.port))));
    let ends = edges.into_iter().flat_map(|(caller, called, port)| {
        [
            policy(&format!("{caller}-calls-{called}"), caller, ("Egress", "to"), called, port),
            policy(&format!("{called}-is-called-by-{caller}"), called, ("Ingress", "from"), caller, port),
        ]
    });
    text + &ends.collect::<Vec<_>>().join("---\n")
}

fn policy(name: &str, of: &str, (sort, word): (&str, &str), other: &str, port: u16) -> String {
    let direction = sort.to_lowercase();
    format!(
        "apiVersion: networking.k8s.io/v1\n\
         kind: NetworkPolicy\n\
         metadata: {{ name: {name} }}\n\
         spec:\n\
         \x20 podSelector: {{ matchLabels: {{ app.kubernetes.io/name: {of} }} }}\n\
         \x20 policyTypes: [{sort}]\n\
         \x20 {direction}:\n\
         \x20   - {word}: [{{ podSelector: {{ matchLabels: {{ app.kubernetes.io/name: {other} }} }} }}]\n\
         \x20     ports: [{{ protocol: TCP, port: {port} }}]\n"
    )
}
