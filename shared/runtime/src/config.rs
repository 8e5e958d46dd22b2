//! Configuration: one TOML file, overlaid by the environment, checked whole before anything starts.
//!
//! A service's `Config` has a field `common: Common` beside its own. In the file the common sections stand at the top
//! level (`[public]`, `[internal]`, `[database]`, `[telemetry]`); an environment variable `LEDGER__PUBLIC__LISTEN` sets
//! the key `public.listen` of the service `ledger`. Its value is read as TOML when it is TOML (`8`, `true`,
//! `["a", "b"]`) and as text otherwise.
//!
//! Invariants: an unknown key is an error that names it (`deny_unknown_fields` on every struct); a secret is only ever
//! the path of a file, so a printed configuration has none.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// What every service needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// The listener that the world reaches; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<Listener>,
    /// The listener for the other services and for operation (mutual TLS).
    pub internal: Internal,
    /// The service's database; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// Logs, traces and metrics.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// End gracefully when standard input does, so that nothing outlives whoever started it. Default: false.
    #[serde(default)]
    pub exit_with_parent: bool,
    /// Worker threads per listener. Default: one per core, at most four.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// Connections at a time per listener; more wait until one ends. One takes some 50 KiB, whoever opened it. Default: 2048.
    #[serde(default = "default_listener_connections")]
    pub connections: usize,
}

impl Common {
    /// Where the world reaches the service: what signatures, proofs and issuers are made for.
    ///
    /// # Errors
    ///
    /// There is no public listener. None is not the empty one: every request would be refused, or a forged one pass.
    pub fn public_origin(&self) -> anyhow::Result<&str> {
        let public = self.public.as_ref().context("the configuration has no [public] section")?;
        Ok(public.url.as_str())
    }
}

/// The public listener (TLS 1.3).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The URL under which the world reaches it; signatures and issuers are made of it.
    pub url: String,
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key (mode 0600).
    pub key: PathBuf,
    /// Show the API to people, at `/docs`, and the document that it is made of, at `/openapi.json`: for development. Default: false, and there is
    /// nothing at either.
    #[serde(default)]
    pub docs: bool,
}

/// The internal listener and this service's identity in calls to other services.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Internal {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The URL under which the other services reach it.
    pub url: String,
    /// PEM file with the certificate chain; its URI SAN is `spiffe://redoubt/<service>`.
    pub certificate: PathBuf,
    /// PEM file with the private key (mode 0600).
    pub key: PathBuf,
    /// PEM file with the internal certificate authority.
    pub ca: PathBuf,
}

/// Where the database of the service is, and as whom to log in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// File with the URL of the app role (mode 0600). With `?sslmode=verify-full&sslrootcert=FILE` the way there is TLS, to a server that has proven the
    /// name in the URL; without it, in the clear, which is allowed to a socket file and to loopback only: with any other host the service does not start.
    /// So for every database URL.
    pub url_file: PathBuf,
    /// File with the URL of the migrator role (mode 0600), for `migrate` and what else writes as the owner. `serve` refuses to start with
    /// it: set it in the environment of those commands, `LEDGER__DATABASE__MIGRATOR_URL_FILE`, or in a file of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrator_url_file: Option<PathBuf>,
    /// Connections at most. Default: 8.
    #[serde(default = "default_connections")]
    pub max_connections: usize,
}

/// Logs, traces and metrics.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Base URL of an OTLP/HTTP receiver, e.g. `http://127.0.0.1:4318`. Default: traces and metrics are not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// Of so many traces one is sent, chosen by its id, so that all services send the same ones. Default: 1, all of them.
    pub one_trace_in: NonZeroU32,
    /// Seconds between two reports of the metrics to that receiver. Default: 10.
    pub interval_seconds: u32,
    /// Answer `GET /metrics` of the internal listener, for the workload `watcher` (Prometheus). Default: false, and nothing is there.
    pub prometheus: bool,
    /// Filter in the form of `tracing_subscriber::EnvFilter`. Default: `info`.
    pub log: String,
    /// `json` (one object a line) or `text`. Default: `json`.
    pub log_format: LogFormat,
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            one_trace_in: NonZeroU32::MIN,
            interval_seconds: 10,
            prometheus: false,
            log: "info".to_owned(),
            log_format: LogFormat::Json,
        }
    }
}

fn default_connections() -> usize {
    8
}

fn default_listener_connections() -> usize {
    2048
}

/// Why a configuration cannot be used, with the next thing to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path} cannot be read: {reason}; name another with --config FILE or REDOUBT_CONFIG")]
    File {
        /// Path of the configuration file.
        path: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The file is not TOML.
    #[error("configuration {origin} is not valid TOML: {reason}")]
    Syntax {
        /// The file or variable.
        origin: String,
        /// What the parser says.
        reason: String,
    },
    /// A key is unknown, missing or of the wrong type.
    #[error("configuration of {service} {origin}: {reason} (key `{key}`, environment variable {variable})")]
    Key {
        /// Name of the service.
        service: String,
        /// The file or variable.
        origin: String,
        /// The key, e.g. `public.listen`.
        key: String,
        /// The variable that sets it.
        variable: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Sections of [`Common`], which the file keeps at its top level.
const COMMON: [&str; 7] = ["public", "internal", "database", "telemetry", "exit_with_parent", "workers", "connections"];

/// Reads the configuration of `service` from `file` (or the one that `REDOUBT_CONFIG` names; or none) and the environment.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
pub fn load<T: DeserializeOwned>(service: &str, file: Option<&Path>) -> Result<T, ConfigError> {
    let from_environment = std::env::var_os("REDOUBT_CONFIG").map(PathBuf::from);
    let (text, origin) = match file.map(Path::to_owned).or(from_environment) {
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(text) => (text, path.display().to_string()),
            Err(reason) => return Err(ConfigError::File { path, reason }),
        },
        // Everything may come from the environment; if nothing does, the first missing key is named.
        None => (String::new(), "(no file: --config FILE or REDOUBT_CONFIG names one)".to_owned()),
    };
    parse(
        service,
        &text,
        &origin,
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// [`load`] without the outside world.
pub fn parse<T: DeserializeOwned>(
    service: &str,
    text: &str,
    origin: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let syntax =
        |reason: toml::de::Error| ConfigError::Syntax { origin: origin.to_owned(), reason: reason.to_string() };
    let mut table: Table = toml::from_str(text).map_err(syntax)?;
    let prefix = format!("{}__", variable_part(service));
    for (name, value) in environment {
        if let Some(path) = name.strip_prefix(&prefix) {
            overlay(&mut table, path, &value).map_err(|reason| ConfigError::Syntax { origin: name.clone(), reason })?;
        }
    }
    serde_path_to_error::deserialize(Value::Table(nest(table))).map_err(|error| {
        let reason = error.inner().to_string();
        let reason = reason.split_once('\n').map_or(reason.as_str(), |(first, _)| first).to_owned(); // Default: it is one line.
        let key = crate::extract::field_path(&error.path().to_string(), &reason);
        let key = key.strip_prefix("common.").unwrap_or(&key).to_owned();
        let variable = format!("{prefix}{}", variable_part(&key.replace('.', "__")));
        ConfigError::Key { service: service.to_owned(), origin: origin.to_owned(), key, variable, reason }
    })
}

/// The configuration as TOML, in the form of the file. It holds no secret, only paths of secret files.
pub fn print<T: Serialize>(config: &T) -> Result<String, toml::ser::Error> {
    let mut table = match Value::try_from(config)? {
        Value::Table(table) => table,
        other => return toml::to_string_pretty(&other),
    };
    if let Some(Value::Table(common)) = table.remove("common") {
        table.extend(common);
    }
    redact(&mut table);
    toml::to_string_pretty(&table)
}

/// Moves the common sections under `common`, where the service's struct has them.
fn nest(table: Table) -> Table {
    let (common, mut own): (Table, Table) = table.into_iter().partition(|(key, _)| COMMON.contains(&key.as_str()));
    if own.contains_key("common") {
        // Only reachable by a file that spells out the inner form; it must not replace what stands at the top level.
        own.insert("common (write its sections at the top level)".to_owned(), Value::Boolean(false));
    }
    own.insert("common".to_owned(), Value::Table(common));
    own
}

fn overlay(table: &mut Table, path: &str, text: &str) -> Result<(), String> {
    let mut keys: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
    let Some(last) = keys.pop().filter(|_| !path.split("__").any(str::is_empty)) else {
        return Err("empty part in the variable's name".to_owned());
    };
    let mut table = table;
    for key in keys {
        let slot = table.entry(&key).or_insert_with(|| Value::Table(Table::new()));
        table = slot.as_table_mut().ok_or_else(|| format!("`{key}` is a value, not a section"))?;
    }
    table.insert(last, value(text));
    Ok(())
}

/// As TOML when the whole text is one TOML value, else as text.
fn value(text: &str) -> Value {
    let only = |mut table: Table| if table.len() == 1 { table.remove("value") } else { None };
    // Default: most values are texts without quotes.
    toml::from_str(&format!("value = {text}")).ok().and_then(only).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn variable_part(text: &str) -> String {
    text.to_ascii_uppercase().replace('-', "_")
}

/// A second net: were a secret ever put inline, it would not be printed.
fn redact(table: &mut Table) {
    for (key, value) in table.iter_mut() {
        match value {
            Value::Table(inner) => redact(inner),
            Value::String(text) if !key.ends_with("_file") => {
                let names_secret = ["secret", "password", "token"].iter().any(|word| key.contains(word));
                let has_credentials = url::Url::parse(text).is_ok_and(|url| url.password().is_some());
                if names_secret || has_credentials {
                    "(redacted)".clone_into(text);
                }
            }
            _ => (),
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
