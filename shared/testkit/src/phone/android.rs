//! An emulated Android phone. **Synthetic**: its chains end in a test root, never in Google's.
//!
//! It has a trusted execution environment that makes P-256 keys and describes them in a Key Attestation chain with the names and
//! extensions that genuine phones have ([`super::hardware`]). On Android the evidence's binding is the attestation challenge, so a key is
//! made *for* one attestation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use chrono::{DateTime, Datelike as _, Months};
use crypto::hash::sha256;
use crypto::p256::SigningKey;
use identity::DeviceSigner;
use mobile_sdk::{Attestor, Browser, Clock, DeviceKeys, KeySlot, Platform, PlatformError, SystemClock};
use rcgen::{
    CertificateParams, CustomExtension, DnType, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};

use super::MemoryStore;
use super::certificate::{HardwareKey, empty, validity};
use super::hardware::Hardware;
pub use super::hardware::Provisioning;
pub use super::key_description::{Boot, SecurityLevel};
use super::key_description::{KeyDescription, OID};
use crate::pki::TestRoot;

/// The package that emulated Android phones run.
pub const PACKAGE: &str = "dev.redoubt.app";
/// SHA-256 of the certificate that signs the genuine build (hex: see [`genuine_signer`]).
const SIGNER_LABEL: &[u8] = b"Redoubt synthetic app signing certificate";

/// The digest of the certificate that signs the genuine build; synthetic, the same everywhere.
pub fn genuine_signer() -> [u8; 32] {
    sha256(SIGNER_LABEL)
}

/// What phone it is, what runs on it, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct DeviceProfile {
    /// Package that asks for the key.
    pub package: String,
    /// Its `longVersionCode`.
    pub package_version: u64,
    /// Its `versionName`.
    pub version_name: String,
    /// SHA-256 of the certificate that signed it. Another one: a repackaged app.
    pub signer_digest: [u8; 32],
    /// Where the keys of the phone live.
    pub level: SecurityLevel,
    /// How the attestation key came into the phone.
    pub provisioning: Provisioning,
    /// What the boot loader has found.
    pub boot: Boot,
    /// Version of the key description's schema.
    pub attestation_version: u32,
    /// Android's version as `MMmmss`.
    pub os_version: u32,
    /// Age of the security patch in months.
    pub patch_age_months: u32,
    /// How the evidence lies, if it does.
    pub attack: Option<AndroidAttack>,
}

/// Lies that the profile's own fields cannot tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AndroidAttack {
    /// The chain is made for this challenge, whatever the server asked: evidence recorded earlier.
    ReplayedChallenge(Vec<u8>),
    /// The chain describes a key of the hardware, but the app signs with another one.
    OtherKey,
    /// A leaf more: the app's own hardware key signs a certificate with a description of the attacker's liking.
    ChainExtension,
}

impl DeviceProfile {
    /// A genuine build on a locked, patched phone of these years, which Google provisions.
    pub fn genuine() -> Self {
        Self {
            package: PACKAGE.to_owned(),
            package_version: 1,
            version_name: "1.0.0".to_owned(),
            signer_digest: genuine_signer(),
            level: SecurityLevel::TrustedEnvironment,
            provisioning: Provisioning::Remote { issued: 8 },
            boot: Boot::Verified,
            attestation_version: 400,
            os_version: 160_000,
            patch_age_months: 1,
            attack: None,
        }
    }

    /// The genuine app on an older phone, whose attestation key the maker has burnt in.
    pub fn factory() -> Self {
        Self { provisioning: Provisioning::Factory, attestation_version: 300, ..Self::genuine() }
    }

    /// The same app, changed and signed by somebody else.
    pub fn repackaged() -> Self {
        Self { signer_digest: sha256(b"somebody else's signing certificate"), ..Self::genuine() }
    }

    /// The genuine app on a phone whose boot loader is unlocked.
    pub fn unlocked() -> Self {
        Self { boot: Boot::Unlocked, ..Self::genuine() }
    }
}

/// A phone. It serves one app; share it in an [`Arc`].
pub struct AndroidPhone {
    profile: DeviceProfile,
    hardware: Arc<Hardware>,
    clock: Arc<dyn Clock>,
    keys: Mutex<Keys>,
}

/// What the app has had made.
#[derive(Default)]
struct Keys {
    slots: HashMap<KeySlot, Generated>,
    /// Where the last one is.
    latest: Option<KeySlot>,
}

struct Generated {
    key: Arc<SigningKey>,
    chain: Vec<Vec<u8>>,
}

impl AndroidPhone {
    /// A phone out of the factory that `root` stands for.
    pub fn new(root: &TestRoot, profile: DeviceProfile) -> Result<Arc<Self>> {
        Self::with_clock(root, profile, Arc::new(SystemClock))
    }

    /// The same with a clock of its own.
    pub fn with_clock(root: &TestRoot, profile: DeviceProfile, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let hardware = Arc::new(Hardware::make(root, profile.level, profile.provisioning, clock.unix())?);
        Ok(Arc::new(Self { profile, hardware, clock, keys: Mutex::default() }))
    }

    /// A phone that claims to be this one's like and attests with this one's key: what somebody does who has got a leaked keybox, all in
    /// software. Level and provisioning of the profile are words of the description only.
    pub fn with_leaked_keybox(&self, profile: DeviceProfile) -> Arc<Self> {
        let (hardware, clock) = (self.hardware.clone(), self.clock.clone());
        Arc::new(Self { profile, hardware, clock, keys: Mutex::default() })
    }

    /// What [`mobile_sdk::Client`] needs of this phone.
    pub fn platform(self: &Arc<Self>, browser: Arc<dyn Browser>) -> Platform {
        Platform {
            device_keys: self.clone(),
            attestor: self.clone(),
            browser,
            clock: self.clock.clone(),
            store: Arc::new(MemoryStore::default()),
            observer: None,
        }
    }

    /// The build that it says it runs.
    pub fn app(&self) -> api::attestation::App {
        api::attestation::App {
            id: self.profile.package.as_str().into(),
            version: self.profile.version_name.clone(),
            build: self.profile.package_version.into(),
            platform: api::attestation::Platform::Android,
        }
    }

    /// Makes a key for `challenge`, which then is the device key, and returns its chain (DER, leaf first).
    pub fn generate_key(&self, challenge: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.generate_key_in(KeySlot::First, challenge)
    }

    fn generate_key_in(&self, slot: KeySlot, challenge: &[u8]) -> Result<Vec<Vec<u8>>> {
        let (mut key, asked) = (SigningKey::generate(), challenge);
        let mut chain = match &self.profile.attack {
            Some(AndroidAttack::ReplayedChallenge(recorded)) => self.chain(&key, recorded)?,
            Some(AndroidAttack::ChainExtension) => self.extended_chain(&key, asked)?,
            Some(AndroidAttack::OtherKey) | None => self.chain(&key, asked)?,
        };
        chain.extend(self.hardware.above.iter().cloned());
        if self.profile.attack == Some(AndroidAttack::OtherKey) {
            key = SigningKey::generate();
        }
        let generated = Generated { key: Arc::new(key), chain: chain.clone() };
        let mut keys = self.keys();
        keys.slots.insert(slot, generated);
        keys.latest = Some(slot);
        Ok(chain)
    }

    /// The device key that was made last, of those that are there.
    pub fn device_key(&self) -> Option<Arc<SigningKey>> {
        let keys = self.keys();
        keys.latest.and_then(|slot| keys.slots.get(&slot)).map(|made| made.key.clone())
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leaf under the attestation key.
    fn chain(&self, key: &SigningKey, challenge: &[u8]) -> Result<Vec<Vec<u8>>> {
        let description = self.describe(challenge, self.profile.level, self.profile.boot)?;
        Ok(vec![leaf(key, description, &self.hardware.issuer)?])
    }

    /// The honest leaf of another key, and below it a forged one for this software key, signed with the honest key.
    fn extended_chain(&self, key: &SigningKey, challenge: &[u8]) -> Result<Vec<Vec<u8>>> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let honest = self.chain(&SigningKey::from_pkcs8(&pair.serialize_der())?, b"any")?;
        let issuer = Issuer::new(leaf_parameters()?, pair);
        let description = self.describe(challenge, SecurityLevel::StrongBox, Boot::Verified)?;
        Ok([vec![leaf(key, description, &issuer)?], honest].concat())
    }

    fn describe(&self, challenge: &[u8], level: SecurityLevel, boot: Boot) -> Result<Vec<u8>> {
        let now = self.clock.unix();
        let patched = DateTime::from_timestamp(now, 0)
            .and_then(|now| now.checked_sub_months(Months::new(self.profile.patch_age_months)))
            .context("the phone's clock is out of range")?;
        let description = KeyDescription {
            version: self.profile.attestation_version.into(),
            level,
            challenge,
            created_millis: u64::try_from(now)? * 1000,
            package: &self.profile.package,
            package_version: self.profile.package_version,
            signer_digest: &self.profile.signer_digest,
            boot,
            boot_key: self.hardware.boot_key,
            boot_hash: self.hardware.boot_hash,
            module_hash: (self.profile.attestation_version >= 400).then_some(self.hardware.module_hash),
            os_version: self.profile.os_version.into(),
            patch_level: u64::try_from(patched.year())? * 100 + u64::from(patched.month()),
        };
        Ok(description.to_der())
    }
}

/// Every leaf of every phone has this name, this serial number and these dates.
fn leaf_parameters() -> Result<CertificateParams> {
    let mut parameters = empty()?;
    parameters.distinguished_name.push(DnType::CommonName, "Android Keystore Key");
    parameters.serial_number = Some(SerialNumber::from_slice(&[1]));
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    validity(&mut parameters, 0, u32::MAX.into());
    Ok(parameters)
}

fn leaf(key: &SigningKey, description: Vec<u8>, issuer: &Issuer<'_, KeyPair>) -> Result<Vec<u8>> {
    let mut parameters = leaf_parameters()?;
    parameters.custom_extensions = vec![CustomExtension::from_oid_content(OID, description)];
    Ok(parameters.signed_by(&HardwareKey(*key.public().as_uncompressed()), issuer)?.der().to_vec())
}

#[async_trait]
impl DeviceKeys for AndroidPhone {
    async fn create(&self, slot: KeySlot, challenge: &[u8]) -> Result<Arc<dyn DeviceSigner>, PlatformError> {
        self.generate_key_in(slot, challenge).map_err(|_| PlatformError::Failed)?;
        self.load(slot).await?.ok_or(PlatformError::KeyLost)
    }

    async fn load(&self, slot: KeySlot) -> Result<Option<Arc<dyn DeviceSigner>>, PlatformError> {
        Ok(self.keys().slots.get(&slot).map(|made| made.key.clone() as Arc<dyn DeviceSigner>))
    }

    async fn remove(&self, slot: KeySlot) -> Result<(), PlatformError> {
        let mut keys = self.keys();
        keys.slots.remove(&slot);
        keys.latest = keys.latest.map(|latest| if latest == slot { slot.other() } else { latest });
        Ok(())
    }
}

#[async_trait]
impl Attestor for AndroidPhone {
    async fn attest(&self, slot: KeySlot, _: &[u8; 32]) -> Result<api::attestation::Evidence, PlatformError> {
        let keys = self.keys();
        let chain = &keys.slots.get(&slot).ok_or(PlatformError::KeyLost)?.chain;
        let certificates = chain.iter().map(|der| crypto::b64::encode_standard(der)).collect();
        Ok(api::attestation::Evidence::AndroidKey { certificates })
    }

    async fn assert(&self, _: KeySlot, _: &[u8; 32]) -> Result<Option<api::attestation::Assertion>, PlatformError> {
        Ok(None)
    }

    fn system(&self) -> String {
        format!("{}, {} months", self.profile.os_version, self.profile.patch_age_months)
    }
}
