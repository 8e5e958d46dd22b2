//! What an operator sets of the layers: the same for every service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::rate::Quota;
use crate::{LayerId, Mode};

/// The layers' settings. All of them have defaults but the register of apps, which is needed where apps call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefenseConfig {
    /// Hosts that requests may be for, beside those of `public.url` and `internal.url`: authorities as clients write them (`api.example`).
    pub hosts: Vec<String>,
    /// Networks of the proxies before this service, whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// File with the register of apps and their API keys; read again every two seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apps_file: Option<PathBuf>,
    /// File with the key under which API keys stand in the register (32 bytes, mode 0600).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_pepper_file: Option<PathBuf>,
    /// How much is too much.
    pub rates: Rates,
    /// Layers whose word does not count: for a program that was built to show what each of them stops. Any other refuses to start.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<LayerId, Mode>,
    /// A Redis or Valkey that the processes of the service share, so that they count together. Default: each counts for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_store: Option<SharedStore>,
}

/// Which Redis or Valkey.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedStore {
    /// File with `redis://user:password@host:port/database` (mode 0600).
    pub url_file: PathBuf,
    /// PEM file with the authority of its certificate; without, the connection is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// File with 32 random bytes that all processes of the service have in common (mode 0600): under it names are hashed.
    pub name_key_file: PathBuf,
}

/// So many units within so many seconds. A request costs 1; a challenge or a token 5, a login 10.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many units there are.
    pub units: u32,
    /// In how many seconds all of them come back.
    pub seconds: u32,
}

impl Rate {
    const fn a_minute(units: u32) -> Self {
        Self { units, seconds: 60 }
    }

    pub(crate) fn quota(self) -> Result<Quota, &'static str> {
        let quota = Quota::checked(self.units, Duration::from_secs(self.seconds.into()));
        quota.ok_or("a rate has 1 to 1,000,000 units, which come back within 31 days")
    }
}

/// How much is too much.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Of an address (IPv4 /32, IPv6 /64). Many share one, behind the NAT of a mobile network. Default: 6,000 a minute.
    pub address: Rate,
    /// Of the network around it (IPv4 /24, IPv6 /48). Default: 60,000 a minute.
    pub network: Rate,
    /// Failures: of a device that names what is not there or another's; and, where clients get tokens, phones prove what they are and third parties
    /// call, of an address with the same API key. Default: 600 in ten minutes, and then one a second.
    pub failures: Rate,
    /// Of a device. Default: 600 a minute.
    pub instance: Rate,
    /// Of a user on all devices. Default: 600 a minute.
    pub user: Rate,
    /// Of all who call routes of one class. Default: 600,000 a minute.
    pub class: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            address: Rate::a_minute(6_000),
            network: Rate::a_minute(60_000),
            failures: Rate { units: 600, seconds: 600 },
            instance: Rate::a_minute(600),
            user: Rate::a_minute(600),
            class: Rate::a_minute(600_000),
        }
    }
}
