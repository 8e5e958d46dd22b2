//! Android Key Attestation: a certificate chain whose leaf is the attested key and carries its description.
//!
//! In this order: the chain ([`path`]) → the description ([`key_description`]) → the policy's rules ([`rules`]).
//! What is wrong with the chain or the encoding ends the examination; of the rules all that fail are reported.

mod authorization;
pub mod key_description;
mod path;
mod rules;

pub use authorization::{ApplicationId, AuthorizationList, BootState, Package, RootOfTrust};
pub use key_description::KeyDescription;
pub use path::{Path, Provisioning};

use api::Build;

use super::chain::{Anchors, Certificate, Key};
use super::policy::{AndroidPolicy, Level};
use super::revocation::StatusList;
use super::{Examination, Reason};

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
    examination.apply(rules::failed(&path, &description, expected, trust.policy, now), &trust.policy.shadow);
    if description.hardware.root_of_trust.as_ref().is_some_and(RootOfTrust::has_zero_key) {
        examination.notes.push(Reason::BootKeyZero);
    }
    examination.notes.extend(description.oddities());
    Ok(examination)
}

/// The level that the evidence claims, believed or not: a decoy repeats it, because the phone knows what it sent.
fn claimed_level(certificates: &[Vec<u8>]) -> Level {
    certificates
        .first()
        .and_then(|der| Certificate::parse(der).ok())
        .and_then(|leaf| KeyDescription::of(&leaf).ok())
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
