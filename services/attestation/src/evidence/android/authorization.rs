//! `AuthorizationList`: the tagged properties of a key. No tag stands twice; unknown ones are remembered, not read.
//!
//! Tags should ascend, and a genuine phone (Motorola edge 2022) has them otherwise. What is read does not depend on the order, so it is only
//! remembered.

use api::Build;

use super::super::der::{DerError, Reader, Tag};

/// Most values in any set.
const SET_LIMIT: usize = 64;
/// Most tags of a list; the schema has some fifty.
const TAG_LIMIT: usize = 128;

/// Properties of a key; the names are those of the attestation schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "as many as the schema has")]
pub struct AuthorizationList {
    pub purposes: Option<Vec<u64>>,
    pub algorithm: Option<u64>,
    pub key_size: Option<u64>,
    pub block_modes: Option<Vec<u64>>,
    pub digests: Option<Vec<u64>>,
    pub paddings: Option<Vec<u64>>,
    pub ec_curve: Option<u64>,
    pub ml_dsa_variant: Option<u64>,
    pub rsa_public_exponent: Option<u64>,
    pub rsa_oaep_mgf_digests: Option<Vec<u64>>,
    pub rollback_resistance: bool,
    pub early_boot_only: bool,
    pub active_date_time: Option<u64>,
    pub origination_expire_date_time: Option<u64>,
    pub usage_expire_date_time: Option<u64>,
    pub usage_count_limit: Option<u64>,
    pub no_auth_required: bool,
    pub user_auth_type: Option<u64>,
    pub auth_timeout: Option<u64>,
    pub allow_while_on_body: bool,
    pub trusted_user_presence_required: bool,
    pub trusted_confirmation_required: bool,
    pub unlocked_device_required: bool,
    pub all_applications: bool,
    pub creation_date_time: Option<u64>,
    pub origin: Option<u64>,
    pub rollback_resistant: bool,
    pub root_of_trust: Option<RootOfTrust>,
    pub os_version: Option<u64>,
    pub os_patch_level: Option<u64>,
    pub attestation_application_id: Option<ApplicationId>,
    pub attestation_id_brand: Option<Vec<u8>>,
    pub attestation_id_device: Option<Vec<u8>>,
    pub attestation_id_product: Option<Vec<u8>>,
    pub attestation_id_serial: Option<Vec<u8>>,
    pub attestation_id_imei: Option<Vec<u8>>,
    pub attestation_id_meid: Option<Vec<u8>>,
    pub attestation_id_manufacturer: Option<Vec<u8>>,
    pub attestation_id_model: Option<Vec<u8>>,
    pub vendor_patch_level: Option<u64>,
    pub boot_patch_level: Option<u64>,
    pub attestation_id_second_imei: Option<Vec<u8>>,
    pub module_hash: Option<Vec<u8>>,
    /// Tags that this reader does not know.
    pub unknown: Vec<u32>,
    /// The tags do not ascend.
    pub unordered: bool,
}

/// How the device booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootOfTrust {
    /// Digest of the key that verified the system.
    pub verified_boot_key: Vec<u8>,
    /// The bootloader is locked.
    pub device_locked: bool,
    /// It says so by a `BOOLEAN` that is not one of DER's.
    pub odd_boolean: bool,
    /// What the bootloader found.
    pub verified_boot_state: BootState,
    /// Digest of what was verified (since version 3).
    pub verified_boot_hash: Option<Vec<u8>>,
}

/// What the bootloader found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootState {
    /// The maker's system.
    Verified,
    /// A system signed by the owner.
    SelfSigned,
    Unverified,
    /// Verification failed.
    Failed,
}

/// Which app the key belongs to, as the system says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationId {
    /// The packages of the app's user id.
    pub packages: Vec<Package>,
    /// SHA-256 of their signing certificates.
    pub signatures: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name, as bytes.
    pub name: Vec<u8>,
    /// Its `longVersionCode`: `versionCodeMajor` in the upper half, `versionCode` in the lower.
    pub version: u64,
}

impl RootOfTrust {
    /// No boot key at all (seen on genuine, locked, verified devices).
    pub fn has_zero_key(&self) -> bool {
        self.verified_boot_key.iter().all(|byte| *byte == 0)
    }

    fn parse(mut value: Reader<'_>) -> Result<Self, DerError> {
        let mut fields = value.sequence()?;
        value.finish()?;
        let verified_boot_key = fields.octets()?.to_vec();
        let locked = fields.boolean()?;
        let root = Self {
            verified_boot_key,
            device_locked: locked.value,
            odd_boolean: !locked.is_der,
            verified_boot_state: match fields.enumerated()? {
                0 => BootState::Verified,
                1 => BootState::SelfSigned,
                2 => BootState::Unverified,
                3 => BootState::Failed,
                _ => return Err(DerError),
            },
            verified_boot_hash: if fields.is_empty() { None } else { Some(fields.octets()?.to_vec()) },
        };
        fields.finish()?;
        Ok(root)
    }
}

impl ApplicationId {
    /// The build of the one package. Packages under one user id share keys, and then there is none.
    pub fn build(&self) -> Option<Build> {
        match self.packages.as_slice() {
            [package] => Some(Build::from(package.version)),
            _ => None,
        }
    }

    fn parse(mut value: Reader<'_>) -> Result<Self, DerError> {
        let mut inner = Reader::new(value.octets()?);
        value.finish()?;
        let mut fields = inner.sequence()?;
        inner.finish()?;
        let (mut packages, mut signatures) = (Vec::new(), Vec::new());
        let mut names = fields.set()?;
        while !names.is_empty() && packages.len() < SET_LIMIT {
            let mut package = names.sequence()?;
            packages.push(Package { name: package.octets()?.to_vec(), version: package.integer()? });
            package.finish()?;
        }
        names.finish()?;
        let mut digests = fields.set()?;
        while !digests.is_empty() && signatures.len() < SET_LIMIT {
            signatures.push(digests.octets()?.to_vec());
        }
        digests.finish()?;
        fields.finish()?;
        Ok(Self { packages, signatures })
    }
}

impl AuthorizationList {
    /// Reads the content of the sequence.
    pub fn parse(mut fields: Reader<'_>) -> Result<Self, DerError> {
        let mut list = Self::default();
        let mut seen: Vec<u32> = Vec::new();
        while !fields.is_empty() {
            let (Tag::Context(number), value) = fields.read()? else { return Err(DerError) };
            if seen.contains(&number) || seen.len() == TAG_LIMIT {
                return Err(DerError);
            }
            list.unordered |= seen.last().is_some_and(|previous| number < *previous);
            seen.push(number);
            list.set(number, Reader::new(value))?;
        }
        Ok(list)
    }

    fn set(&mut self, number: u32, value: Reader<'_>) -> Result<(), DerError> {
        match number {
            1 => self.purposes = Some(integers(value)?),
            2 => self.algorithm = Some(integer(value)?),
            3 => self.key_size = Some(integer(value)?),
            4 => self.block_modes = Some(integers(value)?),
            5 => self.digests = Some(integers(value)?),
            6 => self.paddings = Some(integers(value)?),
            10 => self.ec_curve = Some(integer(value)?),
            11 => self.ml_dsa_variant = Some(integer(value)?),
            200 => self.rsa_public_exponent = Some(integer(value)?),
            203 => self.rsa_oaep_mgf_digests = Some(integers(value)?),
            303 => self.rollback_resistance = flag(value)?,
            305 => self.early_boot_only = flag(value)?,
            400 => self.active_date_time = Some(integer(value)?),
            401 => self.origination_expire_date_time = Some(integer(value)?),
            402 => self.usage_expire_date_time = Some(integer(value)?),
            405 => self.usage_count_limit = Some(integer(value)?),
            503 => self.no_auth_required = flag(value)?,
            504 => self.user_auth_type = Some(integer(value)?),
            505 => self.auth_timeout = Some(integer(value)?),
            506 => self.allow_while_on_body = flag(value)?,
            507 => self.trusted_user_presence_required = flag(value)?,
            508 => self.trusted_confirmation_required = flag(value)?,
            509 => self.unlocked_device_required = flag(value)?,
            600 => self.all_applications = flag(value)?,
            701 => self.creation_date_time = Some(integer(value)?),
            702 => self.origin = Some(integer(value)?),
            703 => self.rollback_resistant = flag(value)?,
            704 => self.root_of_trust = Some(RootOfTrust::parse(value)?),
            705 => self.os_version = Some(integer(value)?),
            706 => self.os_patch_level = Some(integer(value)?),
            709 => self.attestation_application_id = Some(ApplicationId::parse(value)?),
            718 => self.vendor_patch_level = Some(integer(value)?),
            719 => self.boot_patch_level = Some(integer(value)?),
            _ => return self.set_octets(number, value),
        }
        Ok(())
    }

    fn set_octets(&mut self, number: u32, value: Reader<'_>) -> Result<(), DerError> {
        let field = match number {
            710 => &mut self.attestation_id_brand,
            711 => &mut self.attestation_id_device,
            712 => &mut self.attestation_id_product,
            713 => &mut self.attestation_id_serial,
            714 => &mut self.attestation_id_imei,
            715 => &mut self.attestation_id_meid,
            716 => &mut self.attestation_id_manufacturer,
            717 => &mut self.attestation_id_model,
            723 => &mut self.attestation_id_second_imei,
            724 => &mut self.module_hash,
            _ => {
                self.unknown.push(number);
                return Ok(());
            }
        };
        let mut value = value;
        *field = Some(value.octets()?.to_vec());
        value.finish()
    }
}

fn integer(mut value: Reader<'_>) -> Result<u64, DerError> {
    let number = value.integer()?;
    value.finish()?;
    Ok(number)
}

fn integers(mut value: Reader<'_>) -> Result<Vec<u64>, DerError> {
    let mut set = value.set()?;
    value.finish()?;
    let mut numbers = Vec::new();
    while !set.is_empty() && numbers.len() < SET_LIMIT {
        numbers.push(set.integer()?);
    }
    set.finish()?;
    Ok(numbers)
}

fn flag(mut value: Reader<'_>) -> Result<bool, DerError> {
    value.null()?;
    value.finish()?;
    Ok(true)
}
