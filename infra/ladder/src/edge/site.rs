//! The edge's configuration: the templates of `infra/edge/`, filled in for one run.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Software;
use crate::shell;

const NGINX: &str = include_str!("../../../edge/nginx.conf");
const SERVER: &str = include_str!("../../../edge/server.conf");
const RULES: &str = include_str!("../../../edge/rules.conf");
/// The other files, by their names.
const FILES: [(&str, &str); 6] = [
    ("refusals.conf", include_str!("../../../edge/refusals.conf")),
    ("modsecurity.conf", include_str!("../../../edge/modsecurity.conf")),
    ("crs-setup.conf", include_str!("../../../edge/crs-setup.conf")),
    ("before-crs.conf", include_str!("../../../edge/before-crs.conf")),
    ("fields.conf", include_str!("../../../edge/fields.conf")),
    ("after-crs.conf", include_str!("../../../edge/after-crs.conf")),
];
/// The files of the Core Rule Set that judge requests, after the one that initializes it. Left out are exemptions for other people's programs, the
/// reputation of addresses and floods (`rate_limit` is there for that), and what judges answers.
const INITIALIZATION: &str = "REQUEST-901-INITIALIZATION";
const REQUESTS: [&str; 15] = [
    "REQUEST-905-COMMON-EXCEPTIONS",
    "REQUEST-911-METHOD-ENFORCEMENT",
    "REQUEST-913-SCANNER-DETECTION",
    "REQUEST-920-PROTOCOL-ENFORCEMENT",
    "REQUEST-921-PROTOCOL-ATTACK",
    "REQUEST-922-MULTIPART-ATTACK",
    "REQUEST-930-APPLICATION-ATTACK-LFI",
    "REQUEST-931-APPLICATION-ATTACK-RFI",
    "REQUEST-932-APPLICATION-ATTACK-RCE",
    "REQUEST-933-APPLICATION-ATTACK-PHP",
    "REQUEST-934-APPLICATION-ATTACK-NODEJS",
    "REQUEST-941-APPLICATION-ATTACK-XSS",
    "REQUEST-942-APPLICATION-ATTACK-SQLI",
    "REQUEST-943-APPLICATION-ATTACK-SESSION-FIXATION",
    "REQUEST-944-APPLICATION-ATTACK-JAVA",
];
const EVALUATION: &str = "REQUEST-949-BLOCKING-EVALUATION";

/// The file of what nginx says of itself and the rules find.
pub const LOG: &str = "edge.log";
/// The file with a line for each request.
pub const ACCESS: &str = "edge-access.log";
/// The address from which a service sees the edge. One of loopback that nobody has by chance: whoever else is on this machine is not believed.
pub const SOURCE: &str = "127.0.0.2";

/// Where an image has its files (`infra/docker/Dockerfile`).
const IMAGE: &str = "/etc/redoubt/edge";

/// What an edge stands before, and as whom.
#[derive(Debug, Clone)]
pub struct Site<'a> {
    /// The edge's own certificate, as PEM.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
    /// The authority of the services' public certificates.
    pub authority: &'a Path,
    /// The name that all of them have.
    pub name: &'a str,
    /// Who is behind it.
    pub services: Vec<Behind>,
    /// Other rules than ours, in the place of `rules.conf`.
    pub rules: Option<&'a str>,
}

/// A service behind the edge.
#[derive(Debug, Clone)]
pub struct Behind {
    /// What it is called.
    pub name: String,
    /// The edge's port for it.
    pub listen: u16,
    /// Its own public port.
    pub port: u16,
}

/// How nginx is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    libraries: Option<String>,
}

impl Program {
    /// What it must see in its environment.
    pub fn environment(&self) -> Vec<(&str, &str)> {
        let libraries = self.libraries.iter().map(|libraries| ("LD_LIBRARY_PATH", libraries.as_str()));
        // Its logs have the services' time zone.
        libraries.chain([("TZ", "UTC")]).collect()
    }
}

impl Site<'_> {
    /// Writes the configuration into a new directory that only its owner may enter, and says how nginx is started with it. It logs into `logs`, and
    /// nobody but the owner may read what.
    ///
    /// # Errors
    ///
    /// The directory is there already, or cannot be written.
    pub fn write(&self, software: &Software, directory: &Path, logs: &Path) -> Result<Program, String> {
        let failed = |e: std::io::Error| shell::explain(&format!("{} cannot be written ({e})", directory.display()));
        std::fs::DirBuilder::new().mode(0o700).create(directory).map_err(failed)?;
        for name in [LOG, ACCESS] {
            // It is nginx that writes, as whoever starts it; what is there already keeps its mode.
            let mut options = std::fs::OpenOptions::new();
            options.append(true).create(true).mode(0o600).open(logs.join(name)).map_err(failed)?;
        }
        let as_root = std::fs::metadata(directory).map_err(failed)?.uid() == 0;
        let machine = Place {
            address: "127.0.0.1",
            host: None,
            // What reads requests has no rights, also where the one who starts it has all.
            user: if as_root { "user nobody nogroup;" } else { "" },
            bind: &format!("proxy_bind {SOURCE};"),
            directory: &text(directory),
            state: &text(directory),
            error_log: &text(&logs.join(LOG)),
            access_log: &text(&logs.join(ACCESS)),
        };
        self.write_files(software, directory, &machine)?;
        let log = text(&logs.join(LOG));
        let arguments = ["-p", &text(directory), "-e", &log, "-c", &text(&directory.join("nginx.conf"))];
        let libraries: Vec<String> = software.libraries.iter().map(|folder| text(folder)).collect();
        Ok(Program {
            path: software.nginx.clone(),
            arguments: arguments.map(str::to_owned).to_vec(),
            libraries: (!libraries.is_empty()).then(|| libraries.join(":")),
        })
    }

    /// Writes into a folder what an image has at [`IMAGE`], where each service is a container that its name leads to.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn write_for_image(&self, folder: &Path) -> Result<(), String> {
        let container = Place {
            address: "0.0.0.0",
            host: Some(|service| service),
            user: "",
            bind: "",
            directory: IMAGE,
            state: "/run/edge",
            // A container's log is what it says.
            error_log: "stderr",
            access_log: "/dev/stdout",
        };
        std::fs::create_dir_all(folder).map_err(|e| format!("{} cannot be made ({e})", folder.display()))?;
        self.write_files(&Software::installed(), folder, &container)
    }

    fn write_files(&self, software: &Software, folder: &Path, place: &Place<'_>) -> Result<(), String> {
        let include = |name: &&str| format!("Include {}/{name}.conf", software.rules.display());
        let rules: Vec<String> = REQUESTS.iter().chain([&EVALUATION]).map(include).collect();
        let servers: Result<Vec<String>, String> =
            self.services.iter().map(|service| fill(SERVER, &self.server(service, place))).collect();
        let values = [
            ("directory", place.directory.to_owned()),
            ("state", place.state.to_owned()),
            ("error_log", place.error_log.to_owned()),
            ("access_log", place.access_log.to_owned()),
            ("module", text(&software.module)),
            ("mapping", text(&software.mapping)),
            ("user", place.user.to_owned()),
            ("bind", place.bind.to_owned()),
            ("certificate", text(self.certificate)),
            ("key", text(self.key)),
            ("authority", text(self.authority)),
            ("initialization", include(&INITIALIZATION)),
            ("crs", rules.join("\n")),
            ("servers", servers?.join("\n")),
        ];
        let failed = |e: std::io::Error| shell::explain(&format!("{} cannot be written ({e})", folder.display()));
        let write =
            |name: &str, template: &str| std::fs::write(folder.join(name), fill(template, &values)?).map_err(failed);
        write("nginx.conf", NGINX)?;
        write("rules.conf", self.rules.unwrap_or(RULES))?;
        FILES.into_iter().try_for_each(|(name, template)| write(name, template))
    }

    fn server(&self, service: &Behind, place: &Place<'_>) -> [(&'static str, String); 8] {
        let host = place.host.map(|named| named(&service.name).to_owned());
        [
            ("directory", place.directory.to_owned()),
            ("name", self.name.to_owned()),
            // Under which its certificate is. On one machine all have one name.
            ("host_name", host.clone().unwrap_or_else(|| self.name.to_owned())), // Default: as said.
            ("host", host.unwrap_or_else(|| "127.0.0.1".to_owned())),            // Default: it is on this machine.
            ("address", place.address.to_owned()),
            ("service", service.name.clone()),
            ("listen", service.listen.to_string()),
            ("port", service.port.to_string()),
        ]
    }
}

/// Where an edge is, and where those behind it are.
struct Place<'a> {
    /// Where it listens.
    address: &'a str,
    /// The host of a service, by its name; none on one machine.
    host: Option<fn(&str) -> &str>,
    user: &'a str,
    bind: &'a str,
    /// Of its files.
    directory: &'a str,
    /// Of what it writes for itself.
    state: &'a str,
    error_log: &'a str,
    access_log: &'a str,
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The template with a value for each `{{…}}`.
fn fill(template: &str, values: &[(&str, String)]) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a template of the edge has a name without an end")?;
        let (_, value) =
            values.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("there is no value `{name}`"))?;
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    Ok(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_asks_for_wrongly_is_named() {
        assert_eq!(fill("a {{x}} b", &[("x", "1".to_owned())]).unwrap(), "a 1 b");
        assert!(fill("{{y}}", &[]).unwrap_err().contains("`y`"));
        assert!(fill("{{y", &[]).is_err());
    }
}
