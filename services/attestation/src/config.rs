//! The attestation service's settings. Every field can also be set by environment: `ATTESTATION__POLICY__MODE=production`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use defense::DefenseConfig;
use identity::attestation_token::MAX_LIFETIME;
use runtime::Common;
use serde::{Deserialize, Serialize};

use crate::evidence::policy::{AndroidPolicy, ApplePolicy};
pub use crate::ids::PolicyId;

/// The whole configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners, database, telemetry.
    pub common: Common,
    /// The layers before every route. Default: as below, without apps.
    #[serde(default)]
    pub defense: DefenseConfig,
    /// Where the secrets of tokens come from.
    pub keys: Keys,
    /// What is issued, and to whom.
    #[serde(default)]
    pub tokens: Tokens,
    /// What evidence is believed.
    pub policy: Policy,
    /// Google's list of revoked certificates.
    #[serde(default)]
    pub revocation: Revocation,
}

/// Two masters that have nothing to do with each other, and the key that every answer is signed with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// File with the master that audience secrets and challenges are derived from, at least 32 bytes (mode 0600).
    pub master_file: PathBuf,
    /// The master's number, one more for each new master; it stands in the `kid` of every token. Default: 1.
    #[serde(default = "first")]
    pub generation: u32,
    /// While a master is replaced: the next one, then the former one. Its tokens and challenges are accepted; none is made with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<OtherMaster>,
    /// File with the master of decoys, at least 32 bytes (mode 0600). No other process may have it.
    pub decoy_master_file: PathBuf,
    /// File with the P-256 key (PKCS#8 DER, mode 0600) that signs the answers to evidence, genuine and decoy alike. Its public half is pinned in
    /// the app, beside that of a successor that is kept offline.
    pub answer_key_file: PathBuf,
}

/// A master beside the one that tokens are made with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherMaster {
    /// Its file, as [`Keys::master_file`].
    pub master_file: PathBuf,
    /// Its number.
    pub generation: u32,
}

const fn first() -> u32 {
    1
}

/// What is issued.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// APIs that an instance gets an attestation token for. Default: `["ledger"]`.
    pub audiences: Vec<String>,
    /// For each audience that takes sealed fields, the file with the public key (a P-256 JWK) that they are sealed to. Every instance is told it in its
    /// signed answer, believed or not. Default: none takes any.
    pub sealing_keys: BTreeMap<String, PathBuf>,
    /// Seconds that tokens live, 300 at most. Default: 300.
    pub lifetime: i64,
    /// Seconds that a challenge lives, 120 at most. Default: 120.
    pub challenge_lifetime: u32,
    /// Milliseconds of the slots at whose end answers to evidence leave, so that their time does not tell genuine ones from decoys; a little
    /// more than the work takes. Default: 50.
    pub answer_slot_ms: u32,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            audiences: vec![api::service::LEDGER_AUDIENCE.to_owned()],
            sealing_keys: BTreeMap::new(),
            lifetime: MAX_LIFETIME,
            challenge_lifetime: 120,
            answer_slot_ms: 50,
        }
    }
}

/// What evidence is believed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// `production` trusts Google's and Apple's keys and refuses to start with anything else; `development` may add test roots.
    pub mode: Mode,
    /// Name of this version of the policy; every token and verdict carries it.
    pub id: PolicyId,
    /// The Android app. Absent: no Android instance is genuine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub android: Option<AndroidPolicy>,
    /// The iOS app. Absent: no iOS instance is genuine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apple: Option<ApplePolicy>,
    /// PEM files with roots of emulated phones. Development only.
    #[serde(default)]
    pub test_roots: TestRoots,
}

/// Roots of emulated phones, one PEM certificate per file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestRoots {
    /// Beside Google's.
    pub android: Vec<PathBuf>,
    /// Beside Apple's.
    pub apple: Vec<PathBuf>,
}

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Genuine phones only.
    Production,
    /// Emulated ones too.
    Development,
}

/// The status list, kept fresh by operations: this service reaches nothing outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Revocation {
    /// The list as Google publishes it. Required in production. Its modification time is taken for the time of fetching: that is
    /// operations' word, for the list itself carries neither a date nor a signature. One more than a minute ahead counts as too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Hours after which an unrefreshed list stops Android attestation (503, never a silent pass). Default: 72.
    pub maximum_age_hours: u32,
    /// Fewest entries of a list that is taken, at the start too: where a download is cut off, a restart must not make it the yardstick. Default: 0;
    /// production is well advised to name what today's list has, or half of it.
    pub minimum_entries: usize,
    /// Seconds between looks at the file. Default: 60.
    pub reload_seconds: u32,
}

impl Default for Revocation {
    fn default() -> Self {
        Self { file: None, maximum_age_hours: 72, minimum_entries: 0, reload_seconds: 60 }
    }
}
