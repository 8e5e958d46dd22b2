//! The configuration of this service, checked once at the start.
//!
//! The issuer is `public.url`: what clients see, what stands in `iss` and `htu`, and the only origin that may post forms.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use api::ClientId;
use crypto::password::Params;
use defense::DefenseConfig;
use defense::captcha::CaptchaConfig;
use runtime::Common;
use runtime::places::PlacesConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that can be configured.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners, database and telemetry.
    pub common: Common,
    /// The layers before every route. Default: as below, without apps.
    #[serde(default)]
    pub defense: DefenseConfig,
    /// Internal URL of the attestation service (`AUTH__ATTESTATION_URL`).
    pub attestation_url: String,
    /// Internal URL of the ledger (`AUTH__LEDGER_URL`), which says what a payer is asked to approve.
    pub ledger_url: String,
    /// Internal URL of the behavior analytics (`AUTH__BEHAVIOR_URL`), which are told of logins, devices and second factors. Default: nobody is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior_url: Option<String>,
    /// From where people log in, which the behavior analytics are told (`AUTH__PLACES__FILE`). Default: no table of networks, and nothing is said of places.
    #[serde(default)]
    pub places: PlacesConfig,
    /// PKCS#8 DER of the P-256 key that signs tokens (`AUTH__SIGNING_KEY_FILE`), mode 0600.
    pub signing_key_file: PathBuf,
    /// Keys that are published and do not sign: the next one before a rotation, the last one after it. Default: none.
    #[serde(default)]
    pub published_key_files: Vec<PathBuf>,
    /// 32 bytes that go into every password hash and are nowhere in the database (`AUTH__PEPPER_FILE`), mode 0600.
    pub pepper_file: PathBuf,
    /// The key-encryption key of personal data: 32 bytes (`AUTH__KEK_FILE`), mode 0600.
    pub kek_file: PathBuf,
    /// The key of the e-mail look-up: 32 bytes (`AUTH__LOOKUP_KEY_FILE`), mode 0600.
    pub lookup_key_file: PathBuf,
    /// What a password costs.
    #[serde(default)]
    pub password: Password,
    /// When who logs in or registers is asked for a captcha (`AUTH__CAPTCHA__KEY_FILE` and the budgets).
    pub captcha: CaptchaConfig,
    /// The clients. There is no registration at run time.
    pub clients: Vec<ClientMetadata>,
}

/// What a password costs, and how many may be hashed at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Password {
    /// argon2id parameters. Default: 19 MiB, two passes, one lane (OWASP). Hashes follow at the next login.
    pub params: Params,
    /// What hashes that are still stored were made with: three sets at most. Each login computes with each of them too, so that time does not
    /// tell whose hash is old; take a set out when no stored hash has it. Default: none.
    pub retired_params: Vec<Params>,
    /// Hashes at once; each takes the memory above. Default: one per core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroUsize>,
    /// How long a login waits for its turn before it is told to come back. Default: 2000.
    pub max_wait_millis: u64,
}

impl Default for Password {
    fn default() -> Self {
        Self { params: Params::default(), retired_params: Vec::new(), concurrency: None, max_wait_millis: 2000 }
    }
}

/// A client, in the words of RFC 7591 §2.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientMetadata {
    /// The name in protocol messages.
    pub client_id: ClientId,
    /// The name that people are shown.
    pub client_name: String,
    /// Where answers may go; compared exactly.
    pub redirect_uris: Vec<String>,
    /// Space-separated: all that it may ever ask for.
    pub scope: String,
    /// How it proves to be itself.
    pub token_endpoint_auth_method: AuthMethod,
    /// Its public keys (`private_key_jwt` only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
}

/// The two ways in which a client proves to be itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AuthMethod {
    /// The attested app, in the `DPoP` combined mode (draft-ietf-oauth-attestation-based-client-auth).
    AttestJwtClientAuthDpop,
    /// A server with a key of its own (RFC 7523).
    PrivateKeyJwt,
}
