//! A provider's manifest as written: TOML, every key known, every default the safe one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::format::{RateSheet, ResponseKind};
use super::parameter::Parameter;
use super::webhook::WebhookManifest;
use super::word::{Shape, Standings};
use crate::ids::{OperationName, ProviderName, SecretId};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The file that it was read from, for whoever has to correct it.
    #[serde(skip)]
    pub origin: String,
    /// Its name: in paths, in the AAD of its secrets, in metrics.
    pub name: ProviderName,
    /// One sentence for people.
    pub description: String,
    /// `https://host[:port][/prefix]`; the host is a name, never an address.
    pub base_url: String,
    /// How requests are authenticated; absent: not at all.
    pub auth: Option<Auth>,
    /// Bounds on what all callers together may ask.
    #[serde(default)]
    pub limits: Limits,
    /// When to stop asking a provider that fails.
    #[serde(default)]
    pub breaker: Breaker,
    /// What can be asked, by name.
    #[serde(default)]
    pub operations: BTreeMap<OperationName, OperationManifest>,
    /// What it may tell us; absent: its webhooks are refused.
    pub webhook: Option<WebhookManifest>,
    /// The oldest TLS that is spoken with it. Default: 1.3.
    #[serde(default)]
    pub tls: Tls,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Tls {
    /// RFC 8446.
    #[default]
    #[serde(rename = "1.3")]
    V13,
    /// RFC 5246, for a provider that has nothing newer: still with forward secrecy and an AEAD, without encrypted certificates.
    #[serde(rename = "1.2")]
    V12,
}

/// Where a secret goes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    /// `Authorization: Bearer <secret>` (RFC 6750 §2.1).
    Bearer { secret: SecretId },
    /// A field of the form that every one of its operations sends.
    Form {
        secret: SecretId,
        /// What the provider calls it.
        field: String,
    },
}

impl Auth {
    /// The id of the secret.
    pub fn secret(&self) -> &SecretId {
        match self {
            Self::Bearer { secret } | Self::Form { secret, .. } => secret,
        }
    }
}

/// Bulkhead and quota.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests in flight.
    pub concurrency: u16,
    /// Requests per minute and caller.
    pub calls_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 32, calls_per_minute: 600 }
    }
}

/// Circuit breaker.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Consecutive failures that open it.
    pub failures: u32,
    /// How long it stays open before one request may try.
    pub open_seconds: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, open_seconds: 10 }
    }
}

/// Something that can be asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OperationManifest {
    /// Which services may ask, by the name in their SPIFFE id.
    pub callers: Vec<String>,
    pub method: Method,
    /// Path below the base URL; `{name}` stands for a parameter.
    pub path: String,
    /// Typed parameters by name. What is not listed is refused.
    #[serde(default)]
    pub params: BTreeMap<String, Parameter>,
    /// How a body is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// Whether a request that may have arrived can be sent again.
    #[serde(default)]
    pub retry: Retry,
    /// Attempts in all, when `retry` allows.
    #[serde(default = "one")]
    pub attempts: u8,
    /// The header that carries the idempotency key; it makes the key mandatory.
    pub idempotency_header: Option<String>,
    /// Time for one attempt, connection and body included. No more than three quarters of it go into finding and making a connection.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u32,
    pub response: Response,
    /// Reuse of answers; absent: every call is sent.
    pub cache: Option<Cache>,
    /// Statuses of the agreed answer to a question. Default: 200 and 201. Another of the 2xx says that something happened, but not what.
    #[serde(default = "ok_or_created")]
    pub success: Vec<u16>,
    /// What it is for. Default: a GET is a query, a POST an order.
    pub kind: Option<Kind>,
    /// The answers by which the provider takes an order. Mandatory for an order; any other answer leaves its outcome unknown.
    #[serde(default)]
    pub accepted: Vec<Shape>,
    /// The answers by which it refuses an order for good. Default: none, so nothing but silence is certain.
    #[serde(default)]
    pub refusals: Vec<Shape>,
    /// What its texts mean. Mandatory for the kind `status`.
    pub standings: Option<Standings>,
}

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Only reads: asked twice, nothing has happened twice.
    Query,
    /// Has an effect. It ends accepted, refused or unknown.
    Order,
    /// Asks whether something is so: that a token is good, which is good once; that an account belongs to a name. A POST, sent once, and no order: without
    /// an answer nothing is on anybody's books, and whoever asked knows nothing.
    Check,
    /// Asks where an order stands. The answer has a member `outcome`: `accepted`, `paid`, `failed` or `returned`.
    Status,
}

/// Methods that an operation can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads; never an effect.
    Get,
    /// May have an effect.
    Post,
}

/// How the parameters of the body are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// JSON.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Sent once.
    #[default]
    Never,
    /// Sent again after a failure: the method has no effect, or the key makes the effect happen once.
    Idempotent,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// How to read it.
    pub kind: ResponseKind,
    /// Which fields pass and their types, `name:type`, or `ours=theirs:type` (see [`super::fields`]).
    pub fields: Vec<String>,
    /// The words of a rate sheet. Mandatory for it.
    pub sheet: Option<RateSheet>,
    /// Bytes that are read at most.
    #[serde(default = "sixty_four_kib")]
    pub max_bytes: u32,
}

/// Reuse of an answer to the same parameters.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// How long it is as good as new.
    pub seconds: u32,
    /// For how long after that it still serves when the provider does not answer.
    #[serde(default)]
    pub stale_seconds: u32,
}

fn ok_or_created() -> Vec<u16> {
    vec![200, 201]
}

fn one() -> u8 {
    1
}

fn five_seconds() -> u32 {
    5_000
}

fn sixty_four_kib() -> u32 {
    64 * 1024
}
