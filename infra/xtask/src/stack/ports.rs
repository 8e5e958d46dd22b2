//! Which port each listener gets.
//!
//! `up` has the fixed ones of `infra/system.toml`. `demo` takes free ones below the range that the kernel gives to outgoing connections, and
//! holds them until their program starts, so that two demonstrations at once do not take each other's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};
use system::system;

/// Linux gives outgoing connections ports from 32768 on, macOS from 49152 on.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// How often this process has looked for free ones.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Ports by listener, held until they are used.
#[derive(Debug)]
pub(crate) struct Ports {
    own: BTreeMap<String, u16>,
    held: BTreeMap<String, TcpListener>,
    /// By which the world reaches a listener, where that is another one than its own.
    published: BTreeMap<String, u16>,
    /// By which the programs of the system reach it, where that is yet another.
    inside: BTreeMap<String, u16>,
}

impl Ports {
    /// The fixed ones; an occupied one is named.
    pub(crate) fn fixed() -> Result<Self> {
        let mut taken = Self::none();
        for (name, port) in system()?.listeners() {
            match bind(port) {
                Ok(listener) => taken.hold(&name, port, listener),
                Err(e) => bail!(
                    "port {port} ({name}) is taken ({e}): another `cargo xtask up` may be running; `lsof -i :{port}` or \
                     `ss -ltnp 'sport = :{port}'` names the program. End it, then run this again"
                ),
            }
        }
        Ok(taken)
    }

    /// Free ones.
    pub(crate) fn free() -> Result<Self> {
        let mut taken = Self::none();
        // Two runs that start at once look at different places first, also two of one process: between letting go of a port and the program that takes it
        // there is a moment in which nobody holds it.
        let nth = RUNS.fetch_add(1, Ordering::Relaxed).wrapping_mul(1_009);
        let first = std::process::id().wrapping_mul(97).wrapping_add(nth);
        let offset = u16::try_from(first % u32::from(RANGE.end - RANGE.start))?;
        let mut candidates = (RANGE.start + offset..RANGE.end).chain(RANGE.start..RANGE.start + offset);
        for (name, _) in system()?.listeners() {
            let Some((port, listener)) = candidates.by_ref().find_map(|port| Some((port, bind(port).ok()?))) else {
                bail!("there is no free port between {} and {}", RANGE.start, RANGE.end);
            };
            taken.hold(&name, port, listener);
        }
        Ok(taken)
    }

    fn none() -> Self {
        Self { own: BTreeMap::new(), held: BTreeMap::new(), published: BTreeMap::new(), inside: BTreeMap::new() }
    }

    /// Those of containers: inside each has the fixed ones, and the world reaches it by `published`.
    pub(crate) fn in_containers(published: BTreeMap<String, u16>) -> Result<Self> {
        Ok(Self { own: system()?.listeners().into_iter().collect(), published, ..Self::none() })
    }

    /// Those by which containers are reached from this machine.
    pub(crate) fn of_published(published: BTreeMap<String, u16>) -> Result<Self> {
        Ok(Self { own: published, inside: system()?.listeners().into_iter().collect(), ..Self::none() })
    }

    fn hold(&mut self, name: &str, port: u16, listener: TcpListener) {
        self.own.insert(name.to_owned(), port);
        self.held.insert(name.to_owned(), listener);
    }

    /// The port of a listener.
    pub(crate) fn of(&self, name: &str) -> Result<u16> {
        self.own.get(name).copied().with_context(|| format!("there is no listener `{name}`"))
    }

    /// The port by which the world reaches a listener: the edge's, where one stands before it.
    pub(crate) fn public(&self, name: &str, edge: bool) -> Result<u16> {
        if let Some(port) = self.published.get(name) {
            return Ok(*port);
        }
        let before = self.own.get(&format!("{name}-edge")).filter(|_| edge);
        before.map_or_else(|| self.of(name), |port| Ok(*port))
    }

    /// The port by which the programs of the system reach a listener.
    pub(crate) fn inside(&self, name: &str) -> Result<u16> {
        self.inside.get(name).map_or_else(|| self.of(name), |port| Ok(*port))
    }

    /// The URL by which the world reaches a listener.
    pub(crate) fn url(&self, name: &str, edge: bool) -> Result<String> {
        Ok(format!("https://localhost:{}", self.public(name, edge)?))
    }

    /// Lets go of a listener's port: its program starts now.
    pub(crate) fn release(&mut self, program: &str) {
        self.held.retain(|name, _| {
            let parts = name.rsplit_once('-').unwrap_or((name, ""));
            name != program && parts != (program, "internal") && !(program == "edge" && parts.1 == "edge")
        });
    }
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_systems_share_no_port() {
        let (one, two) = (Ports::free().unwrap(), Ports::free().unwrap());
        for (name, _) in system().unwrap().listeners() {
            assert!(two.own.values().all(|port| *port != one.of(&name).unwrap()), "{name}");
        }
    }

    /// Its program has not begun yet, and somebody else looks for ports.
    #[test]
    fn what_one_has_let_go_of_the_next_one_does_not_take() {
        let mut one = Ports::free().unwrap();
        for service in &system().unwrap().services {
            one.release(&service.name);
        }
        let two = Ports::free().unwrap();
        assert!(two.own.values().all(|port| !one.own.values().any(|other| other == port)));
    }

    #[test]
    fn a_released_port_can_be_bound() {
        let mut ports = Ports::free().unwrap();
        let (public, internal) = (ports.of("auth").unwrap(), ports.of("auth-internal").unwrap());
        assert!(bind(public).is_err());
        ports.release("auth");
        assert!(bind(public).is_ok() && bind(internal).is_ok());
        assert!(bind(ports.of("ledger").unwrap()).is_err());
    }

    #[test]
    fn an_occupied_port_is_named_with_the_way_to_find_who_has_it() {
        // If it is taken already, by a system that runs here, that is as good.
        let _held = bind(7003);
        let text = Ports::fixed().unwrap_err().to_string();
        assert!(text.contains("is taken") && text.contains("lsof"), "{text}");
    }
}
