//! What an attestation version brings with it: the hashes that its schema has, a way for the attesting key to reach the device, and a date
//! before which no hardware could speak it.
//!
//! An attesting key that has leaked out of an old phone describes what its thief likes, and thieves like new versions. What cannot be
//! described away is what stands in the certificate: when it was issued, and by which way it was.

use super::super::policy::{AndroidPolicy, RequiredProvisioning};
use super::super::{Reason, broken};
use super::key_description::KeyDescription;
use super::path::{Path, Provisioning};

/// The first version whose root of trust has a `verifiedBootHash` (Keymaster 4).
const WITH_BOOT_HASH: u64 = 3;
/// The first version that has a `moduleHash` (`KeyMint` 4): the system computes it at every boot and hands it to each `KeyMint` of 4 and up.
const WITH_MODULE_HASH: u64 = 400;
/// A mean Gregorian year in seconds.
const YEAR: i64 = 31_556_952;

/// When an Android version first carried each attestation version (Unix seconds, midnight of its release; the betas where that is all
/// there is).
const RELEASES: [(u64, i64); 9] = [
    (1, 1_471_824_000),   // Android 7.0, 2016-08-22
    (2, 1_503_273_600),   // Android 8.0, 2017-08-21
    (3, 1_533_513_600),   // Android 9, 2018-08-06
    (4, 1_599_523_200),   // Android 11, 2020-09-08
    (100, 1_633_305_600), // Android 12, 2021-10-04
    (200, 1_660_521_600), // Android 13, 2022-08-15
    (300, 1_696_377_600), // Android 14, 2023-10-04
    (400, 1_749_513_600), // Android 16, 2025-06-10
    (500, 1_775_001_600), // betas of Android 17, April 2026
];

/// Every rule about the version that does not hold.
pub(super) fn failed(path: &Path<'_, '_>, key: &KeyDescription, policy: &AndroidPolicy) -> Vec<Reason> {
    let version = key.attestation_version;
    let root = key.hardware.root_of_trust.as_ref();
    let module_hash = key.software.module_hash.as_ref().or(key.hardware.module_hash.as_ref());
    let rules = [
        (version >= policy.minimum_attestation_version, Reason::VersionTooOld),
        (is_provisioned_as_asked(path.provisioning, version, policy.provisioning), Reason::ProvisioningRefused),
        (is_of_an_age(path, version, policy.maximum_certificate_lead_years), Reason::CertificateTooOld),
        // Without a root of trust there is another reason to refuse.
        (
            version < WITH_BOOT_HASH || root.is_none_or(|root| root.verified_boot_hash.is_some()),
            Reason::BootHashMissing,
        ),
        (version < WITH_MODULE_HASH || module_hash.is_some(), Reason::ModuleHashMissing),
    ];
    broken(rules)
}

fn is_provisioned_as_asked(found: Provisioning, version: u64, asked: RequiredProvisioning) -> bool {
    found == Provisioning::Remote
        || match asked {
            RequiredProvisioning::Any => true,
            RequiredProvisioning::Remote => false,
            RequiredProvisioning::RemoteFromVersion(first) => version < first,
        }
}

/// The attesting certificate was issued at most `years` before its version was released; 0 asks nothing.
///
/// Not "after": an update brings a new `KeyMint` to an old phone, and the factory's certificate stays.
fn is_of_an_age(path: &Path<'_, '_>, version: u64, years: u32) -> bool {
    years == 0 || path.attesting.not_before() >= released(version).saturating_sub(i64::from(years) * YEAR)
}

/// When the version, or the last one before it that is known here, was released.
fn released(version: u64) -> i64 {
    let known = RELEASES.iter().take_while(|(release, _)| *release <= version).last();
    // Default: a version before all that are known here.
    known.map_or(i64::MIN, |(_, date)| *date)
}
