//! Android Key Attestation: a certificate chain whose leaf is the attested key and carries its description.
//!
//! In this order: the chain ([`path`]) → the description ([`key_description`]) → the policy's rules ([`rules`]).
//! What is wrong with the chain or the encoding ends the examination; of the rules all that fail are reported.

mod authorization;
pub mod key_description;
mod path;
mod rules;
mod version;

pub use authorization::{ApplicationId, AuthorizationList, BootState, Package, RootOfTrust};
pub use key_description::KeyDescription;
pub use path::{Path, Provisioning};

use api::Build;

use super::chain::{Anchors, Certificate, Key};
use super::policy::{AndroidPolicy, Level};
use super::revocation::StatusList;
use super::{Examination, Failed, Reason};

/// What this very request must be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The attestation challenge: the evidence binding of the request.
    pub challenge: &'a [u8],
    /// The device key, an uncompressed P-256 point.
    pub device_key: &'a [u8; 65],
    /// The build that the request names; `None` leaves it to the floor.
    pub build: Option<&'a Build>,
}

/// What chains are measured against.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Where chains may end.
    pub anchors: &'a Anchors,
    /// Which certificates are revoked.
    pub revoked: &'a StatusList,
    /// What the operator asks.
    pub policy: &'a AndroidPolicy,
}

/// Examines a chain of DER certificates, leaf first.
pub fn examine(certificates: &[Vec<u8>], expected: &Expected<'_>, trust: &Trust<'_>, now: i64) -> Examination {
    match try_examine(certificates, expected, trust, now) {
        Ok(examination) => examination,
        Err(reason) => {
            let mut examination = Examination::new(claimed_level(certificates), raw_hash(certificates));
            examination.refusals.push(reason);
            examination
        }
    }
}

fn try_examine(
    certificates: &[Vec<u8>],
    expected: &Expected<'_>,
    trust: &Trust<'_>,
    now: i64,
) -> Result<Examination, Reason> {
    let parsed = path::parse(certificates)?;
    let path = Path::verify(&parsed, trust, now)?;
    let description = KeyDescription::of(path.leaf)?;
    let mut examination = Examination::new(description.attestation_level, crypto::hash::sha256(path.leaf.tbs()));
    examination.attesting = Some(path.attesting.key_digest());
    examination.provisioning = Some(path.provisioning);
    examination.patch_level = description.hardware.os_patch_level;
    examination.apply(rules::failed(&path, &description, expected, trust.policy, now), &trust.policy.shadow);
    if description.hardware.root_of_trust.as_ref().is_some_and(RootOfTrust::has_zero_key) {
        examination.notes.push(Reason::BootKeyZero);
    }
    examination.notes.extend(description.encoding_anomalies());
    Ok(examination)
}

/// What today's anchors, status list and policy say of a chain that was let in before, for instance because the list has grown or a
/// floor was raised. Pure and cheap enough for every renewal.
///
/// Judged anew is what an operator (or Google) changes: anchors, revocation, floors. Not judged anew is what was about that request and that
/// moment: challenge, key, app, times of certificates and of the key. **Nothing that comes out of it is a lie**, whatever
/// [`Reason::is_lie`] says of the same reason in new evidence: the instance has not said anything since it was believed.
pub fn reexamine(certificates: &[Vec<u8>], trust: &Trust<'_>) -> Failed {
    // Default: what cannot be judged is refused.
    try_reexamine(certificates, trust).unwrap_or_else(Failed::from)
}

fn try_reexamine(certificates: &[Vec<u8>], trust: &Trust<'_>) -> Result<Failed, Reason> {
    let parsed = path::parse(certificates)?;
    let path = Path::verify_again(&parsed, trust)?;
    let description = KeyDescription::of(path.leaf)?;
    Ok(Failed::sort(rules::floors(&path, &description, trust.policy), &trust.policy.shadow))
}

/// The level that the evidence claims, believed or not: a decoy repeats it if a genuine token could show it, because the phone knows what it sent.
fn claimed_level(certificates: &[Vec<u8>]) -> Level {
    certificates
        .first()
        .and_then(|der| Certificate::parse(der).ok())
        .and_then(|leaf| KeyDescription::of(&leaf).ok())
        // Default: a chain that cannot be read claims what most phones have.
        .map_or(Level::Tee, |description| description.attestation_level)
}

fn raw_hash(certificates: &[Vec<u8>]) -> [u8; 32] {
    crypto::hash::sha256(&certificates.concat())
}

/// The point of a P-256 leaf.
fn point(leaf: &Certificate<'_>) -> Result<[u8; 65], Reason> {
    match leaf.key() {
        Key::P256(point) => Ok(point),
        _ => Err(Reason::KeyType),
    }
}
