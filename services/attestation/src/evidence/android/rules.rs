//! The policy's rules over a verified chain and a well-formed key description. All failures are collected, for the operator.
//!
//! Whatever decides about the key itself is read from the *hardware* list: the software list is what the system says, and the
//! system is what is in question.

use super::super::policy::{AndroidPolicy, Level};
use super::super::{Reason, broken};
use super::authorization::{ApplicationId, AuthorizationList, BootState};
use super::key_description::{KeyDescription, certificates_issued};
use super::path::Path;
use super::{Expected, point, version};

const PURPOSE_SIGN: u64 = 2;
const PURPOSE_VERIFY: u64 = 3;
const ALGORITHM_EC: u64 = 3;
const CURVE_P256: u64 = 1;
const DIGEST_SHA256: u64 = 4;
const ORIGIN_GENERATED: u64 = 0;

/// Every rule that does not hold.
pub(super) fn failed(
    path: &Path<'_, '_>,
    key: &KeyDescription,
    expected: &Expected<'_>,
    policy: &AndroidPolicy,
    now: i64,
) -> Vec<Reason> {
    let mut failed = Vec::new();
    let mut rule = |holds: bool, reason: Reason| {
        if !holds {
            failed.push(reason);
        }
    };
    rule(crypto::hash::constant_time_eq(&key.challenge, expected.challenge), Reason::ChallengeMismatch);
    match point(path.leaf) {
        Ok(point) => rule(point == *expected.device_key, Reason::KeyMismatch),
        Err(reason) => rule(false, reason),
    }
    rule(levels_agree(path, key), Reason::LevelInconsistent);
    rule(key.hardware.origin == Some(ORIGIN_GENERATED), Reason::OriginNotGenerated);
    rule(signs_only(&key.hardware), Reason::KeyUse);
    rule(!key.hardware.all_applications && !key.software.all_applications, Reason::AllApplications);
    match &key.hardware.root_of_trust {
        None => rule(false, Reason::RootOfTrustMissing),
        Some(root) => {
            rule(root.device_locked, Reason::DeviceUnlocked);
            rule(root.verified_boot_state == BootState::Verified, Reason::BootUnverified);
        }
    }
    let proved = key.software.attestation_application_id.as_ref().and_then(ApplicationId::build);
    let named = expected.build.is_none_or(|named| proved.as_ref().is_none_or(|proved| named == proved));
    rule(named, Reason::BuildMismatch);
    rule(no_patch_from_the_future(&key.hardware, policy, now), Reason::PatchInFuture);
    rule(made_just_now(key, policy, now), Reason::CreationTime);
    failed.extend(floors(path, key, policy));
    failed
}

/// The rules that an operator changes, and that the same evidence may hold today and fail tomorrow: floors, and whose app it is (a signing key that
/// leaked is withdrawn from those that have enrolled with it, too).
pub(super) fn floors(path: &Path<'_, '_>, key: &KeyDescription, policy: &AndroidPolicy) -> Vec<Reason> {
    let build = key.software.attestation_application_id.as_ref().and_then(ApplicationId::build);
    let system = key.hardware.os_patch_level;
    // Default: most devices are provisioned by the maker and say nothing of it.
    let issued = certificates_issued(path.attesting).unwrap_or_default();
    let (is_ours, signed_by_us) = application(key.software.attestation_application_id.as_ref(), policy);
    let rules = [
        (is_ours, Reason::AppMismatch),
        (signed_by_us, Reason::SignerMismatch),
        (key.attestation_level >= policy.minimum_level, Reason::LevelTooLow),
        // Another app's build is nothing to compare.
        (build.is_none_or(|build| build.at_least(&policy.minimum_build)), Reason::BuildRefused),
        (system.is_some_and(|level| level >= u64::from(policy.minimum_patch)), Reason::PatchTooOld),
        (policy.maximum_issued == 0 || issued <= policy.maximum_issued, Reason::CertificateFarm),
    ];
    let mut failed = version::failed(path, key, policy);
    failed.extend(broken(rules));
    failed
}

/// Attestation and key live at the same level, and the chain is of that level too.
fn levels_agree(path: &Path<'_, '_>, key: &KeyDescription) -> bool {
    let named = path.attesting_level();
    key.attestation_level == key.keymint_level
        && match key.attestation_level {
            Level::StrongBox => named == Some(Level::StrongBox),
            _ => named != Some(Level::StrongBox),
        }
}

/// P-256, signing (verifying is public anyway) and nothing else, SHA-256 only. An early StrongBox leaves size and curve out; the
/// leaf's own key shows them.
fn signs_only(list: &AuthorizationList) -> bool {
    // Default: no purpose, so it does not sign.
    let purposes = list.purposes.as_deref().unwrap_or_default();
    list.algorithm == Some(ALGORITHM_EC)
        && list.key_size.is_none_or(|bits| bits == 256)
        && list.ec_curve.is_none_or(|curve| curve == CURVE_P256)
        && list.digests.as_deref() == Some(&[DIGEST_SHA256])
        && purposes.contains(&PURPOSE_SIGN)
        && purposes.iter().all(|purpose| matches!(*purpose, PURPOSE_SIGN | PURPOSE_VERIFY))
}

/// Exactly our package, exactly our signers. Two packages under one user id share keys: none of ours does. Of another app nothing more is asked.
fn application(id: Option<&ApplicationId>, policy: &AndroidPolicy) -> (bool, bool) {
    let Some(ApplicationId { packages, signatures }) = id else { return (false, true) };
    let [package] = packages.as_slice() else { return (false, true) };
    let same = signatures.len() == policy.signer_digests.len()
        && policy.signer_digests.iter().all(|digest| signatures.iter().any(|signature| signature == digest));
    (package.name == policy.package.as_str().as_bytes(), same && !signatures.is_empty())
}

/// No patch level lies further ahead than makers ship.
fn no_patch_from_the_future(list: &AuthorizationList, policy: &AndroidPolicy, now: i64) -> bool {
    let latest = months(now) + i64::from(policy.patch_lead_months);
    let levels = [list.os_patch_level, list.vendor_patch_level, list.boot_patch_level];
    levels.into_iter().flatten().all(|level| month_number(level) <= latest)
}

/// `YYYYMM` or `YYYYMMDD` (vendor and boot levels come in both) as a count of months.
fn month_number(level: u64) -> i64 {
    let level = if level > 999_999 { level / 100 } else { level };
    // Default: further ahead than any floor or lead.
    i64::try_from(level / 100 * 12 + level % 100).unwrap_or(i64::MAX)
}

/// The month of `now` as a count of months, by the mean length of the Gregorian month: a patch level needs no more.
const fn months(now: i64) -> i64 {
    const MONTH: i64 = 2_629_746;
    1970 * 12 + 1 + now / MONTH
}

/// The challenge already proves that the key was made after it; this finds clocks that are wrong, and some genuine ones are (so the rule
/// is in shadow by default).
fn made_just_now(key: &KeyDescription, policy: &AndroidPolicy, now: i64) -> bool {
    let made = key.hardware.creation_date_time.or(key.software.creation_date_time);
    made.and_then(|millis| i64::try_from(millis / 1000).ok()).is_some_and(|made| {
        made >= now.saturating_sub(policy.creation_age) && made <= now.saturating_add(policy.creation_skew)
    })
}
