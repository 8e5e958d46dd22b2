//! The register of apps of a system on one machine, and the keys in it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use api::attestation::Platform;
use defense::ApiKey;
use serde::{Deserialize, Serialize};

use super::{Pki, write};
use crate::phone::{android, app_id, ios};

/// What the app on the emulated phones is called and who has signed it, for the configuration that is to believe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    pub(super) package: String,
    /// SHA-256 of the certificate that signs the package, in hexadecimal.
    signer_digest: String,
    team: String,
    bundle: String,
}

impl App {
    pub(super) fn ours() -> Self {
        Self {
            package: android::PACKAGE.to_owned(),
            signer_digest: hex::encode(android::genuine_signer()),
            team: ios::TEAM.to_owned(),
            bundle: ios::BUNDLE.to_owned(),
        }
    }
}

impl Pki {
    /// The register of apps that the services read.
    pub fn apps_file(&self) -> PathBuf {
        self.dir.join("apps.toml")
    }

    /// The API key that the app has on a platform. It is in every copy of the app: no secret.
    pub fn api_key(&self, platform: Platform) -> Result<String> {
        Ok(fs::read_to_string(self.secret(&format!("api-key-{}", platform.as_ref())))?)
    }

    /// The register of apps, with a key for each platform of the one app.
    pub(super) fn apps(&self) -> Result<()> {
        let about = self.dir.join("app.json");
        if !about.exists() {
            write(&about, serde_json::to_string(&App::ours())?.as_bytes(), 0o644)?;
        }
        let file = self.apps_file();
        if file.exists() {
            return Ok(());
        }
        let pepper = fs::read(self.secret("api-key-pepper"))?;
        let mut register = "# The apps that are let in. The services read it again every two seconds.\n".to_owned();
        for platform in [Platform::Android, Platform::Ios] {
            let name = platform.as_ref();
            let app = app_id(platform);
            self.secret_once(&format!("api-key-{name}"), || {
                Ok(ApiKey::generate().text().expose().clone().into_bytes())
            })?;
            let key = ApiKey::parse(&self.api_key(platform)?).context("the app's key is none")?;
            let mac = hex::encode(key.mac(&pepper));
            write!(
                register,
                "\n[[app]]\nid = \"{app}\"\nplatform = \"{name}\"\nminimum_build = \"1\"\n\n[[app.key]]\nid = \"{}\"\n\
                 mac = \"{mac}\"\nservices = [\"attestation\", \"auth\", \"ledger\"]\nnot_after = 4102444800\n",
                key.id()
            )?;
        }
        write(&file, register.as_bytes(), 0o644)
    }
}
