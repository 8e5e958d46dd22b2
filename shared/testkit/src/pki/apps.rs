//! The register of apps of a system on one machine, and the keys in it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use api::attestation::Platform;
use defense::ApiKey;

use super::{Pki, write};

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
        let file = self.apps_file();
        if file.exists() {
            return Ok(());
        }
        let pepper = fs::read(self.secret("api-key-pepper"))?;
        let mut register = "# The apps that are let in. The services read it again every two seconds.\n".to_owned();
        for platform in [Platform::Android, Platform::Ios] {
            let name = platform.as_ref();
            self.secret_once(&format!("api-key-{name}"), || {
                Ok(ApiKey::generate().text().expose().clone().into_bytes())
            })?;
            let key = ApiKey::parse(&self.api_key(platform)?).context("the app's key is none")?;
            let mac = hex::encode(key.mac(&pepper));
            write!(
                register,
                "\n[[app]]\nid = \"dev.redoubt.app\"\nplatform = \"{name}\"\nminimum_build = \"1\"\n\n[[app.key]]\nid = \"{}\"\n\
                 mac = \"{mac}\"\nservices = [\"attestation\", \"auth\", \"ledger\"]\nnot_after = 4102444800\n",
                key.id()
            )?;
        }
        write(&file, register.as_bytes(), 0o644)
    }
}
