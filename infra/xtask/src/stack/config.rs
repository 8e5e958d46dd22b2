//! The configuration files of a development system.
//!
//! One function per service, in the words of its `config.rs`; `{service} config --config FILE` reads them back.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::partners;
use super::ports::Ports;

/// Where everything is.
pub(crate) struct Layout<'a> {
    /// What `sandbox pki` made.
    pub(crate) pki: &'a Path,
    /// What `sandbox provision` made.
    pub(crate) databases: &'a Path,
    pub(crate) ports: &'a Ports,
    /// Threads that answer requests, for each service.
    pub(crate) workers: usize,
}

/// The file's text for one service.
pub(crate) fn file(service: &str, layout: &Layout<'_>) -> Result<String> {
    let own = match service {
        "auth" => layout.auth()?,
        "attestation" => layout.attestation(),
        "ledger" => layout.ledger()?,
        "broker" => layout.broker()?,
        other => bail!("there is no configuration for a service `{other}`"),
    };
    Ok(format!(
        "# Made by `cargo xtask` for one run.\nexit_with_parent = true\nworkers = {}\n{own}\n{}",
        layout.workers,
        layout.common(service)?
    ))
}

impl Layout<'_> {
    fn common(&self, service: &str) -> Result<String> {
        let (pki, databases) = (self.pki.display(), self.databases.display());
        let (public, internal) = (self.ports.of(service)?, self.ports.of(&format!("{service}-internal"))?);
        let collector = self.ports.of("collector")?;
        Ok(format!(
            r#"
[public]
listen = "127.0.0.1:{public}"
url = "https://localhost:{public}"
certificate = "{pki}/public/{service}.crt"
key = "{pki}/public/{service}.key"

[internal]
listen = "127.0.0.1:{internal}"
url = "https://localhost:{internal}"
certificate = "{pki}/internal/{service}.crt"
key = "{pki}/internal/{service}.key"
ca = "{pki}/internal-ca.pem"

[database]
url_file = "{databases}/{service}/app.url"

[telemetry]
otlp_endpoint = "http://127.0.0.1:{collector}"
"#
        ))
    }

    fn internal(&self, service: &str) -> Result<String> {
        Ok(format!("https://localhost:{}", self.ports.of(&format!("{service}-internal"))?))
    }

    fn auth(&self) -> Result<String> {
        let (pki, attestation) = (self.pki.display(), self.internal("attestation")?);
        let scope = "openid profile email offline_access accounts:read accounts:write transfers:write payouts:write exchanges:write";
        let jwk_file = self.pki.join("secrets/partner-web.jwk");
        let jwk = std::fs::read_to_string(&jwk_file).with_context(|| jwk_file.display().to_string())?;
        let public_key = public_part(&jwk).context("the key of partner-web cannot be read")?;
        Ok(format!(
            r#"
attestation_url = "{attestation}"
signing_key_file = "{pki}/secrets/auth-signing.pk8"
pepper_file = "{pki}/secrets/auth-pepper"
kek_file = "{pki}/secrets/auth-kek"
lookup_key_file = "{pki}/secrets/auth-lookup-key"

[[clients]]
client_id = "redoubt-mobile"
client_name = "Redoubt"
redirect_uris = ["https://app.redoubt.example/callback"]
scope = "{scope}"
token_endpoint_auth_method = "attest_jwt_client_auth_dpop"

[[clients]]
client_id = "partner-web"
client_name = "Partner on the web"
redirect_uris = ["https://localhost:8400/callback"]
scope = "openid profile email offline_access accounts:read"
token_endpoint_auth_method = "private_key_jwt"
jwks = {{ keys = [{public_key}] }}
"#
        ))
    }

    fn attestation(&self) -> String {
        let pki = self.pki.display();
        format!(
            r#"
[keys]
master_file = "{pki}/secrets/attestation-master"
decoy_master_file = "{pki}/secrets/attestation-decoy-master"
answer_key_file = "{pki}/secrets/attestation-answer.pk8"

[policy]
mode = "development"
id = "development-1"

# The emulated phones' roots, and the synthetic build that runs on them.
[policy.test_roots]
android = ["{pki}/attest/google-test-root.crt"]
apple = ["{pki}/attest/apple-test-root.crt"]

[policy.android]
package = "dev.redoubt.app"
signer_digests = ["03286c2b5c5637f6d30f8098cd3484264da08d0cf959bd2bd6d9cc875fdee149"]

[policy.apple]
team = "REDOUBT001"
bundle = "dev.redoubt.app"
environment = "development"
"#
        )
    }

    fn ledger(&self) -> Result<String> {
        let (auth, attestation, broker) =
            (self.internal("auth")?, self.internal("attestation")?, self.internal("broker")?);
        let (databases, issuer) = (self.databases.display(), self.ports.of("auth")?);
        Ok(format!(
            r#"
auth_url = "{auth}"
attestation_url = "{attestation}"
broker_url = "{broker}"
issuer = "https://localhost:{issuer}"
poster_url_file = "{databases}/ledger/poster.url"
{}"#,
            partners::LEDGER
        ))
    }

    fn broker(&self) -> Result<String> {
        let (pki, ledger, partner) = (self.pki.display(), self.internal("ledger")?, self.ports.of("partner")?);
        let databases = self.databases.display();
        let manifests = crate::place::root().join("services/broker/manifests");
        let partners = partners::BROKER
            .replace("{partner}", &format!("https://localhost:{partner}"))
            .replace("{pki}", &pki.to_string())
            .replace("{manifests}", &manifests.display().to_string());
        Ok(format!(
            r#"
{partners}
[vault]
kek_file = "{pki}/secrets/broker-kek"
floor_file = "{databases}/broker/secrets-floor"

[delivery]
ledger_url = "{ledger}"
"#
        ))
    }
}

/// A key's public members as an inline table of TOML.
fn public_part(jwk: &str) -> Option<String> {
    let jwk: serde_json::Value = serde_json::from_str(jwk).ok()?;
    let member = |name: &str| Some(format!("{name} = {}", jwk.get(name)?));
    let members: Vec<String> =
        ["kty", "crv", "x", "y", "kid", "alg", "use"].iter().filter_map(|name| member(name)).collect();
    Some(format!("{{ {} }}", members.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_private_key_never_enters_the_configuration() {
        let text = public_part(r#"{"kty":"EC","crv":"P-256","x":"eA","y":"eQ","d":"c2VjcmV0","kid":"1"}"#).unwrap();
        assert_eq!(text, r#"{ kty = "EC", crv = "P-256", x = "eA", y = "eQ", kid = "1" }"#);
    }

    #[test]
    fn a_service_that_is_not_known_gets_nobody_elses_configuration() {
        let ports = Ports::free().unwrap();
        let layout = Layout { pki: Path::new("/pki"), databases: Path::new("/db"), ports: &ports, workers: 1 };
        assert!(file("behavior", &layout).is_err());
    }

    #[test]
    fn top_level_keys_stand_before_the_first_section() {
        let ports = Ports::free().unwrap();
        let pki = std::env::temp_dir().join(format!("redoubt-configuration-{}", std::process::id()));
        std::fs::create_dir_all(pki.join("secrets")).unwrap();
        std::fs::write(pki.join("secrets/partner-web.jwk"), r#"{"kty":"EC"}"#).unwrap();
        let layout = Layout { pki: &pki, databases: Path::new("/db"), ports: &ports, workers: 1 };
        for service in ["auth", "attestation", "ledger", "broker"] {
            let text = file(service, &layout).unwrap();
            let first_section = text.find("\n[").unwrap();
            let last_plain = text.find("workers = 1").unwrap();
            assert!(last_plain < first_section, "{text}");
            assert!(!text.contains("migrator"), "a service that serves would know the owner's URL: {text}");
            assert!(!text.contains(":0/") && !text.contains(":0\""), "a port is missing: {text}");
        }
        std::fs::remove_dir_all(&pki).unwrap();
    }
}
