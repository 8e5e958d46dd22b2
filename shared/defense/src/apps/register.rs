//! The register of apps: which builds are let in, and by which API keys. A file that the operator edits while the services run.

use std::collections::HashMap;
use std::sync::Arc;

use api::attestation::{App, Platform};
use api::{AppId, Build};
use crypto::hash;
use serde::{Deserialize, Deserializer};

use super::key::{ApiKey, ApiKeyId};

/// Live keys that one app may have: the one in use and its successor.
const LIVE_KEYS: usize = 2;

/// The register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppRegister {
    apps: Vec<Registered>,
    /// Where each key stands: the app, its place among that app's keys, and what the key names.
    keys: HashMap<ApiKeyId, (usize, usize, Arc<KeyedApp>)>,
}

/// An app on a platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    id: AppId,
    platform: Platform,
    /// Builds before this one are told to update.
    minimum_build: Build,
    /// Builds that are told to update although they are not older.
    #[serde(default)]
    withdrawn_builds: Vec<Build>,
    #[serde(default, rename = "key")]
    keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: ApiKeyId,
    #[serde(deserialize_with = "mac")]
    mac: [u8; 32],
    /// The services that it may be sent to.
    services: Vec<String>,
    /// Unix seconds after which it is not accepted.
    not_after: i64,
    /// Switched off by an operator.
    #[serde(default)]
    disabled: bool,
}

fn mac<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut mac = [0; 32];
    let read = hex::decode_to_slice(text, &mut mac);
    read.map(|()| mac).map_err(|_| serde::de::Error::custom("mac: expected 64 hexadecimal digits"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "app")]
    apps: Vec<Registered>,
}

/// Why a file is no register.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Not TOML, or not of this form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// An app stands there twice.
    #[error("app `{0}` stands there twice for one platform")]
    AppTwice(AppId),
    /// A key stands there twice.
    #[error("key `{0}` stands there twice")]
    KeyTwice(ApiKeyId),
    /// More keys than a rotation needs.
    #[error("app `{0}` has more than {LIVE_KEYS} keys that are not disabled")]
    TooManyKeys(AppId),
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Nobody has been given it.
    Unknown,
    /// An operator has switched it off.
    Disabled,
    /// Its time is over.
    Expired,
    /// It is for other services.
    OtherService,
}

impl KeyRefusal {
    /// The stable word for the audit log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "key_unknown",
            Self::Disabled => "key_disabled",
            Self::Expired => "key_expired",
            Self::OtherService => "key_of_other_service",
        }
    }
}

/// An app as a key names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedApp {
    /// Which key.
    pub key: ApiKeyId,
    /// Package name or bundle id.
    pub app: AppId,
    /// Its platform.
    pub platform: Platform,
}

/// What the register says of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is let in.
    Current,
    /// It has to be updated, to this one at least.
    Outdated {
        /// The oldest build that is let in.
        minimum: Build,
    },
    /// No such app.
    Unknown,
}

impl AppRegister {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; it names the app or key.
    pub fn parse(text: &str) -> Result<Self, RegisterError> {
        let File { apps } = toml::from_str(text)?;
        let mut keys = HashMap::new();
        for (place, app) in apps.iter().enumerate() {
            if apps.iter().take(place).any(|other| (&other.id, other.platform) == (&app.id, app.platform)) {
                return Err(RegisterError::AppTwice(app.id.clone()));
            }
            if app.keys.iter().filter(|key| !key.disabled).count() > LIVE_KEYS {
                return Err(RegisterError::TooManyKeys(app.id.clone()));
            }
            for (number, key) in app.keys.iter().enumerate() {
                let keyed = KeyedApp { key: key.id.clone(), app: app.id.clone(), platform: app.platform };
                if keys.insert(key.id.clone(), (place, number, Arc::new(keyed))).is_some() {
                    return Err(RegisterError::KeyTwice(key.id.clone()));
                }
            }
        }
        Ok(Self { apps, keys })
    }

    /// Whose key it is, if it may be used at `service` now.
    pub fn keyed(&self, key: &ApiKey, pepper: &[u8], service: &str, now: i64) -> Result<Arc<KeyedApp>, KeyRefusal> {
        let found = self.keys.get(key.id()).and_then(|(place, number, keyed)| {
            let stored = self.apps.get(*place)?.keys.get(*number)?;
            Some((keyed, stored))
        });
        let (keyed, stored) = found.ok_or(KeyRefusal::Unknown)?;
        if !hash::constant_time_eq(&stored.mac, &key.mac(pepper)) {
            return Err(KeyRefusal::Unknown);
        }
        if stored.disabled {
            return Err(KeyRefusal::Disabled);
        }
        if now > stored.not_after {
            return Err(KeyRefusal::Expired);
        }
        if !stored.services.iter().any(|known| known == service) {
            return Err(KeyRefusal::OtherService);
        }
        Ok(Arc::clone(keyed))
    }

    /// Whose key it says it is, whoever made it.
    #[cfg(any(test, feature = "ablation"))]
    pub(crate) fn named(&self, key: &ApiKey) -> Option<Arc<KeyedApp>> {
        self.keys.get(key.id()).map(|(.., keyed)| Arc::clone(keyed))
    }

    /// What it says of the build that `app` claims to be.
    pub fn standing(&self, app: &App) -> Standing {
        let known = self.apps.iter().find(|known| (&known.id, known.platform) == (&app.id, app.platform));
        let Some(known) = known else { return Standing::Unknown };
        let withdrawn = known.withdrawn_builds.contains(&app.build);
        if !withdrawn && app.build.at_least(&known.minimum_build) {
            return Standing::Current;
        }
        Standing::Outdated { minimum: known.minimum_build.clone() }
    }
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
