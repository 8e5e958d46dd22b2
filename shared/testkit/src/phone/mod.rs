//! Emulated phones, for tests and the demonstration. **Everything here is synthetic**: keys are made in software, and the
//! evidence ends in test roots ([`crate::pki`]) that only a development policy trusts.
//!
//! What is genuine is the shape: names, extensions, tags and encodings are those of real devices (tests compare them with
//! the samples under `REDOUBT_VECTORS`). A phone implements the platform traits of `mobile-sdk`, so the SDK runs on it
//! unchanged; its profile's fields and `attack` are the knobs of an attacker.

pub mod android;
mod apple_extensions;
mod certificate;
mod der;
mod hardware;
pub mod ios;
mod key_description;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use api::attestation::Platform;
use async_trait::async_trait;
use crypto::SecretString;
use mobile_sdk::{PlatformError, Store};

pub use android::AndroidPhone;
pub use ios::IosPhone;

/// What the app is called on a platform.
pub fn app_id(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => android::PACKAGE,
        Platform::Ios => ios::BUNDLE,
    }
}

/// Secure storage of an emulated phone: memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<HashMap<String, SecretString>>);

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, name: &str) -> Result<Option<SecretString>, PlatformError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    async fn set(&self, name: &str, value: SecretString) -> Result<(), PlatformError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), PlatformError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }
}
