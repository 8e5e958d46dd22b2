//! The configuration files of a development system: `services/NAME/dev.toml`, `services/dev.toml` and, where the world reaches the service,
//! `services/dev.public.toml` (and `services/dev.store.toml`, where there is a shared store), filled in for one run.
//!
//! They are in the words of each service's `config.rs`; `{service} config --config FILE` reads them back. What a template may ask for is
//! fixed here, and what it asks for wrongly is an error that names it.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use system::{Service, system};

use super::ports::Ports;
use crate::place;

pub(crate) struct Layout<'a> {
    /// What `sandbox pki` made.
    pub(crate) pki: &'a Path,
    /// What `sandbox provision` made.
    pub(crate) databases: &'a Path,
    pub(crate) ports: &'a Ports,
    /// Threads that answer requests, for each service.
    pub(crate) workers: usize,
    /// Whether the edge stands before the public listeners: then the world knows them by its ports, and they believe what it says.
    pub(crate) edge: bool,
    /// Where the programs are.
    pub(crate) home: Home,
    /// Whether figures are made. Who pays as fast as it goes looks like nobody who pays, so what the analytics think of it does not count; and traces
    /// are sent as where many are made, one in a hundred.
    pub(crate) measures: bool,
}

/// Where the programs of a system are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// All on this machine, as children of ours: they listen on loopback and end with us.
    Machine,
    /// Each in a container of its own, where it listens on every address and the others know it by its name; beside them a shared store.
    Containers,
}

/// Every network that Docker takes addresses from for its own (RFC 1918): which of them the partner gets is not known before it has it.
const CONTAINERS: &str = r#"["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]"#;

/// The file's text for one service.
pub(crate) fn file(service: &str, layout: &Layout<'_>) -> Result<String> {
    let service = system()?.service(service)?;
    let services = place::root().join("services");
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    let own = read(&services.join(&service.name).join("dev.toml"))?;
    let common = read(&services.join("dev.toml"))?;
    let public = service.public.map(|_| read(&services.join("dev.public.toml"))).transpose()?;
    let public = public.map(|public| layout.fill(service, &public).context("services/dev.public.toml")).transpose()?;
    let store =
        service.public.filter(|_| layout.home == Home::Containers).map(|_| read(&services.join("dev.store.toml")));
    let store =
        store.transpose()?.map(|store| layout.fill(service, &store).context("services/dev.store.toml")).transpose()?;
    let (workers, with_parent) = (layout.workers, layout.home == Home::Machine);
    let parts = [
        Some(format!("# Made by `cargo xtask` for one run.\nexit_with_parent = {with_parent}\nworkers = {workers}\n")),
        Some(layout.fill(service, &own).with_context(|| format!("services/{}/dev.toml", service.name))?),
        Some(layout.fill(service, &common).context("services/dev.toml")?),
        public,
        store,
    ];
    Ok(parts.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

impl Layout<'_> {
    /// The template with a value for each `${…}`; comments are left as they are.
    fn fill(&self, service: &Service, template: &str) -> Result<String> {
        let mut text = String::new();
        for line in template.lines() {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("${").filter(|_| !line.starts_with('#')) {
                let (name, after) = after.split_once('}').with_context(|| format!("`{line}` has no end"))?;
                text.push_str(before);
                text.push_str(&self.value(service, name)?);
                rest = after;
            }
            text.push_str(rest);
            text.push('\n');
        }
        Ok(text)
    }

    fn value(&self, service: &Service, name: &str) -> Result<String> {
        match name.split_once('.') {
            None if name == "service" => Ok(service.name.clone()),
            None if name == "root" => Ok(place::root().display().to_string()),
            None if name == "pki" => Ok(self.pki.display().to_string()),
            None if name == "databases" => Ok(self.databases.display().to_string()),
            Some(("port", "public")) => Ok(self.ports.of(&service.name)?.to_string()),
            Some(("port", "internal")) => Ok(self.ports.of(&format!("{}-internal", service.name))?.to_string()),
            Some(("port", listener)) => Ok(self.ports.of(listener)?.to_string()),
            None if name == "wary" => Ok((!self.measures).to_string()),
            None if name == "small_payments" => Ok(if self.measures { u32::MAX } else { 20 }.to_string()),
            None if name == "one_trace_in" => Ok(if self.measures { 100 } else { 1 }.to_string()),
            None if name == "listen" => Ok(self.of_home("127.0.0.1", "0.0.0.0").to_owned()),
            None if name == "hosts" => {
                Ok(self.of_home("[]", &format!("[{:?}, \"localhost\"]", service.name)).to_owned())
            }
            None if name == "partner_networks" => {
                Ok(self.of_home(r#"["127.0.0.0/8", "::1/128"]"#, CONTAINERS).to_owned())
            }
            Some(("host", "service")) => Ok(self.host(&service.name)?.to_owned()),
            Some(("host", program)) => Ok(self.host(program)?.to_owned()),
            None if name == "trusted_proxies" => Ok(self.trusted()),
            Some(("url", "public")) => self.url(service, &service.name),
            Some(("url", listener)) => self.url(service, listener),
            Some(("jwk", key)) => self.jwk(key),
            Some(("app", word)) => self.app(word),
            _ => bail!("there is no value `{name}`"),
        }
    }

    fn url(&self, service: &Service, listener: &str) -> Result<String> {
        if let Some(called) = listener.strip_suffix("-internal") {
            ensure!(
                service.calls.iter().any(|known| known == called),
                "{} does not call {called}, by infra/system.toml",
                service.name
            );
        }
        // A public one has the URL that the world knows, which is not where it listens.
        let inside = listener.strip_suffix("-internal").or((listener == "partner").then_some(listener));
        match (inside, self.home) {
            (Some(program), Home::Containers) => Ok(format!("https://{program}:{}", self.ports.of(listener)?)),
            _ => Ok(format!("https://localhost:{}", self.ports.public(listener, self.edge)?)),
        }
    }

    fn of_home<'a>(&self, machine: &'a str, containers: &'a str) -> &'a str {
        match self.home {
            Home::Machine => machine,
            Home::Containers => containers,
        }
    }

    /// Under which the others reach a program.
    fn host<'a>(&self, program: &'a str) -> Result<&'a str> {
        let known = system()?.listeners().iter().any(|(name, _)| name.trim_end_matches("-internal") == program);
        ensure!(known, "there is no program `{program}`");
        Ok(self.of_home("localhost", program))
    }

    /// Nobody, or the edge alone: it has an address of its own.
    fn trusted(&self) -> String {
        if self.edge { format!("[\"{}/32\"]", ladder::edge::SOURCE) } else { "[]".to_owned() }
    }

    /// What the emulated phones' makers say of the app: nobody writes it down twice.
    fn app(&self, word: &str) -> Result<String> {
        let file = self.pki.join("app.json");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let app: serde_json::Value = serde_json::from_str(&text)?;
        Ok(app
            .get(word)
            .and_then(serde_json::Value::as_str)
            .with_context(|| format!("the app has no {word}"))?
            .to_owned())
    }

    fn jwk(&self, name: &str) -> Result<String> {
        let file = self.pki.join("secrets").join(format!("{name}.jwk"));
        let jwk = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        public_part(&jwk).with_context(|| format!("the key of {name} cannot be read"))
    }
}

/// A key's public members as an inline table of TOML.
fn public_part(jwk: &str) -> Option<String> {
    let jwk: serde_json::Value = serde_json::from_str(jwk).ok()?;
    let member = |name: &str| Some(format!("{name} = {}", jwk.get(name)?));
    let members: Vec<String> =
        ["kty", "crv", "x", "y", "kid", "alg", "use"].iter().filter_map(|name| member(name)).collect();
    Some(format!("{{ {} }}", members.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_private_key_never_enters_the_configuration() {
        let text = public_part(r#"{"kty":"EC","crv":"P-256","x":"eA","y":"eQ","d":"c2VjcmV0","kid":"1"}"#).unwrap();
        assert_eq!(text, r#"{ kty = "EC", crv = "P-256", x = "eA", y = "eQ", kid = "1" }"#);
    }

    #[test]
    fn a_service_that_is_not_known_gets_nobody_elses_configuration() {
        let ports = Ports::free().unwrap();
        let layout = Layout {
            pki: Path::new("/pki"),
            databases: Path::new("/db"),
            ports: &ports,
            workers: 1,
            edge: false,
            home: Home::Machine,
            measures: false,
        };
        assert!(file("weather", &layout).is_err());
    }

    #[test]
    fn what_a_template_asks_for_wrongly_is_named() {
        let ports = Ports::free().unwrap();
        let layout = Layout {
            pki: Path::new("/pki"),
            databases: Path::new("/db"),
            ports: &ports,
            workers: 1,
            edge: false,
            home: Home::Machine,
            measures: false,
        };
        let auth = system().unwrap().service("auth").unwrap();
        for (template, complaint) in [
            ("a = \"${password}\"", "there is no value `password`"),
            ("a = \"${env.HOME}\"", "there is no value `env.HOME`"),
            ("a = \"${port.behavior}\"", "no listener `behavior`"),
            ("a = \"${port.weather}\"", "no listener `weather`"),
            ("a = \"${host.weather}\"", "no program `weather`"),
            ("a = \"${url.auth-internal}\"", "auth does not call auth"),
            ("a = \"${jwk.nobody}\"", "nobody.jwk"),
            ("a = \"${app.package}\"", "/pki/app.json"),
            ("a = \"${pki\"", "has no end"),
        ] {
            let error = format!("{:#}", layout.fill(auth, template).unwrap_err());
            assert!(error.contains(complaint), "{template}: {error}");
        }
        assert_eq!(layout.fill(auth, "# ${any}\na = \"${pki}/${service}\"").unwrap(), "# ${any}\na = \"/pki/auth\"\n");
    }

    #[test]
    fn top_level_keys_stand_before_the_first_section() {
        let ports = Ports::free().unwrap();
        let pki = std::env::temp_dir().join(format!("redoubt-configuration-{}", std::process::id()));
        std::fs::create_dir_all(pki.join("secrets")).unwrap();
        std::fs::write(pki.join("secrets/partner-web.jwk"), r#"{"kty":"EC"}"#).unwrap();
        let app = r#"{"package":"p","signer_digest":"00","team":"t","bundle":"b"}"#;
        std::fs::write(pki.join("app.json"), app).unwrap();
        let layout = Layout {
            pki: &pki,
            databases: Path::new("/db"),
            ports: &ports,
            workers: 1,
            edge: false,
            home: Home::Machine,
            measures: false,
        };
        for service in &system().unwrap().services {
            let text = file(&service.name, &layout).unwrap();
            let first_section = text.find("\n[").unwrap();
            let last_plain = text.find("workers = 1").unwrap();
            assert!(last_plain < first_section, "{text}");
            assert!(!text.contains("migrator"), "a service that serves would know the owner's URL: {text}");
            assert_eq!(text.contains("\n[public]\n"), service.public.is_some(), "{text}");
            assert!(!text.contains(":0/") && !text.contains(":0\""), "a port is missing: {text}");
        }
        std::fs::remove_dir_all(&pki).unwrap();
    }
}
