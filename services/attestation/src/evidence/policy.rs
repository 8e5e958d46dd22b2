//! What the operator asks of evidence, as data: read from configuration, named by an id that every token carries.

use api::{AppId, Build, ClientId};
pub use identity::Level;
use serde::{Deserialize, Serialize};

use super::Reason;

/// What an Android instance must be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AndroidPolicy {
    /// The OAuth client that this app is. Default: `redoubt-mobile`.
    #[serde(default = "defaults::client_id")]
    pub client_id: ClientId,
    pub package: AppId,
    /// SHA-256 of the signing certificates, hexadecimal; the evidence must have exactly these.
    #[serde(with = "hex_digests")]
    pub signer_digests: Vec<[u8; 32]>,
    /// Lowest `longVersionCode` that is let in.
    #[serde(default = "defaults::build")]
    pub minimum_build: Build,
    /// Lowest level.
    #[serde(default = "defaults::level")]
    pub minimum_level: Level,
    /// Lowest attestation version (3 is Keymaster 4, Android 9).
    #[serde(default = "defaults::attestation_version")]
    pub minimum_attestation_version: u64,
    /// How the attesting key must have come to the device: `"any"`, `"remote"`, or `{ remote_from_version = N }`, which asks for remote
    /// provisioning where the attestation version is N or above. Keys from the factory leak and live as long as the phone; remote ones
    /// live for weeks. Refuses only once `android.provisioning` is taken out of `shadow`.
    #[serde(default)]
    pub provisioning: RequiredProvisioning,
    /// How many years an attesting certificate may be older than the attestation version that it attests. The longest support that a maker
    /// promises is seven years, and chips are provisioned up to a year before they are sold. 0 asks nothing.
    #[serde(default = "defaults::certificate_lead")]
    pub maximum_certificate_lead_years: u32,
    /// Lowest system patch level, `YYYYMM`.
    #[serde(default)]
    pub minimum_patch: u32,
    /// How many months a patch level may be ahead of `now`. A genuine Pixel 9 Pro on a beta is two months ahead.
    #[serde(default = "defaults::patch_lead")]
    pub patch_lead_months: u32,
    /// Seconds between the making of the key, by the device's clock, and `now`.
    #[serde(default = "defaults::creation_age")]
    pub creation_age: i64,
    /// Seconds that the phone's clock may be ahead.
    #[serde(default = "defaults::creation_skew")]
    pub creation_skew: i64,
    /// Most certificates issued to the device in 30 days (remote provisioning); 0 means any number.
    #[serde(default)]
    pub maximum_issued: u64,
    /// Most instances that one attestation key enrols on one day (UTC).
    #[serde(default)]
    pub daily_enrolments: DailyEnrolments,
    /// Accept a leaf whose issuer *name* is not its parent's subject although the parent's key signed it. A few genuine models of
    /// 2018 (POCOPHONE F1, AUM-L29) are made so; no signature rests on the name.
    #[serde(default)]
    pub accept_leaf_issuer_mismatch: bool,
    /// Rules that are evaluated and logged but do not refuse; in production only those of [`Reason::may_be_shadowed`]. Default:
    /// `["android.creation_time", "android.provisioning"]`, because a clock that is wrong is no lie (the single-use challenge proves
    /// freshness), and genuine phones with factory keys are many. A list of your own replaces it.
    #[serde(default = "defaults::shadow")]
    pub shadow: Vec<Reason>,
}

/// How many instances may share an attestation key in a day, by how it came to the device. 0 means any number.
///
/// Of each, a genuine phone beyond it is not believed until tomorrow, so a limit lies well above what honest phones do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DailyEnrolments {
    /// Burnt in by the maker, and the same in a batch of some 100,000 phones. Default: 1000.
    pub factory: u32,
    /// Fetched from Google for one phone. Default: 20.
    pub remote: u32,
}

impl Default for DailyEnrolments {
    fn default() -> Self {
        Self { factory: 1000, remote: 20 }
    }
}

/// How an attesting key must have come to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequiredProvisioning {
    /// From the factory or from Google.
    Any,
    /// From Google, for some weeks.
    Remote,
    /// From Google, if the attestation version is this or above.
    RemoteFromVersion(u64),
}

impl Default for RequiredProvisioning {
    /// `KeyMint` 3: what is sold with it can be provisioned remotely.
    fn default() -> Self {
        Self::RemoteFromVersion(300)
    }
}

/// What an iOS instance must be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplePolicy {
    /// The OAuth client that this app is. Default: `redoubt-mobile`.
    #[serde(default = "defaults::client_id")]
    pub client_id: ClientId,
    /// The team id, ten characters.
    pub team: String,
    pub bundle: AppId,
    /// Which App Attest environment, and only that.
    pub environment: AppleEnvironment,
    /// Lowest `CFBundleVersion` that is let in: an integer, or a text such as `"1.4.10"`, compared component by component.
    #[serde(default = "defaults::build")]
    pub minimum_build: Build,
    /// Ways to the device that are allowed where iOS tells (27 and later): 2 is `TestFlight`, 4 the App Store. Empty: any.
    #[serde(default = "defaults::categories")]
    pub validation_categories: Vec<u32>,
    /// Systems that are let in where Apple's certificate tells (iOS 18 and later): `iphoneos` is an iPhone's and an iPad's, `macosx` a
    /// Mac's (macOS 27 and later), which must be in Full Security. Empty: any.
    #[serde(default = "defaults::platforms")]
    pub platforms: Vec<String>,
    /// Rules that are evaluated and logged but do not refuse; in production only those of [`Reason::may_be_shadowed`].
    #[serde(default)]
    pub shadow: Vec<Reason>,
}

impl ApplePolicy {
    /// `TeamID.BundleID`, whose SHA-256 stands in every App Attest object.
    pub fn app_id(&self) -> String {
        format!("{}.{}", self.team, self.bundle)
    }
}

/// App Attest environment (the `aaguid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppleEnvironment {
    /// Distributed builds.
    Production,
    /// Builds from Xcode.
    Development,
}

impl AppleEnvironment {
    /// The `aaguid` of keys made in this environment.
    pub const fn aaguid(self) -> &'static [u8; 16] {
        match self {
            Self::Production => b"appattest\0\0\0\0\0\0\0",
            Self::Development => b"appattestdevelop",
        }
    }
}

mod defaults {
    use super::{Build, ClientId, Level, Reason};

    pub(super) fn client_id() -> ClientId {
        "redoubt-mobile".into()
    }
    pub(super) fn build() -> Build {
        Build::from(0)
    }
    pub(super) const fn level() -> Level {
        Level::Tee
    }
    pub(super) const fn attestation_version() -> u64 {
        3
    }
    pub(super) const fn certificate_lead() -> u32 {
        8
    }
    pub(super) const fn patch_lead() -> u32 {
        3
    }
    pub(super) const fn creation_age() -> i64 {
        300
    }
    pub(super) const fn creation_skew() -> i64 {
        120
    }
    pub(super) fn shadow() -> Vec<Reason> {
        vec![Reason::CreationTime, Reason::ProvisioningRefused]
    }
    pub(super) fn platforms() -> Vec<String> {
        vec!["iphoneos".to_owned()]
    }
    pub(super) fn categories() -> Vec<u32> {
        vec![4]
    }
}

/// Lists of SHA-256 digests as hexadecimal text.
mod hex_digests {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(digests: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(digests.iter().map(hex::encode))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 32]>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts
            .iter()
            .map(|text| parse(text).ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits (colons allowed)")))
            .collect()
    }

    fn parse(text: &str) -> Option<[u8; 32]> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text.replace(':', ""), &mut digest).ok().map(|()| digest)
    }
}
