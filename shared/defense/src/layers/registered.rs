//! A register of apps in a file, for tests.

use std::sync::Arc;

use crypto::SecretBytes;

use crate::{ApiKey, ApiKeyLayer, Keyed, RegisterFile};

const NOW: i64 = 1_800_000_000;

/// A register in a file, with one key that is good.
pub(crate) struct Registered {
    pub(crate) key: ApiKey,
    pub(crate) folder: std::path::PathBuf,
    pub(crate) file: Arc<RegisterFile>,
}

pub(crate) const PEPPER: &[u8] = b"0123456789abcdef0123456789abcdef";

impl Registered {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("redoubt-apps-{name}-{}", crypto::random::token(8)));
        std::fs::create_dir_all(&folder).unwrap();
        let key = ApiKey::generate();
        let path = folder.join("apps.toml");
        std::fs::write(&path, text(&key, "")).unwrap();
        Self { key, file: Arc::new(RegisterFile::open(&path).unwrap()), folder }
    }

    pub(crate) fn layer(&self, keyed: Keyed) -> ApiKeyLayer {
        ApiKeyLayer::new(Arc::clone(&self.file), SecretBytes::new(PEPPER.to_vec()), "ledger", keyed)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

pub(crate) fn text(key: &ApiKey, more: &str) -> String {
    format!(
        "[[app]]\nid = \"dev.redoubt.app\"\nplatform = \"android\"\nminimum_build = \"10\"\n[[app.key]]\nid = \"{}\"\n\
         mac = \"{}\"\nservices = [\"ledger\"]\nnot_after = {}\n{more}",
        key.id(),
        hex::encode(key.mac(PEPPER)),
        NOW + 60,
    )
}
