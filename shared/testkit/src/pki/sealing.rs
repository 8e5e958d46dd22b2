//! The key that phones seal fields for the ledger to.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use crypto::agreement::AgreementKey;
use identity::Jwk;

use super::{Pki, write};

impl Pki {
    /// The file with the public half, as the attestation service gives it out.
    pub fn sealing_key_file(&self) -> PathBuf {
        self.dir.join("ledger-sealing.jwk")
    }

    /// That public half.
    pub fn ledger_sealing_key(&self) -> Result<Jwk> {
        let file = self.sealing_key_file();
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Writes it beside the private one.
    pub(super) fn sealing_key(&self) -> Result<()> {
        let file = self.sealing_key_file();
        if file.exists() {
            return Ok(());
        }
        let key = AgreementKey::from_pkcs8(&fs::read(self.secret("ledger-sealing.pk8"))?)?;
        write(&file, Jwk::from(key.public()).to_value().to_string().as_bytes(), 0o644)
    }
}
