//! Challenges, evidence and what an instance gets for it (`attestation`).
//!
//! The answer to evidence has one shape, whether it is believed or not: see [`Attested`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{AsRefStr, EnumString};

use crate::{AppId, Build, ClientId, SupportId, schema};

/// Operating system of the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, AsRefStr, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Platform {
    /// Android Key Attestation.
    Android,
    /// Apple App Attest.
    Ios,
}

/// What a challenge may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, AsRefStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// `POST /v1/attestations`.
    Attestation,
    /// `POST /v1/assertions`.
    Assertion,
}

/// `POST /v1/challenges`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestChallenge {
    /// The platform whose evidence will come with it.
    pub platform: Platform,
    /// The request that it will be used in.
    pub purpose: Purpose,
}

/// A challenge: single use, bound to platform and purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    /// 32 random bytes, base64url.
    #[schemars(schema_with = "schema::bytes_32")]
    pub challenge: String,
    /// Seconds until it is refused.
    pub expires_in: u32,
}

/// The build of the app that says it is calling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Package name or bundle id.
    pub id: AppId,
    /// Version shown to people.
    pub version: String,
    /// Which build: `longVersionCode` or `CFBundleVersion`.
    pub build: Build,
    /// Which of the two platforms.
    pub platform: Platform,
}

/// Platform evidence for a new instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "format", deny_unknown_fields)]
pub enum Evidence {
    /// Android Key Attestation.
    #[serde(rename = "android-key-attestation")]
    AndroidKey {
        /// DER certificates in standard base64, leaf first.
        #[schemars(schema_with = "schema::base64_list")]
        certificates: Vec<String>,
    },
    /// Apple App Attest.
    #[serde(rename = "apple-app-attest")]
    AppAttest {
        /// SHA-256 of the App Attest public key, standard base64.
        #[schemars(schema_with = "schema::base64")]
        key_id: String,
        /// CBOR, standard base64.
        #[schemars(schema_with = "schema::base64")]
        attestation_object: String,
    },
}

impl Evidence {
    /// What is shown, as it stands in the request.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::AndroidKey { certificates } => certificates.iter().map(String::as_str).collect(),
            Self::AppAttest { key_id, attestation_object } => vec![key_id, attestation_object],
        }
    }
}

/// Platform evidence for a known instance that renews (iOS; Android has only the proof).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "format", deny_unknown_fields)]
pub enum Assertion {
    /// Apple App Attest.
    #[serde(rename = "apple-app-attest")]
    AppAttest {
        /// SHA-256 of the App Attest public key, standard base64.
        #[schemars(schema_with = "schema::base64")]
        key_id: String,
        /// CBOR, standard base64.
        #[schemars(schema_with = "schema::base64")]
        assertion_object: String,
    },
}

impl Assertion {
    /// What is shown, as it stands in the request.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::AppAttest { key_id, assertion_object } => vec![key_id, assertion_object],
        }
    }
}

/// `POST /v1/attestations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attest {
    /// The challenge as it was given.
    #[schemars(schema_with = "schema::bytes_32")]
    pub challenge: String,
    /// The platform; the challenge was made for it.
    pub platform: Platform,
    /// The OAuth client that this instance will be.
    pub client_id: ClientId,
    /// The app that sends it, and its build.
    pub app: App,
    /// The device key, a public P-256 JWK.
    #[schemars(schema_with = "schema::public_jwk")]
    pub device_key: Value,
    /// Uncompressed P-256 point that the session key is sealed to (HPKE), base64url.
    #[schemars(schema_with = "schema::point")]
    pub session_public_key: String,
    /// What the platform says.
    pub evidence: Evidence,
    /// Possession of the device key: a compact JWS over the binding.
    #[schemars(schema_with = "schema::compact_jws")]
    pub proof: String,
}

/// `POST /v1/assertions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assert {
    /// The challenge as it was given.
    #[schemars(schema_with = "schema::bytes_32")]
    pub challenge: String,
    /// The platform; the challenge was made for it.
    pub platform: Platform,
    /// The OAuth client that this instance is.
    pub client_id: ClientId,
    /// The app that sends it, and its build.
    pub app: App,
    /// The device key, a public P-256 JWK.
    #[schemars(schema_with = "schema::public_jwk")]
    pub device_key: Value,
    /// A fresh HPKE key, base64url.
    #[schemars(schema_with = "schema::point")]
    pub session_public_key: String,
    /// What the platform says (required on iOS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
    /// Possession of the device key: a compact JWS over the binding.
    #[schemars(schema_with = "schema::compact_jws")]
    pub proof: String,
}

/// The answer to both: one shape, one size class, whether genuine or decoy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attested {
    /// Random; the operator's log has the verdict under it.
    pub support_id: SupportId,
    /// `OAuth-Client-Attestation` for the authorization server.
    #[schemars(schema_with = "schema::compact_jws")]
    pub client_attestation: String,
    /// One for each API.
    pub tokens: Vec<AudienceToken>,
}

/// An attestation token for one API and the session key that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AudienceToken {
    /// The API that takes the token.
    pub audience: String,
    /// `Attestation-Token`.
    #[schemars(schema_with = "schema::compact_jws")]
    pub token: String,
    /// Seconds until the token expires.
    pub expires_in: u32,
    /// The session key, sealed.
    pub session_key: SealedKey,
    /// A public P-256 JWK of the API: what no stranger on the way may read is sealed to it, for as long as this session lasts. Absent
    /// if the API takes nothing sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::public_jwk")]
    pub sealing_key: Option<Value>,
}

/// An HPKE message (RFC 9180 base mode).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SealedKey {
    /// Encapsulated key, base64url.
    #[schemars(schema_with = "schema::base64url_text")]
    pub enc: String,
    /// Ciphertext and tag, base64url.
    #[schemars(schema_with = "schema::base64url_text")]
    pub ciphertext: String,
}
