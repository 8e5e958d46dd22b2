//! `infra/system.toml` as Rust: the one table of what runs, where, with which roles, and who calls whom; and what all of it tells of itself ([`telemetry`]).
//!
//! Whoever reads it gets all of it or an error that names the entry; there is no default for a name that is not in it.

pub mod telemetry;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use toml::{Table, Value};

const TEXT: &str = include_str!("../../system.toml");

#[derive(Debug)]
pub struct System {
    /// In the order in which they are named to people.
    pub services: Vec<Service>,
    /// Name and development port of each program beside the services: what stands for the world outside, and the console.
    pub stand_ins: Vec<(String, u16)>,
    /// Names of public development certificates, services first.
    pub public_certificates: Vec<String>,
    /// Names of workloads inside, services first.
    pub workloads: Vec<String>,
    /// Every crate, and the crates of the workspace that its own code may use.
    pub crates: BTreeMap<String, Vec<String>>,
}

/// A service: a crate and program of its name, with an internal listener and a database.
#[derive(Debug)]
pub struct Service {
    pub name: String,
    /// How the world reaches it; none where only the house does.
    pub public: Option<Public>,
    /// Development port of the internal listener.
    pub internal: u16,
    /// Its database roles.
    pub roles: Vec<String>,
    /// The services whose internal listeners it calls.
    pub calls: Vec<String>,
}

/// A public listener, and what may stand before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Public {
    /// Its development port.
    pub port: u16,
    /// Development port of the edge before it.
    pub edge: u16,
}

/// What is wrong with the table, or with a question to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemError {
    /// The file is no TOML.
    #[error("infra/system.toml: {0}")]
    Syntax(String),
    /// An entry is missing, or not what it should be.
    #[error("infra/system.toml: `{0}` is not {1}")]
    Entry(String, &'static str),
    /// There is no such service.
    #[error("infra/system.toml has no service `{0}`")]
    Service(String),
}

/// The system of this workspace.
///
/// # Errors
///
/// [`SystemError`], of which a test is the first to hear.
pub fn system() -> Result<&'static System, SystemError> {
    static SYSTEM: OnceLock<Result<System, SystemError>> = OnceLock::new();
    SYSTEM.get_or_init(|| System::read(TEXT)).as_ref().map_err(Clone::clone)
}

impl System {
    fn read(text: &str) -> Result<Self, SystemError> {
        let file: Table = text.parse().map_err(|error: toml::de::Error| SystemError::Syntax(error.to_string()))?;
        let file = Section::of("", &file, &["services", "stand_ins", "certificates", "crates"])?;
        let mut services = Vec::new();
        for (name, entry) in file.section("services")?.entries() {
            services.push(Service::read(name, entry)?);
        }
        let names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
        let strange = |service: &&Service| service.calls.iter().any(|other| !names.contains(other));
        if let Some(service) = services.iter().find(strange) {
            return Err(SystemError::Entry(format!("services.{}.calls", service.name), "a list of services"));
        }
        let stand_ins = file.section("stand_ins")?;
        let stand_ins = stand_ins.entries().map(|(name, _)| Ok((name.clone(), stand_ins.port(name)?)));
        let certificates = file.table("certificates", &["public", "internal"])?;
        let public = services.iter().filter(|service| service.public.is_some()).map(|service| service.name.clone());
        Ok(Self {
            stand_ins: stand_ins.collect::<Result<_, SystemError>>()?,
            public_certificates: public.chain(certificates.names("public")?).collect(),
            workloads: [names.clone(), certificates.names("internal")?].concat(),
            crates: crates(&file.section("crates")?, &names)?,
            services,
        })
    }

    /// The service of that name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn service(&self, name: &str) -> Result<&Service, SystemError> {
        self.services.iter().find(|service| service.name == name).ok_or_else(|| SystemError::Service(name.to_owned()))
    }

    /// Name and development port of every listener: `NAME` for the public one of a service, `NAME-internal` for the other,
    /// `NAME-edge` for the edge before the public one, and the stand-ins. Who has no public listener has one of these three.
    pub fn listeners(&self) -> Vec<(String, u16)> {
        let of_services = self.services.iter().flat_map(|service| {
            let name = |side: &str| format!("{}-{side}", service.name);
            let public =
                service.public.map(|public| [(service.name.clone(), public.port), (name("edge"), public.edge)]);
            public.into_iter().flatten().chain([(name("internal"), service.internal)])
        });
        of_services.chain(self.stand_ins.iter().cloned()).collect()
    }
}

impl Service {
    fn read(name: &str, entry: &Value) -> Result<Self, SystemError> {
        let section =
            Section::of_value(&format!("services.{name}"), entry, &["public", "internal", "edge", "roles", "calls"])?;
        Ok(Self {
            name: name.to_owned(),
            public: section.has(&["public", "edge"]).then(|| section.public()).transpose()?,
            internal: section.port("internal")?,
            roles: section.names("roles")?,
            calls: section.names("calls")?,
        })
    }
}

/// The table of crates, with an entry for each service.
fn crates(section: &Section<'_>, services: &[String]) -> Result<BTreeMap<String, Vec<String>>, SystemError> {
    let mut crates = BTreeMap::new();
    for (name, _) in section.entries() {
        crates.insert(name.clone(), section.names(name)?);
    }
    let of_services =
        crates.remove("services").ok_or_else(|| SystemError::Entry("crates.services".to_owned(), "there"))?;
    crates.extend(services.iter().map(|service| (service.clone(), of_services.clone())));
    Ok(crates)
}

/// A table of the file, and where it stands.
struct Section<'a> {
    path: String,
    table: &'a Table,
}

impl<'a> Section<'a> {
    /// A table with these entries and no other; with any, if none is named.
    fn of(path: &str, table: &'a Table, known: &[&str]) -> Result<Self, SystemError> {
        let section = Self { path: path.to_owned(), table };
        let unknown = table.keys().find(|name| !known.is_empty() && !known.contains(&name.as_str()));
        match unknown {
            Some(name) => Err(SystemError::Entry(section.place(name), "known")),
            None => Ok(section),
        }
    }

    fn of_value(path: &str, value: &'a Value, known: &[&str]) -> Result<Self, SystemError> {
        let table = value.as_table().ok_or_else(|| SystemError::Entry(path.to_owned(), "a table"))?;
        Self::of(path, table, known)
    }

    fn table(&self, name: &str, known: &[&str]) -> Result<Section<'a>, SystemError> {
        let value = self.table.get(name).ok_or_else(|| SystemError::Entry(self.place(name), "there"))?;
        Self::of_value(&self.place(name), value, known)
    }

    /// A table whose entries are names of our own.
    fn section(&self, name: &str) -> Result<Section<'a>, SystemError> {
        self.table(name, &[])
    }

    fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.table.iter()
    }

    fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Whether one of these entries is there.
    fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.table.contains_key(*name))
    }

    /// Both ports, or neither.
    fn public(&self) -> Result<Public, SystemError> {
        Ok(Public { port: self.port("public")?, edge: self.port("edge")? })
    }

    fn port(&self, name: &str) -> Result<u16, SystemError> {
        let number = self.table.get(name).and_then(Value::as_integer).and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| SystemError::Entry(self.place(name), "a port"))
    }

    fn names(&self, name: &str) -> Result<Vec<String>, SystemError> {
        let names = self.table.get(name).and_then(Value::as_array);
        let names = names.and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        names.ok_or_else(|| SystemError::Entry(self.place(name), "a list of names"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_whole_and_no_two_listeners_share_a_port() {
        let system = system().unwrap();
        assert_eq!(system.service("ledger").unwrap().calls, ["auth", "attestation", "broker", "behavior"]);
        assert_eq!(system.crates["ledger"], system.crates["auth"]);
        let mut ports: Vec<u16> = system.listeners().into_iter().map(|(_, port)| port).collect();
        let count = ports.len();
        ports.sort_unstable();
        ports.dedup();
        let public = system.services.iter().filter(|service| service.public.is_some()).count();
        assert_eq!((ports.len(), count), (count, public * 2 + system.services.len() + system.stand_ins.len()));
    }

    /// Nobody outside can be shown a certificate of who is not there, and inside it is as everybody.
    #[test]
    fn who_has_no_public_listener_has_no_public_certificate_and_no_edge() {
        let system = system().unwrap();
        assert_eq!(system.service("behavior").unwrap().public, None);
        let listeners: Vec<String> = system.listeners().into_iter().map(|(name, _)| name).collect();
        let own: Vec<&String> = listeners.iter().filter(|name| name.starts_with("behavior")).collect();
        assert_eq!(own, ["behavior-internal"]);
        assert!(!system.public_certificates.contains(&"behavior".to_owned()));
        assert!(system.workloads.contains(&"behavior".to_owned()));
    }

    /// As in the file.
    #[test]
    fn services_keep_their_order() {
        let names: Vec<&str> = system().unwrap().services.iter().map(|service| service.name.as_str()).collect();
        let heads = TEXT.lines().filter_map(|line| line.strip_prefix("[services.")?.strip_suffix(']'));
        assert_eq!(names, heads.collect::<Vec<_>>());
        assert!(names.len() > 1 && !names.is_sorted(), "another order would not be seen: {names:?}");
    }

    #[test]
    fn whatever_is_missing_or_odd_is_named() {
        for (from, to, complaint) in [
            ("public = 7001\n", "", "`services.auth.public` is not a port"),
            ("edge = 7201\n", "", "`services.auth.edge` is not a port"),
            ("public = 7001", "public = 70010", "`services.auth.public` is not a port"),
            ("public = 7001", "public = 7001\nadmin = 1", "`services.auth.admin` is not known"),
            (
                "roles = [\"migrator\", \"app\", \"poster\"]",
                "roles = 1",
                "`services.ledger.roles` is not a list of names",
            ),
            ("calls = [\"ledger\"]", "calls = [\"weather\"]", "`services.broker.calls` is not a list of services"),
            ("[certificates]", "[certificate]", "`certificate` is not known"),
            ("partner = 7010", "partner = \"7010\"", "`stand_ins.partner` is not a port"),
            (
                "internal = [\"operator\", \"analyst\", \"partner\", \"watcher\"]",
                "",
                "`certificates.internal` is not a list of names",
            ),
            ("services = [\"money\"", "service = [\"money\"", "`crates.services` is not there"),
            ("[stand_ins]", "[stand_ins", "TOML parse error"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = System::read(&TEXT.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{from} → {to}: {error}");
        }
        let error = system().unwrap().service("weather").unwrap_err();
        assert_eq!(error.to_string(), "infra/system.toml has no service `weather`");
    }
}
