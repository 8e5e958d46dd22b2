//! The attestation extension (1.3.6.1.4.1.11129.2.1.17), read strictly but for what genuine hardware gets wrong ([`KeyDescription::encoding_anomalies`]).

use x509_parser::der_parser::oid;
use x509_parser::der_parser::oid::Oid;

use super::super::Reason;
use super::super::chain::Certificate;
use super::super::der::{DerError, Reader};
use super::super::policy::Level;
use super::authorization::AuthorizationList;

/// The extension that holds the key description.
pub const EXTENSION: Oid<'static> = oid!(1.3.6.1.4.1.11129.2.1.17);
/// Provisioning information: how many certificates this device was given lately.
const PROVISIONING: Oid<'static> = oid!(1.3.6.1.4.1.11129.2.1.30);

/// What the hardware (and the system, in `software`) says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// Version of this structure: 1 to 4 are Keymaster, 100 and up `KeyMint`.
    pub attestation_version: u64,
    /// Who made the attestation.
    pub attestation_level: Level,
    /// Version of the `KeyMint` or Keymaster.
    pub keymint_version: u64,
    /// Who holds the key.
    pub keymint_level: Level,
    /// What the app passed to `setAttestationChallenge`.
    pub challenge: Vec<u8>,
    /// Unused since Android 8 for ordinary apps.
    pub unique_id: Vec<u8>,
    /// What only the operating system vouches for.
    pub software: AuthorizationList,
    /// What the hardware vouches for.
    pub hardware: AuthorizationList,
}

impl KeyDescription {
    /// The description in a leaf, which must hold exactly one.
    pub fn of(leaf: &Certificate<'_>) -> Result<Self, Reason> {
        match leaf.extension(&EXTENSION) {
            (1, Some(value)) => Self::parse(value).map_err(|_| Reason::ExtensionMalformed),
            _ => Err(Reason::ExtensionMisplaced),
        }
    }

    /// What is not as DER or the schema have it and has one meaning all the same.
    pub fn encoding_anomalies(&self) -> Vec<Reason> {
        let lists = [&self.software, &self.hardware];
        let boolean = lists.iter().any(|list| list.root_of_trust.as_ref().is_some_and(|root| root.odd_boolean));
        let unordered = lists.iter().any(|list| list.unordered);
        let found = [(boolean, Reason::BooleanNotDer), (unordered, Reason::TagsUnordered)];
        found.into_iter().filter(|(there, _)| *there).map(|(_, reason)| reason).collect()
    }

    /// Reads the value of the extension.
    pub fn parse(der: &[u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let description = Self {
            attestation_version: fields.integer()?,
            attestation_level: level(fields.enumerated()?)?,
            keymint_version: fields.integer()?,
            keymint_level: level(fields.enumerated()?)?,
            challenge: fields.octets()?.to_vec(),
            unique_id: fields.octets()?.to_vec(),
            software: AuthorizationList::parse(fields.sequence()?)?,
            hardware: AuthorizationList::parse(fields.sequence()?)?,
        };
        fields.finish()?;
        Ok(description)
    }
}

/// Certificates issued to the device in 30 days, if the attesting certificate tells: CBOR `{1: n}`.
pub(super) fn certificates_issued(attesting: &Certificate<'_>) -> Option<u64> {
    let mut cbor = minicbor::Decoder::new(attesting.extension(&PROVISIONING).1?);
    for _ in 0..cbor.map().ok()??.min(8) {
        if cbor.i64().ok()? == 1 {
            return cbor.u64().ok();
        }
        cbor.skip().ok()?;
    }
    None
}

fn level(value: u64) -> Result<Level, DerError> {
    match value {
        0 => Ok(Level::Software),
        1 => Ok(Level::Tee),
        2 => Ok(Level::StrongBox),
        _ => Err(DerError),
    }
}
