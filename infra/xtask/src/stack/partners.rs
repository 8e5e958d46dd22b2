//! The partners of a development system: who they are stands in `infra/partners.json` and in the services' `dev.toml`, and not here.

use anyhow::{Context as _, Result};
use serde_json::Value;

const PARTNERS: &str = include_str!("../../../partners.json");

/// A secret to be sealed.
pub(super) struct Secret {
    /// The provider that it is for.
    pub(super) provider: String,
    /// Its id in the manifest.
    pub(super) id: String,
    /// The file in the PKI's folder of secrets.
    pub(super) file: String,
}

/// The provider whose webhooks they are.
pub(super) fn webhooks() -> Result<String> {
    text(&read()?, "webhooks")
}

/// The secrets of all of them.
pub(super) fn secrets() -> Result<Vec<Secret>> {
    let partners = read()?;
    let secrets = partners.get("secrets").and_then(Value::as_array).context("partners.json names no secrets")?;
    let secret =
        |entry| Ok(Secret { provider: text(entry, "provider")?, id: text(entry, "id")?, file: text(entry, "file")? });
    secrets.iter().map(secret).collect()
}

fn read() -> Result<Value> {
    serde_json::from_str(PARTNERS).context("partners.json")
}

fn text(entry: &Value, name: &str) -> Result<String> {
    Ok(entry.get(name).and_then(Value::as_str).with_context(|| format!("partners.json: {name}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place;

    #[test]
    fn every_partner_with_a_secret_is_one_that_the_broker_serves() {
        let broker = std::fs::read_to_string(place::root().join("services/broker/dev.toml")).unwrap();
        assert!(broker.contains(&format!("[providers.{}]", webhooks().unwrap())));
        for secret in secrets().unwrap() {
            assert!(broker.contains(&format!("[providers.{}]", secret.provider)), "{}", secret.provider);
        }
    }
}
