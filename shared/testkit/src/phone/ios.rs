//! An emulated iPhone. **Synthetic**: its evidence ends in a test root, never in Apple's, and carries no Apple receipt.
//!
//! Two keys, as on a real one: the device key in the Secure Enclave signs what we tell it to; the App Attest key signs
//! only App Attest objects. The binding that they cover holds the thumbprint of the device key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use api::Build;
use async_trait::async_trait;
use crypto::b64;
use crypto::hash::sha256;
use crypto::p256::SigningKey;
use identity::DeviceSigner;
use minicbor::Encoder;
use mobile_sdk::{Attestor, Browser, Clock, DeviceKeys, KeySlot, Platform, PlatformError, SystemClock};
use rcgen::{
    BasicConstraints, CustomExtension, DistinguishedName, DnType, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, SerialNumber,
};

use super::MemoryStore;
use super::apple_extensions::{self, MAC, extension};
use super::certificate::{HardwareKey, Root, authority, empty, validity};
use super::der::{explicit, integer_bytes, octets, sequence};
use crate::pki::TestRoot;

/// The team of the emulated app.
pub const TEAM: &str = "REDOUBT001";
/// The bundle that emulated iPhones run.
pub const BUNDLE: &str = "dev.redoubt.app";

/// Flag AT: attested credential data. Genuine assertions carry it too, without such data.
const FLAGS: u8 = 0x40;
const DAY: i64 = 86_400;

/// Validation category of what came from the App Store.
pub const APP_STORE: u32 = 4;

/// The map that iOS 27 appends to authenticator data: `CFBundleVersion`, and how the build came to the device.
pub fn build_info(bundle_version: &str, category: u32) -> Result<Vec<u8>> {
    let mut cbor = Encoder::new(Vec::new());
    cbor.map(2)?.str("apple_bundle_version_01")?.str(bundle_version)?;
    cbor.str("apple_validation_category_01")?.bytes(&category.to_le_bytes())?;
    Ok(cbor.into_writer())
}

/// Which App Attest environment a build was signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// `appattestdevelop`.
    Development,
    /// `appattest` and seven zero bytes.
    Production,
}

impl Environment {
    fn aaguid(self) -> &'static [u8; 16] {
        match self {
            Self::Development => b"appattestdevelop",
            Self::Production => b"appattest\0\0\0\0\0\0\0",
        }
    }
}

/// What iPhone it is, what runs on it, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct IosProfile {
    /// Apple's team id.
    pub team: String,
    /// The bundle. Another one: another app.
    pub bundle: String,
    /// `CFBundleShortVersionString`.
    pub version: String,
    /// `CFBundleVersion`.
    pub build: Build,
    /// App Attest environment.
    pub environment: Environment,
    /// Version of iOS.
    pub os_version: String,
    /// What Apple's certificate calls the system, `iphoneos` or `macosx`; nothing before iOS 18.
    pub platform: Option<String>,
    /// What iOS appends to authenticator data: nothing before 27, then a map such as [`build_info`].
    pub appended: Vec<u8>,
    /// How the evidence lies, if it does.
    pub attack: Option<IosAttack>,
}

/// Lies that the profile's own fields cannot tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IosAttack {
    /// The objects are made over this client data hash, whatever the server asked: evidence recorded earlier.
    ReplayedChallenge([u8; 32]),
    /// The authenticator data names another key than the certificate.
    OtherKey,
    /// The counter of assertions stands still: a copied key.
    StuckCounter,
}

impl IosProfile {
    /// The profile of a genuine phone with a genuine build.
    pub fn genuine() -> Self {
        Self {
            team: TEAM.to_owned(),
            bundle: BUNDLE.to_owned(),
            version: "1.0.0".to_owned(),
            build: 1_u64.into(),
            environment: Environment::Development,
            os_version: "26.1".to_owned(),
            platform: Some("iphoneos".to_owned()),
            appended: Vec::new(),
            attack: None,
        }
    }

    /// A genuine build on iOS 27, from the App Store.
    pub fn ios_27(build: Build) -> Result<Self> {
        let appended = build_info(build.as_str(), APP_STORE)?;
        Ok(Self { build, os_version: "27.0".to_owned(), appended, ..Self::genuine() })
    }

    /// A genuine build on a phone that has not been updated for years.
    pub fn ios_14() -> Self {
        Self { os_version: "14.4".to_owned(), platform: None, ..Self::genuine() }
    }

    /// The iPad's app on a Mac: same team, same bundle, from the App Store, and no phone.
    pub fn mac(build: Build) -> Result<Self> {
        Ok(Self { platform: Some(MAC.to_owned()), ..Self::ios_27(build)? })
    }

    /// Another app of the same team.
    pub fn other_bundle() -> Self {
        Self { bundle: format!("{BUNDLE}.clone"), ..Self::genuine() }
    }
}

/// A phone. It serves one app; share it in an [`Arc`].
pub struct IosPhone {
    profile: IosProfile,
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    keys: Mutex<HashMap<KeySlot, Keys>>,
}

/// What the app has had made for one instance.
#[derive(Clone, Default)]
struct Keys {
    device_key: Option<Arc<SigningKey>>,
    app_attest: Option<Arc<SigningKey>>,
    counter: u32,
}

/// The authority that attests keys, in the place of Apple's `App Attestation CA 1`.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

impl IosPhone {
    /// A phone under the root that stands for Apple's.
    pub fn new(root: &TestRoot, profile: IosProfile) -> Result<Arc<Self>> {
        Self::with_clock(root, profile, Arc::new(SystemClock))
    }

    /// The same with a clock of its own.
    pub fn with_clock(root: &TestRoot, profile: IosProfile, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let authority = Arc::new(Authority::make(root, clock.unix())?);
        Ok(Arc::new(Self { profile, authority, clock, keys: Mutex::default() }))
    }

    /// The same phone, its keys and its counter, with something else on it.
    pub fn with_profile(&self, change: impl FnOnce(&mut IosProfile)) -> Arc<Self> {
        let mut profile = self.profile.clone();
        change(&mut profile);
        let (authority, clock) = (self.authority.clone(), self.clock.clone());
        Arc::new(Self { profile, authority, clock, keys: Mutex::new(self.keys().clone()) })
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
            id: self.profile.bundle.as_str().into(),
            version: self.profile.version.clone(),
            build: self.profile.build.clone(),
            platform: api::attestation::Platform::Ios,
        }
    }

    /// `Team.Bundle`, what Apple calls the app id.
    pub fn app_id(&self) -> String {
        format!("{}.{}", self.profile.team, self.profile.bundle)
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<KeySlot, Keys>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `DCAppAttestService.generateKey` and `attestKey`: a new App Attest key, its id and the attestation object.
    pub fn attest_key(&self, client_data_hash: &[u8; 32]) -> Result<([u8; 32], Vec<u8>)> {
        self.attest_key_in(KeySlot::First, client_data_hash)
    }

    fn attest_key_in(&self, slot: KeySlot, client_data_hash: &[u8; 32]) -> Result<([u8; 32], Vec<u8>)> {
        let key = Arc::new(SigningKey::generate());
        let id = sha256(key.public().as_uncompressed());
        let named = match self.profile.attack {
            Some(IosAttack::OtherKey) => Arc::new(SigningKey::generate()),
            _ => key.clone(),
        };
        let authenticator_data = self.attestation_data(&id, &named)?;
        let nonce = sha256(&[authenticator_data.as_slice(), self.hash(client_data_hash)].concat());
        let leaf = self.leaf(&key, &id, &nonce)?;
        let mut object = Encoder::new(Vec::new());
        object.map(3)?.str("fmt")?.str("apple-appattest")?.str("attStmt")?.map(2)?;
        object.str("x5c")?.array(2)?.bytes(&leaf)?.bytes(&self.authority.certificate)?;
        // Apple's receipt is a CMS object that only Apple's server reads; this is none.
        object.str("receipt")?.bytes(b"synthetic: no receipt")?;
        object.str("authData")?.bytes(&authenticator_data)?;
        let mut keys = self.keys();
        let keys = keys.entry(slot).or_default();
        (keys.app_attest, keys.counter) = (Some(key), 0);
        Ok((id, object.into_writer()))
    }

    /// `generateAssertion`: key id and assertion object; the counter rises by one.
    pub fn generate_assertion(&self, client_data_hash: &[u8; 32]) -> Result<Option<([u8; 32], Vec<u8>)>> {
        self.generate_assertion_in(KeySlot::First, client_data_hash)
    }

    fn generate_assertion_in(&self, slot: KeySlot, hash: &[u8; 32]) -> Result<Option<([u8; 32], Vec<u8>)>> {
        let (key, counter) = {
            let mut keys = self.keys();
            let keys = keys.entry(slot).or_default();
            let Some(key) = keys.app_attest.clone() else { return Ok(None) };
            keys.counter = if self.profile.attack == Some(IosAttack::StuckCounter) { 1 } else { keys.counter + 1 };
            (key, keys.counter)
        };
        let app = sha256(self.app_id().as_bytes());
        let data = [app.as_slice(), &[FLAGS], &counter.to_be_bytes(), &self.profile.appended].concat();
        let nonce = sha256(&[data.as_slice(), self.hash(hash)].concat());
        let mut object = Encoder::new(Vec::new());
        // The signature is over the nonce as a message, so the nonce is hashed once more.
        object.map(2)?.str("signature")?.bytes(&der_signature(&key.sign(&nonce)))?;
        object.str("authenticatorData")?.bytes(&data)?;
        Ok(Some((sha256(key.public().as_uncompressed()), object.into_writer())))
    }

    /// The next assertion repeats the counter of the last: what a copy of the key would send.
    pub fn repeat_counter(&self) {
        let mut keys = self.keys();
        let keys = keys.entry(KeySlot::First).or_default();
        keys.counter = keys.counter.saturating_sub(1);
    }

    fn hash<'a>(&'a self, asked: &'a [u8; 32]) -> &'a [u8] {
        match &self.profile.attack {
            Some(IosAttack::ReplayedChallenge(recorded)) => recorded,
            _ => asked,
        }
    }

    /// Authenticator data with attested credential data (`WebAuthn` §6.1): counter 0, the key as COSE.
    fn attestation_data(&self, id: &[u8; 32], key: &SigningKey) -> Result<Vec<u8>> {
        let public = key.public();
        let mut cose = Encoder::new(Vec::new());
        // kty: EC2, alg: ES256, crv: P-256 (RFC 9053 §7.1).
        cose.map(5)?.u8(1)?.u8(2)?.u8(3)?.i8(-7)?.i8(-1)?.u8(1)?;
        cose.i8(-2)?.bytes(public.x())?.i8(-3)?.bytes(public.y())?;
        let app = sha256(self.app_id().as_bytes());
        let (counter, length) = ([0; 4], [0, 32]);
        let aaguid = self.profile.environment.aaguid();
        let parts: [&[u8]; 8] =
            [&app, &[FLAGS], &counter, aaguid, &length, id, &cose.into_writer(), &self.profile.appended];
        Ok(parts.concat())
    }

    fn leaf(&self, key: &SigningKey, id: &[u8; 32], nonce: &[u8; 32]) -> Result<Vec<u8>> {
        let now = self.clock.unix();
        let mut parameters = empty()?;
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CommonName, hex::encode(id));
        name.push(DnType::OrganizationalUnitName, "AAA Certification");
        name.push(DnType::OrganizationName, "Redoubt development");
        name.push(DnType::StateOrProvinceName, "Test");
        parameters.serial_number = Some(SerialNumber::from_slice(&crypto::random::bytes::<6>()));
        parameters.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::DataEncipherment,
        ];
        // Genuine leaves begin a day before they are made and live for three days.
        validity(&mut parameters, now - DAY, now + 2 * DAY);
        // Written by hand: with basic constraints of its own, rcgen adds a key identifier that genuine leaves do not have.
        let mut not_an_authority = CustomExtension::from_oid_content(&[2, 5, 29, 19], sequence(&[]));
        not_an_authority.set_criticality(true);
        parameters.custom_extensions = vec![
            not_an_authority,
            apple_extensions::key_usage(&self.app_id()),
            apple_extensions::system(&self.profile.os_version, self.profile.platform.as_deref()),
            extension(2, sequence(&[explicit(1, &octets(nonce))])),
        ];
        if self.profile.platform.as_deref() == Some(MAC) {
            parameters.custom_extensions.push(apple_extensions::mac_key_access());
        }
        let public = HardwareKey(*key.public().as_uncompressed());
        Ok(parameters.signed_by(&public, &self.authority.issuer)?.der().to_vec())
    }
}

impl Authority {
    fn make(root: &TestRoot, now: i64) -> Result<Self> {
        let root = Root::read(root)?;
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "Redoubt Test App Attestation CA 1");
        name.push(DnType::OrganizationName, "Redoubt development");
        name.push(DnType::StateOrProvinceName, "Test");
        let mut parameters = authority(name, BasicConstraints::Constrained(0))?;
        parameters.key_usages.push(KeyUsagePurpose::CrlSign);
        validity(&mut parameters, now - 365 * DAY, now + 3650 * DAY);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let certificate = parameters.signed_by(&key, &root.issuer)?.der().to_vec();
        Ok(Self { issuer: Issuer::new(parameters, key), certificate })
    }
}

/// r‖s as `SEQUENCE { r, s }` (RFC 3279 §2.2.3).
fn der_signature(signature: &[u8; 64]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    sequence(&[integer_bytes(r), integer_bytes(s)])
}

#[async_trait]
impl DeviceKeys for IosPhone {
    async fn create(&self, slot: KeySlot, _challenge: &[u8]) -> Result<Arc<dyn DeviceSigner>, PlatformError> {
        let key = Arc::new(SigningKey::generate());
        self.keys().entry(slot).or_default().device_key = Some(key.clone());
        Ok(key)
    }

    async fn load(&self, slot: KeySlot) -> Result<Option<Arc<dyn DeviceSigner>>, PlatformError> {
        Ok(self.keys().get(&slot).and_then(|keys| keys.device_key.clone()).map(|key| key as Arc<dyn DeviceSigner>))
    }

    async fn remove(&self, slot: KeySlot) -> Result<(), PlatformError> {
        self.keys().remove(&slot);
        Ok(())
    }
}

#[async_trait]
impl Attestor for IosPhone {
    async fn attest(&self, slot: KeySlot, binding: &[u8; 32]) -> Result<api::attestation::Evidence, PlatformError> {
        let (id, object) = self.attest_key_in(slot, binding).map_err(|_| PlatformError::Failed)?;
        Ok(api::attestation::Evidence::AppAttest {
            key_id: b64::encode_standard(&id),
            attestation_object: b64::encode_standard(&object),
        })
    }

    async fn assert(
        &self,
        slot: KeySlot,
        binding: &[u8; 32],
    ) -> Result<Option<api::attestation::Assertion>, PlatformError> {
        let made = self.generate_assertion_in(slot, binding).map_err(|_| PlatformError::Failed)?;
        let (id, object) = made.ok_or(PlatformError::KeyLost)?;
        Ok(Some(api::attestation::Assertion::AppAttest {
            key_id: b64::encode_standard(&id),
            assertion_object: b64::encode_standard(&object),
        }))
    }

    fn system(&self) -> String {
        self.profile.os_version.clone()
    }
}
