//! The broker's settings. Secrets are never in here: the key-encryption key is a file, everything else is sealed in the database.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use defense::DefenseConfig;
use runtime::Common;
use serde::{Deserialize, Serialize};

use crate::egress::{Nat64Prefix, Network};
use crate::ids::ProviderName;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners, database, telemetry.
    pub common: Common,
    /// The layers before every route. Default: as below, without apps.
    #[serde(default)]
    pub defense: DefenseConfig,
    /// Where secrets are opened with.
    pub vault: Vault,
    /// Files with the manifests of the providers that are served, one file each. Default: none.
    #[serde(default)]
    pub manifests: Vec<PathBuf>,
    /// The providers that are served, by name, with what differs here from their manifests. What is not named is not served.
    #[serde(default)]
    pub providers: BTreeMap<ProviderName, ProviderSettings>,
    /// Where verified webhooks go.
    pub delivery: Delivery,
}

/// Secrets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// File with the key-encryption key: 32 bytes, raw or base64url (mode 0600).
    pub kek_file: PathBuf,
    /// File with the lowest version of each secret that may be used; `seal-secret` and `retire-secret` write it, sealed under the
    /// key-encryption key (mode 0600). It must not lie where the database's backups are restored from.
    pub floor_file: PathBuf,
    /// File with the URL of the role that seals secrets (mode 0600), for `seal-secret` and `retire-secret`. `serve` refuses to start with it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealer_url_file: Option<PathBuf>,
    /// How long an opened secret stays in memory before the database is asked again. Default: 30.
    #[serde(default = "thirty")]
    pub cache_seconds: u32,
}

/// One provider in this deployment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSettings {
    /// `https://host[:port][/prefix]`. Default: the manifest's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// PEM file with the only authorities that the provider's certificate may come from. Default: the system's roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_certificates_file: Option<PathBuf>,
    /// The only networks that the provider's name may resolve to. Default: global unicast addresses.
    pub allowed_networks: Vec<Network>,
    /// The name servers that know the provider, `address:port`. Default: the system's (`/etc/resolv.conf`), asked after the hosts file.
    pub name_servers: Vec<SocketAddr>,
    /// The prefix under which this network's NAT64 reaches the provider; the IPv4 address behind it is judged. Default: none passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat64_prefix: Option<Nat64Prefix>,
}

/// Delivery of webhooks to the ledger.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The ledger's internal URL.
    pub ledger_url: String,
    /// How often the inbox is looked at without being told to. Default: 1000.
    #[serde(default = "one_second")]
    pub poll_ms: u32,
}

fn thirty() -> u32 {
    30
}

fn one_second() -> u32 {
    1_000
}
