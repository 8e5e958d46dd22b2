//! A phone in software: no evidence worth the name, but real keys and real signatures.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use api::attestation::{Assertion, Evidence};
use async_trait::async_trait;
use crypto::SecretString;
use crypto::p256::SigningKey;
use identity::DeviceSigner;
use mobile_sdk::{
    Attestor, Browser, CallRecord, Clock, DeviceKeys, KeySlot, Observer, Platform, PlatformError, Store, SystemClock,
};
use url::Url;

/// What the browser comes back with, given the authorization URL and the redirect URI.
pub(crate) type Navigation = dyn Fn(&Url, &Url) -> Result<Url, PlatformError> + Send + Sync;

const REFRESH_TOKENS: [&str; 2] = ["redoubt.refresh_token", "redoubt.refresh_token.second"];
const INSTANCES: &str = "redoubt.instances";

pub(crate) struct Phone {
    keys: Mutex<HashMap<KeySlot, Arc<SigningKey>>>,
    store: Mutex<BTreeMap<String, SecretString>>,
    navigation: Box<Navigation>,
    /// Seconds that this phone's clock is wrong.
    pub(crate) offset: AtomicI64,
    pub(crate) calls: Mutex<Vec<CallRecord>>,
    /// Version and patch level.
    pub(crate) system: Mutex<String>,
    /// Keys that are made are not there afterwards.
    pub(crate) keeps_no_keys: AtomicBool,
    /// The vendor's service does not answer.
    pub(crate) has_no_vendor: AtomicBool,
    /// What renewals need is gone from this slot.
    pub(crate) cannot_assert: Mutex<Option<KeySlot>>,
    trouble: Mutex<Trouble>,
}

/// What goes wrong with keys, evidence and storage.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Trouble {
    /// Steps from now until then.
    pub(crate) after: Option<usize>,
    /// The step takes place, and nobody learns it.
    pub(crate) unheard: bool,
    /// From then on nothing works any more, as if the process had ended.
    pub(crate) for_good: bool,
}

impl Phone {
    pub(crate) fn new(navigation: Box<Navigation>) -> Arc<Self> {
        Arc::new(Self {
            keys: Mutex::default(),
            store: Mutex::default(),
            navigation,
            offset: AtomicI64::new(0),
            calls: Mutex::default(),
            system: Mutex::new("16, patched".to_owned()),
            keeps_no_keys: AtomicBool::new(false),
            has_no_vendor: AtomicBool::new(false),
            cannot_assert: Mutex::default(),
            trouble: Mutex::default(),
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

    /// The refresh token in storage. There is never more than one once a call has ended.
    pub(crate) fn refresh_token(&self) -> Option<String> {
        let store = self.store.lock().unwrap();
        let tokens: Vec<_> = REFRESH_TOKENS.iter().filter_map(|name| store.get(*name)).collect();
        assert!(tokens.len() < 2, "{:?}", store.keys());
        tokens.first().map(|token| token.expose().clone())
    }

    /// What another process of the app, or a former user, has left in storage.
    pub(crate) fn keep_refresh_token(&self, token: &str) {
        self.store.lock().unwrap().insert(REFRESH_TOKENS[0].to_owned(), token.to_owned().into());
    }

    /// What is stored beside the fact that there is an instance.
    pub(crate) fn stored(&self) -> Vec<String> {
        self.store.lock().unwrap().keys().filter(|name| *name != INSTANCES).cloned().collect()
    }

    /// Nobody can read any more which instances there are.
    pub(crate) fn garble(&self) {
        self.store.lock().unwrap().insert(INSTANCES.to_owned(), "{".to_owned().into());
    }

    /// Thumbprint of the device key in `slot`.
    pub(crate) fn jkt(&self, slot: KeySlot) -> Option<String> {
        let key = self.keys.lock().unwrap().get(&slot).cloned();
        key.map(|key| DeviceSigner::public(&*key).thumbprint().to_string())
    }

    pub(crate) fn lose_key(&self, slot: KeySlot) {
        self.keys.lock().unwrap().remove(&slot);
    }

    pub(crate) fn set_trouble(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    /// Whether the trouble that was set has come.
    pub(crate) fn had_trouble(&self) -> bool {
        self.trouble.lock().unwrap().after.is_none()
    }

    fn step<T>(&self, step: impl FnOnce() -> T) -> Result<T, PlatformError> {
        let mut trouble = self.trouble.lock().unwrap();
        match trouble.after {
            None if trouble.for_good => Err(PlatformError::Failed),
            None => Ok(step()),
            Some(0) => {
                trouble.after = None;
                if trouble.unheard {
                    step();
                }
                Err(PlatformError::Failed)
            }
            Some(after) => {
                trouble.after = Some(after - 1);
                Ok(step())
            }
        }
    }
}

#[async_trait]
impl DeviceKeys for Phone {
    async fn create(&self, slot: KeySlot, _challenge: &[u8]) -> Result<Arc<dyn DeviceSigner>, PlatformError> {
        self.step(|| {
            let key = Arc::new(SigningKey::generate());
            if !self.keeps_no_keys.load(Ordering::SeqCst) {
                self.keys.lock().unwrap().insert(slot, key.clone());
            }
            key as Arc<dyn DeviceSigner>
        })
    }

    async fn load(&self, slot: KeySlot) -> Result<Option<Arc<dyn DeviceSigner>>, PlatformError> {
        self.step(|| self.keys.lock().unwrap().get(&slot).cloned().map(|key| key as Arc<dyn DeviceSigner>))
    }

    async fn remove(&self, slot: KeySlot) -> Result<(), PlatformError> {
        self.step(|| self.lose_key(slot))
    }
}

#[async_trait]
impl Attestor for Phone {
    async fn attest(&self, _slot: KeySlot, binding: &[u8; 32]) -> Result<Evidence, PlatformError> {
        if self.has_no_vendor.load(Ordering::SeqCst) {
            return Err(PlatformError::Unavailable);
        }
        self.step(|| Evidence::AndroidKey { certificates: vec![crypto::b64::encode_standard(binding)] })
    }

    async fn assert(&self, slot: KeySlot, _binding: &[u8; 32]) -> Result<Option<Assertion>, PlatformError> {
        if *self.cannot_assert.lock().unwrap() == Some(slot) {
            return Err(PlatformError::KeyLost);
        }
        self.step(|| None)
    }

    fn system(&self) -> String {
        self.system.lock().unwrap().clone()
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
        self.step(|| self.store.lock().unwrap().get(name).cloned())
    }

    async fn set(&self, name: &str, value: SecretString) -> Result<(), PlatformError> {
        self.step(|| {
            self.store.lock().unwrap().insert(name.to_owned(), value);
        })
    }

    async fn remove(&self, name: &str) -> Result<(), PlatformError> {
        self.step(|| {
            self.store.lock().unwrap().remove(name);
        })
    }
}

impl Observer for Phone {
    fn finished(&self, call: &CallRecord) {
        self.calls.lock().unwrap().push(call.clone());
    }
}
