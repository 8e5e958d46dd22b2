//! `cargo xtask compose probe`: which ways out are open, asked from inside each container that runs.
//!
//! What is knocked at is a port of this machine, on the address that it has toward the world. A container with a route there has one to everywhere; only
//! those of the network `published` do not, for nobody gives what they send an address that could be answered: they reach this machine and no further.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::engine::{Engine, said};
use crate::say;

/// The service whose business is outside, and what stands for the world outside.
const OUT: [&str; 3] = ["broker", "partner", "collector"];
/// Those that take in what comes to this machine's ports.
const TAKES_IN: [&str; 2] = ["gate", "workbench"];

/// Knocks from all of them; an open way that should not be there is an error, and so is a closed one that proves nothing.
pub(crate) fn run(engine: &Engine) -> Result<()> {
    let address = outward().context("this machine has no address toward the world to knock at")?;
    let listener =
        TcpListener::bind((address.ip(), 0)).with_context(|| format!("cannot listen on {}", address.ip()))?;
    let door = listener.local_addr()?.to_string();
    let containers = engine.ask(&["ps", "--format", "json"])?;
    let containers: Vec<Value> = containers.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let word = |container: &Value, key: &str| {
        container
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("a container without {key}"))
    };
    let gate = containers.iter().find(|container| container.get("Service") == Some(&"gate".into()));
    let tools = word(gate.context("no system runs: `cargo xtask compose up` starts one")?, "Image")?;
    let (mut wrong, mut closed) = (Vec::new(), Vec::new());
    for container in &containers {
        let (name, id) = (word(container, "Service")?, word(container, "ID")?);
        let network = format!("--network=container:{id}");
        let line = ["run", "--rm", "--pull=never", &network, "--read-only", "--cap-drop=ALL", &tools, "reaches", &door];
        let outcome = said(std::process::Command::new("docker").args(line));
        match (expected(&name), outcome) {
            (Some(false), Ok(_)) => wrong.push(format!("{name} has a way out")),
            (Some(true), Err(cause)) if name == "broker" => wrong.push(format!("{name} has none ({cause})")),
            // That nothing could be asked is no answer.
            (Some(false), Err(cause)) if !is_an_answer(&cause) => bail!("{name} could not be asked: {cause}"),
            (Some(false), Err(_)) => closed.push(name),
            _ => (),
        }
    }
    ensure!(wrong.is_empty(), "ways out are not as they should be: {}", wrong.join(", "));
    ensure!(!closed.is_empty(), "no container without a way out was asked");
    closed.sort();
    say::line(&format!(
        "{} containers have no way out ({}); of the services only broker has one",
        closed.len(),
        closed.join(", ")
    ));
    Ok(())
}

/// Whether a container has a way out; none, where it reaches this machine and no further.
fn expected(name: &str) -> Option<bool> {
    if TAKES_IN.contains(&name) { None } else { Some(OUT.contains(&name)) }
}

/// What `sandbox reaches` says when nobody is there.
fn is_an_answer(cause: &str) -> bool {
    cause.contains("did not answer in time") || cause.contains("is not reached")
}

/// The address that this machine has toward the world; nothing is sent.
fn outward() -> Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // RFC 5737: an address that is nobody's.
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9))?;
    Ok(socket.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use system::system;
    use testkit::missing::may_be_missing;

    const WHAT: &str = "a system in containers";
    const WAIVED: &str = "REDOUBT_CONTAINERS_WAIVED";

    #[test]
    fn of_the_services_one_has_a_way_out() {
        let out: Vec<&str> = system()
            .unwrap()
            .services
            .iter()
            .map(|service| service.name.as_str())
            .filter(|name| expected(name) != Some(false))
            .collect();
        assert_eq!(out, ["broker"]);
        assert!(["postgres", "redis"].iter().all(|name| expected(name) == Some(false)));
    }

    #[test]
    fn a_probe_that_did_not_run_is_no_closed_way() {
        assert!(is_an_answer("sandbox: 192.0.2.2:18999 did not answer in time: deadline has elapsed"));
        assert!(is_an_answer("sandbox: 192.0.2.2:1 is not reached: Network is unreachable (os error 101)"));
        assert!(!is_an_answer("docker: Error response from daemon: No such container: abc."));
    }

    /// Where a system runs in containers; elsewhere it says loudly that it has asked nobody.
    #[test]
    fn the_running_containers_have_no_way_out_but_the_brokers() {
        let engine = Engine { project: "redoubt".to_owned(), offline: false, environment: Vec::new() };
        let there = Engine::check().and_then(|()| engine.is_running());
        match there {
            Ok(true) => run(&engine).unwrap(),
            Ok(false) => may_be_missing(WHAT, WAIVED, "none runs: `cargo xtask compose up` starts one"),
            Err(why) => may_be_missing(WHAT, WAIVED, &why.to_string()),
        }
    }
}
