//! A phone in software: no evidence worth the name, but real keys and real signatures.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use api::attestation::{Assertion, Evidence};
use async_trait::async_trait;
use crypto::SecretString;
use crypto::p256::SigningKey;
use identity::DeviceSigner;
use mobile_sdk::{
    Attestor, Browser, CallRecord, Clock, DeviceKeys, Observer, Platform, PlatformError, Store, SystemClock,
};
use url::Url;

/// What the browser comes back with, given the authorization URL and the redirect URI.
pub(crate) type Navigation = dyn Fn(&Url, &Url) -> Result<Url, PlatformError> + Send + Sync;

const REFRESH_TOKEN: &str = "redoubt.refresh_token";

pub(crate) struct Phone {
    key: Mutex<Option<Arc<SigningKey>>>,
    store: Mutex<HashMap<String, SecretString>>,
    navigation: Box<Navigation>,
    /// Seconds that this phone's clock is wrong.
    pub(crate) offset: AtomicI64,
    pub(crate) calls: Mutex<Vec<CallRecord>>,
}

impl Phone {
    pub(crate) fn new(navigation: Box<Navigation>) -> Arc<Self> {
        Arc::new(Self {
            key: Mutex::default(),
            store: Mutex::default(),
            navigation,
            offset: AtomicI64::new(0),
            calls: Mutex::default(),
        })
    }

    pub(crate) fn platform(self: &Arc<Self>) -> Platform {
        Platform {
            device_keys: self.clone(),
            attestor: self.clone(),
            browser: self.clone(),
            clock: self.clone(),
            store: self.clone(),
            observer: Some(self.clone()),
        }
    }

    /// The refresh token in storage.
    pub(crate) fn refresh_token(&self) -> Option<String> {
        self.store.lock().unwrap().get(REFRESH_TOKEN).map(|token| token.expose().clone())
    }

    /// What another process of the app, or a former user, has left in storage.
    pub(crate) fn keep_refresh_token(&self, token: &str) {
        self.store.lock().unwrap().insert(REFRESH_TOKEN.to_owned(), token.to_owned().into());
    }

    pub(crate) fn stored(&self) -> Vec<String> {
        self.store.lock().unwrap().keys().cloned().collect()
    }
}

#[async_trait]
impl DeviceKeys for Phone {
    async fn create(&self, _challenge: &[u8]) -> Result<Arc<dyn DeviceSigner>, PlatformError> {
        let key = Arc::new(SigningKey::generate());
        *self.key.lock().unwrap() = Some(key.clone());
        Ok(key)
    }

    async fn load(&self) -> Result<Option<Arc<dyn DeviceSigner>>, PlatformError> {
        Ok(self.key.lock().unwrap().clone().map(|key| key as Arc<dyn DeviceSigner>))
    }
}

#[async_trait]
impl Attestor for Phone {
    async fn attest(&self, binding: &[u8; 32]) -> Result<Evidence, PlatformError> {
        Ok(Evidence::AndroidKey { certificates: vec![crypto::b64::encode_standard(binding)] })
    }

    async fn assert(&self, _binding: &[u8; 32]) -> Result<Option<Assertion>, PlatformError> {
        Ok(None)
    }
}

#[async_trait]
impl Browser for Phone {
    async fn authorize(&self, url: &Url, redirect_uri: &Url) -> Result<Url, PlatformError> {
        (self.navigation)(url, redirect_uri)
    }
}

impl Clock for Phone {
    fn unix_nanos(&self) -> i64 {
        SystemClock.unix_nanos() + self.offset.load(Ordering::SeqCst) * 1_000_000_000
    }
}

#[async_trait]
impl Store for Phone {
    async fn get(&self, name: &str) -> Result<Option<SecretString>, PlatformError> {
        Ok(self.store.lock().unwrap().get(name).cloned())
    }

    async fn set(&self, name: &str, value: SecretString) -> Result<(), PlatformError> {
        self.store.lock().unwrap().insert(name.to_owned(), value);
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), PlatformError> {
        self.store.lock().unwrap().remove(name);
        Ok(())
    }
}

impl Observer for Phone {
    fn finished(&self, call: &CallRecord) {
        self.calls.lock().unwrap().push(call.clone());
    }
}
