//! The running system as the story and the tests see it: addresses and files, written by xtask.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// A running system. xtask writes it as JSON and names the file in `REDOUBT_STACK`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stack {
    /// Public URLs, without a trailing slash, e.g. `https://localhost:7001`.
    pub auth_url: String,
    pub attestation_url: String,
    pub ledger_url: String,
    /// The broker's webhook listener.
    pub broker_url: String,
    /// Whether these lead through the edge.
    pub edge: bool,
    /// Whether services see by which address of 127.0.0.0/8 somebody calls.
    pub places: bool,
    /// The ledger's own public listener, also where the edge stands before it.
    pub ledger_direct_url: String,
    /// Internal (mTLS) URLs.
    pub ledger_internal_url: String,
    /// The broker's internal listener.
    pub broker_internal_url: String,
    /// Every service, in the order in which they are named to people.
    pub services: Vec<Service>,
    /// The sandbox partner.
    pub partner_url: String,
    /// The port by which the broker reaches it, which in containers is another one.
    pub partner_port: u16,
    /// Where the partner's webhooks go, at the broker.
    pub webhook_url: String,
    /// The span collector (plain HTTP on loopback).
    pub collector_url: String,
    /// Directory that `sandbox pki` filled.
    pub pki: PathBuf,
    /// Directory of `<service>.log` files: one JSON object a line.
    pub logs: PathBuf,
    /// Where the HTML report goes.
    pub report: PathBuf,
    /// What to say about the database: the rung of the ladder and the version.
    pub postgres: String,
    /// Milliseconds from the command to a ready system, and what they were spent on.
    pub startup: Vec<StartupStep>,
}

/// Where a service is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Service {
    pub name: String,
    /// None, where the world does not reach it.
    pub public_url: Option<String>,
    /// mTLS.
    pub internal_url: String,
}

/// One step of the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartupStep {
    pub name: String,
    /// How long it took.
    pub millis: u64,
}

impl Stack {
    /// Reads the file named by `REDOUBT_STACK`.
    pub fn from_environment() -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "a test tool's one setting")]
        let path = std::env::var("REDOUBT_STACK")
            .context("REDOUBT_STACK names no file: this program is started by `cargo xtask demo`")?;
        Self::read(&path)
    }

    /// Reads that file.
    pub fn read(path: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        serde_json::from_str(&text).with_context(|| format!("{path} does not describe a running system"))
    }
}
