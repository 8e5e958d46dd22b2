//! What the one-shot containers of `infra/compose/compose.yaml` do: `keys` makes what must be there before PostgreSQL starts, `init` the rest. `edge` writes what
//! the edge's image is made of.
//!
//! Both work as `cargo xtask up` does, by the same programs and code. What must hold: a service's volume has the files that its configuration names and
//! no other; what was made once stays as long as its volumes do, and a system whose keys were made anew says so instead of starting half.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ladder::edge::{Behind, Site};
use system::{Public, Service, system};

use crate::compile::Programs;
use crate::process::{Run, Task};
use crate::stack::config::{Home, Layout};
use crate::stack::{Ports, Preparation};

/// Where the programs stand in the image of the tools.
const PROGRAMS: &str = "/usr/local/bin";
/// Where every container has its files. In the two of this module it holds all of them.
const FILES: &str = "/run/redoubt";
/// Here stand, in the two of this module, the volumes of the others, each under its container's name.
const VOLUMES: &str = "/volumes";
/// Says of which keys the databases were filled.
const FILLED: &str = "filled";

/// The volumes of PostgreSQL and Redis, and everybody's keys.
pub(super) fn keys() -> Result<()> {
    let mut run = Run::of("keys")?;
    let (pki, databases) = (files().join("pki"), files().join("databases"));
    let arguments = ["pki", "--out", &pki.display().to_string()].map(str::to_owned);
    run.task("pki", programs()?.path("sandbox")?, &arguments, &Task { logged: true, ..Task::default() })?;
    let password = random_once(&files().join("superuser-password"))?;
    let postgres = Volume::of("postgres");
    postgres.write("password", &password)?;
    postgres.copy(&pki.join("internal/postgres.crt"), "postgres.crt")?;
    postgres.copy(&pki.join("internal/postgres.key"), "postgres.key")?;
    let redis = Volume::of("redis");
    redis.copy(&pki.join("internal/redis.crt"), "redis.crt")?;
    redis.copy(&pki.join("internal/redis.key"), "redis.key")?;
    redis.copy(&pki.join("internal-ca.pem"), "internal-ca.pem")?;
    let mut users = "user default off\n".to_owned();
    for service in reached()? {
        let folder = databases.join(&service.name);
        let password = random_once(&folder.join("store-password"))?;
        random_once(&folder.join("store-names"))?;
        write(&folder.join("store.url"), &format!("redis://{}:{password}@redis:6379/0", service.name))?;
        // Each its own keys: one that is taken over cannot forget what another has used.
        let user =
            format!("user {0} on >{password} resetkeys ~redoubt:{{{0}}}:* resetchannels +@all -@admin\n", service.name);
        users.push_str(&user);
    }
    redis.write("users.acl", &users)?;
    partner(&pki)
}

/// What the sandbox partner needs, and no key of anybody else's.
fn partner(pki: &Path) -> Result<()> {
    let volume = Volume::of("partner");
    for file in [
        "public-ca.pem",
        "public/partner.crt",
        "public/partner.key",
        "secrets/partner-bearer",
        "secrets/partner-webhook-secret",
    ] {
        volume.copy(&pki.join(file), &format!("pki/{file}"))?;
    }
    Ok(())
}

/// Roles, databases, migrations, sealed secrets, and each service's volume.
pub(super) fn init() -> Result<()> {
    let mut run = Run::of("init")?;
    let (pki, databases, programs) = (files().join("pki"), files().join("databases"), programs()?);
    let ports = Ports::in_containers(published(|name| std::env::var(name).ok())?)?;
    let layout = Layout {
        pki: &pki,
        databases: &databases,
        ports: &ports,
        workers: 1,
        edge: false,
        home: Home::Containers,
        measures: false,
    };
    let configs = run.directory().to_owned();
    let preparation = Preparation { programs: &programs, layout, configs: &configs };
    let keys = fs::read_to_string(pki.join("made-of.json")).context("what `keys` has made")?;
    let marker = files().join(FILLED);
    let filled = if marker.exists() { Some(fs::read_to_string(&marker)?) } else { None };
    match &filled {
        Some(of) if *of != keys => bail!(
            "the keys were made anew (they end, or the system has other parts), and what is stored was sealed with the old ones: \
             `cargo xtask compose down --volumes`, then up again"
        ),
        Some(_) => preparation.configure()?,
        None => {
            let password = fs::read_to_string(files().join("superuser-password"))?;
            let ca = pki.join("internal-ca.pem");
            let url = format!(
                "postgres://postgres:{password}@postgres:5432/postgres?sslmode=verify-full&sslrootcert={}",
                ca.display()
            );
            preparation.provision(&mut run, &url)?;
            preparation.configure()?;
        }
    }
    preparation.migrate(&mut run)?;
    if filled.is_none() {
        preparation.seal(&mut run)?;
        write(&marker, &keys)?;
    }
    for service in &system()?.services {
        let text = fs::read_to_string(preparation.config(&service.name))?;
        let volume = Volume::of(&service.name);
        for path in named(&text) {
            volume.copy(&path, &path.strip_prefix(files())?.display().to_string())?;
        }
        volume.write("service.toml", &text)?;
    }
    Ok(())
}

/// Where [`edge`] writes while an image is made.
pub(super) const EDGE: &str = "/tmp/edge";

/// The files of the edge's image (`infra/docker/Dockerfile`): before each public listener of `infra/system.toml`, at the port that it has there.
pub(super) fn edge(folder: &Path) -> Result<()> {
    let behind = |service: &Service| {
        let Public { port, edge: listen } = service.public?;
        Some(Behind { name: service.name.clone(), listen, port })
    };
    let site = Site {
        certificate: Path::new("/run/redoubt/public/tls.crt"),
        key: Path::new("/run/redoubt/public/tls.key"),
        authority: Path::new("/run/redoubt/authority/ca.crt"),
        // Each has a port of its own: whatever name a client has called it by, it is the one.
        name: "_",
        services: system()?.services.iter().filter_map(behind).collect(),
        rules: None,
    };
    site.write_for_image(folder).map_err(anyhow::Error::msg)
}

/// The ports by which the world reaches the services: `AUTH_PORT` and so on, else those of `infra/system.toml`.
fn published(variable: impl Fn(&str) -> Option<String>) -> Result<BTreeMap<String, u16>> {
    let mut ports = BTreeMap::new();
    for service in reached()? {
        let name = format!("{}_PORT", service.name.to_uppercase());
        let Some(port) = variable(&name) else { continue };
        ports.insert(service.name.clone(), port.parse().with_context(|| format!("{name}={port} is not a port"))?);
    }
    Ok(ports)
}

fn reached() -> Result<impl Iterator<Item = &'static Service>> {
    Ok(system()?.services.iter().filter(|service| service.public.is_some()))
}

/// The files of ours that a configuration names; a folder, and what is not there yet, is none.
fn named(configuration: &str) -> Vec<PathBuf> {
    let words =
        configuration.lines().filter(|line| !line.starts_with('#')).flat_map(|line| line.split('"').skip(1).step_by(2));
    words.map(PathBuf::from).filter(|path| path.starts_with(files()) && path.is_file()).collect()
}

fn files() -> PathBuf {
    PathBuf::from(FILES)
}

fn programs() -> Result<Programs> {
    let services = system()?.services.iter().map(|service| service.name.as_str());
    Ok(Programs::in_directory(Path::new(PROGRAMS), &services.chain(["sandbox"]).collect::<Vec<_>>()))
}

/// A secret that is made once: 32 random bytes as hexadecimal, of which 32 characters are taken, so that it serves as a key of 32 bytes, too.
fn random_once(path: &Path) -> Result<String> {
    if !path.exists() {
        write(path, &ladder::shell::random_hex(16).map_err(anyhow::Error::msg)?)?;
    }
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// The volume of another container.
struct Volume(PathBuf);

impl Volume {
    fn of(container: &str) -> Self {
        Self(Path::new(VOLUMES).join(container))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        write(&self.0.join(name), text)
    }

    /// With its rights, for services refuse secrets that others can read.
    fn copy(&self, from: &Path, name: &str) -> Result<()> {
        let to = self.0.join(name);
        let copied = parent(&to).and_then(|()| Ok(fs::copy(from, &to).map(drop)?));
        copied.with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))
    }
}

/// A file that only its owner can read.
fn write(path: &Path, text: &str) -> Result<()> {
    let write = || -> Result<()> {
        parent(path)?;
        let mut options = fs::OpenOptions::new();
        Ok(options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text.as_bytes())?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn parent(path: &Path) -> Result<()> {
    Ok(path.parent().map_or(Ok(()), fs::create_dir_all)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_the_environment_is_the_one_that_the_world_knows() {
        let ports = published(|name| (name == "AUTH_PORT").then(|| "17001".to_owned())).unwrap();
        let ports = Ports::in_containers(ports).unwrap();
        assert_eq!(
            (ports.url("auth", false).unwrap(), ports.of("auth").unwrap()),
            ("https://localhost:17001".to_owned(), 7001)
        );
        assert_eq!(ports.url("ledger", false).unwrap(), "https://localhost:7003");
        let error = published(|_| Some("many".to_owned())).unwrap_err().to_string();
        assert!(error.contains("AUTH_PORT=many is not a port"), "{error}");
    }
    /// Everything is where Debian's packages put it, but under the folder where these are here; the services are on this machine. What a service's name
    /// would lead to, and that nothing else of this machine is named, stands in the text.
    #[test]
    fn nginx_reads_the_files_of_the_edges_image() {
        let Some(software) = testkit::edge::software() else { return };
        let pki = testkit::pki::Pki::temporary().unwrap();
        let place = std::env::temp_dir().join(format!("redoubt-edge-image-{}", std::process::id()));
        let (image, state) = (place.join("image"), place.join("state"));
        edge(&image).unwrap();
        fs::create_dir_all(&state).unwrap();
        let text = fs::read_to_string(image.join("nginx.conf")).unwrap();
        for says in
            ["server ledger:7003;", "listen 0.0.0.0:7203 ssl;", "proxy_ssl_name ledger;", "error_log stderr info;"]
        {
            assert!(text.contains(says), "{says}: {text}");
        }
        assert!(!text.contains("behavior") && !text.contains("127.0.0.") && !text.contains("{{"), "{text}");
        // Of this machine it is asked only how nginx is started here.
        let (certificate, key) = (pki.public("edge").certificate, pki.public("edge").key);
        let site = Site {
            certificate: &certificate,
            key: &key,
            authority: &pki.public_ca(),
            name: "localhost",
            services: Vec::new(),
            rules: None,
        };
        let program = site.write(&software, &place.join("machine"), &place).unwrap();
        let root = program.path.display().to_string().replace("usr/sbin/nginx", "");
        let here = |path: &Path| path.display().to_string();
        let mut moved = vec![
            ("/etc/redoubt/edge", here(&image)),
            ("/run/edge", here(&state)),
            ("/run/redoubt/public/tls.crt", here(&certificate)),
            ("/run/redoubt/public/tls.key", here(&key)),
            ("/run/redoubt/authority/ca.crt", here(&pki.public_ca())),
        ];
        moved.extend(
            ["/usr/lib/nginx/", "/usr/share/modsecurity-crs/", "/etc/nginx/"]
                .map(|path| (path, root.clone() + path.trim_start_matches('/'))),
        );
        for entry in fs::read_dir(&image).unwrap() {
            let file = entry.unwrap().path();
            let text = fs::read_to_string(&file).unwrap();
            let text = moved.iter().fold(text, |text, (from, to)| text.replace(from, to));
            let text = reached()
                .unwrap()
                .fold(text, |text, service| text.replace(&format!("server {}:", service.name), "server 127.0.0.1:"));
            fs::write(&file, text).unwrap();
        }
        let config = image.join("nginx.conf").display().to_string();
        let mut nginx = std::process::Command::new(&program.path);
        let output = nginx
            .args(["-t", "-e", "stderr", "-p", &here(&state), "-c", &config])
            .envs(program.environment())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("test is successful"), "{said}");
        fs::remove_dir_all(&place).unwrap();
    }
}
