//! A running system as the story and the phones read it (`e2e::stack::Stack`).

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use system::system;

use super::{Ports, partners};

pub(crate) struct Description<'a> {
    /// By which this machine reaches each listener.
    pub(crate) ports: &'a Ports,
    pub(crate) edge: bool,
    /// Whether the services see by which loopback address somebody calls.
    pub(crate) places: bool,
    pub(crate) pki: &'a Path,
    pub(crate) logs: &'a Path,
    pub(crate) report: &'a Path,
    /// What to say about the database.
    pub(crate) postgres: &'a str,
    pub(crate) startup: &'a [(String, Duration)],
}

impl Description<'_> {
    pub(crate) fn json(&self) -> Result<Value> {
        let url = |name: &str| self.ports.url(name, self.edge);
        let startup: Vec<Value> = self
            .startup
            .iter()
            .map(|(name, time)| json!({ "name": name, "millis": u64::try_from(time.as_millis()).unwrap_or(u64::MAX) }))
            .collect();
        let mut services = Vec::new();
        for service in &system()?.services {
            let internal = url(&format!("{}-internal", service.name))?;
            let public = service.public.map(|_| url(&service.name)).transpose()?;
            services.push(json!({ "name": service.name, "public_url": public, "internal_url": internal }));
        }
        Ok(json!({
            "services": services,
            "auth_url": url("auth")?,
            "attestation_url": url("attestation")?,
            "ledger_url": url("ledger")?,
            "broker_url": url("broker")?,
            "edge": self.edge,
            "places": self.places,
            "ledger_direct_url": format!("https://localhost:{}", self.ports.of("ledger")?),
            "ledger_internal_url": url("ledger-internal")?,
            "broker_internal_url": url("broker-internal")?,
            "partner_url": url("partner")?,
            "partner_port": self.ports.inside("partner")?,
            "webhook_url": format!("{}/webhooks/{}", url("broker")?, partners::webhooks()?),
            "collector_url": format!("http://127.0.0.1:{}", self.ports.of("collector")?),
            "pki": self.pki,
            "logs": self.logs,
            "report": self.report,
            "postgres": self.postgres,
            "startup": startup,
        }))
    }
}
