//! What the SDK needs of the phone, as traits. Kotlin and Swift implement them; so do the emulated phones of `testkit`.
//!
//! There is no code for an operating system in this crate: everything that differs between platforms is behind these
//! traits, so what is tested here is what runs there.

use std::sync::Arc;

use api::attestation::{Assertion, Evidence};
use async_trait::async_trait;
use crypto::SecretString;
use identity::DeviceSigner;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

/// Why the platform could not do it. No text of the platform: stack traces and paths must not reach logs or servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlatformError {
    /// The person went back.
    #[error("cancelled by the user")]
    Cancelled,
    /// Not now: locked, or the vendor's service does not answer. Try later.
    #[error("not available at the moment")]
    Unavailable,
    /// The key is gone (reinstalled, restored, locked out). The app must call [`crate::Client::enroll`] again.
    #[error("the key is lost")]
    KeyLost,
    /// Any other failure of the operating system.
    #[error("the platform failed")]
    Failed,
}

impl PlatformError {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "platform.cancelled",
            Self::Unavailable => "platform.unavailable",
            Self::KeyLost => "platform.key_lost",
            Self::Failed => "platform.failed",
        }
    }
}

/// Where an instance's keys are. There are two places, so that a new instance is made beside the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySlot {
    /// The place of a phone's first instance.
    First,
    /// The place of the one that follows; the next one is in the first again.
    Second,
}

impl KeySlot {
    /// Both slots.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// The slot that is not this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Device keys: P-256, made in hardware, never exported (Secure Enclave, `StrongBox` or TEE). At most one in each slot.
#[async_trait]
pub trait DeviceKeys: Send + Sync {
    /// Makes a device key in `slot`, in place of a former one there, and leaves the other slot alone.
    ///
    /// On Android `challenge` goes into the key's attestation; iOS has no use for it.
    async fn create(&self, slot: KeySlot, challenge: &[u8]) -> Result<Arc<dyn DeviceSigner>, PlatformError>;

    /// The device key in `slot`, perhaps of an earlier run, if there is one.
    async fn load(&self, slot: KeySlot) -> Result<Option<Arc<dyn DeviceSigner>>, PlatformError>;

    /// Destroys what is in `slot`: the device key and, on iOS, the App Attest key that goes with it. There need not be any.
    async fn remove(&self, slot: KeySlot) -> Result<(), PlatformError>;
}

/// Evidence of the platform about app and device, over a binding that the SDK computes.
#[async_trait]
pub trait Attestor: Send + Sync {
    /// Evidence for a new instance: Android the chain of the device key in `slot`, iOS an App Attest object over `binding` by a new
    /// App Attest key, which belongs to `slot` from now on.
    async fn attest(&self, slot: KeySlot, binding: &[u8; 32]) -> Result<Evidence, PlatformError>;

    /// Evidence for a renewal: iOS an assertion over `binding` by the App Attest key of `slot`; Android has none, the device key's
    /// proof is enough.
    async fn assert(&self, slot: KeySlot, binding: &[u8; 32]) -> Result<Option<Assertion>, PlatformError>;

    /// The operating system as evidence would describe it, version and patch level, in any spelling: it is compared with itself only
    /// and never sent. Another text than at enrolment says that evidence would now show something else.
    fn system(&self) -> String;
}

/// The system browser (Custom Tabs, `ASWebAuthenticationSession`); never a web view, which the app could read (RFC 8252 §8.12).
#[async_trait]
pub trait Browser: Send + Sync {
    /// Shows `url` until the browser is sent to `redirect_uri`; returns the whole URL that it was sent to.
    async fn authorize(&self, url: &Url, redirect_uri: &Url) -> Result<Url, PlatformError>;
}

/// What time it is on the phone; it may be wrong.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the Unix epoch.
    fn unix_nanos(&self) -> i64;

    /// Seconds since the Unix epoch.
    fn unix(&self) -> i64 {
        self.unix_nanos().div_euclid(1_000_000_000)
    }
}

/// Secure storage (Keystore-encrypted preferences, Keychain), excluded from backups. It is read at the beginning of every call, so it has to be
/// readable whenever the device key can be used. A value is replaced as a whole or not at all.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads an entry; `None` if there is none.
    async fn get(&self, name: &str) -> Result<Option<SecretString>, PlatformError>;
    /// Writes an entry in place of a former one.
    async fn set(&self, name: &str, value: SecretString) -> Result<(), PlatformError>;
    /// Removes an entry; it need not exist.
    async fn remove(&self, name: &str) -> Result<(), PlatformError>;
}

/// One logical call as the phone saw it: the root span of its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// W3C trace id, 32 hexadecimal digits; the same in every service's telemetry.
    pub trace_id: String,
    /// W3C span id, 16 hexadecimal digits; the parent of the services' root spans.
    pub span_id: String,
    /// Which call, e.g. `transfer`.
    pub name: &'static str,
    /// When it began, Unix nanoseconds.
    pub start: i64,
    /// When it ended, Unix nanoseconds.
    pub end: i64,
    /// `None` when it succeeded, else the error's stable code.
    pub error: Option<String>,
}

/// Is told about every finished call; it must return quickly.
pub trait Observer: Send + Sync {
    /// A call has ended.
    fn finished(&self, call: &CallRecord);
}

/// A phone, as far as the SDK is concerned.
#[derive(Clone)]
pub struct Platform {
    /// Makes and loads device keys.
    pub device_keys: Arc<dyn DeviceKeys>,
    /// Gathers evidence about app and device.
    pub attestor: Arc<dyn Attestor>,
    /// Opens the login page.
    pub browser: Arc<dyn Browser>,
    /// Tells the phone's time.
    pub clock: Arc<dyn Clock>,
    /// Keeps what must survive a restart.
    pub store: Arc<dyn Store>,
    /// Told about finished calls.
    pub observer: Option<Arc<dyn Observer>>,
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the phone's clock")]
    fn unix_nanos(&self) -> i64 {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
    }
}
