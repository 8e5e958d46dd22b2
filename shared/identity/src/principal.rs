//! Who and what calls, once all token layers have passed.

use std::sync::Arc;

use api::approvals::ApprovedPayment;
use api::{ClientId, SupportId};
use serde::{Deserialize, Serialize};
use strum::{AsRefStr, EnumString};

use crate::{App, Thumbprint};

/// How well the device key is kept, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsRefStr, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// In the memory of the process: no hardware protects it.
    Software,
    /// In the trusted execution environment (Android).
    Tee,
    /// In `StrongBox` (Android).
    #[serde(rename = "strongbox")]
    #[strum(serialize = "strongbox")]
    StrongBox,
    /// In the Secure Enclave (iOS).
    SecureEnclave,
}

/// `cnf` (RFC 7800) with the thumbprint of the device key (RFC 9449 §6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cnf {
    /// JWK SHA-256 thumbprint.
    pub jkt: Thumbprint,
}

/// How long an instance of an app has acted for a user, as the authorization server has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Since when: the user's first login on it, in Unix seconds.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub since: i64,
    /// It came with the account: none was there before it whose owner it could have been taken from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
}

/// The caller of one request: a user, through an app, on a device; all three bound to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user (pseudonymous subject). Whoever keeps it shares it.
    pub subject: Arc<str>,
    /// The OAuth client that the instance is.
    pub client_id: ClientId,
    /// The device key of this installation.
    pub jkt: Thumbprint,
    /// What the access token allows.
    pub scopes: Vec<String>,
    /// Under which the operator finds the attestation verdict.
    pub support_id: SupportId,
    /// The app that the evidence names, with its build.
    pub app: App,
    /// How well the device key is kept.
    pub level: Level,
    /// `jti` of the access token.
    pub token_id: String,
    /// The one payment that the user has approved, if the access token says so.
    pub approved: Option<ApprovedPayment>,
    /// How long the instance has acted for the user, if the access token says so.
    pub instance: Option<Instance>,
    /// Since when the user has had the second factor that they have shown for this token, in Unix seconds.
    pub factor_since: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_one_spelling_everywhere() {
        for level in [Level::Software, Level::Tee, Level::StrongBox, Level::SecureEnclave] {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_ref());
        }
    }

    #[test]
    fn hardware_ranks_above_software() {
        assert!(Level::Software < Level::Tee && Level::Tee < Level::StrongBox);
    }
}
