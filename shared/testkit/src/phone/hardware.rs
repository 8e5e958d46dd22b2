//! What is in an Android phone before anybody asks it for a key: the attestation key, and the certificates above it.
//!
//! ```text
//! factory:  key ← attestation key (title, serialNumber) ← intermediate (title, serialNumber) ← root
//! remote:   key ← attestation key (O=TEE) ← Droid CA3 ← Droid CA2 (O=Google LLC) ← root, P-384 as Google's of 2025
//! ```

use anyhow::Result;
use crypto::hash::sha256;
use minicbor::Encoder;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SerialNumber, SignatureAlgorithm,
};

use super::certificate::{Root, SERIAL_NUMBER, TITLE, authority, printable, validity};
use super::key_description::SecurityLevel;
use crate::pki::TestRoot;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
/// Arcs of the provisioning information's OID.
const PROVISIONING_INFO: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 30];

/// How the attestation key came into the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioning {
    /// Burnt in by the maker, for the phone's life.
    Factory,
    /// Certified by Google, for some weeks.
    Remote {
        /// How many certificates the phone was issued in the last 30 days, as the attestation certificate tells.
        issued: u64,
    },
}

/// What the maker has put into the phone.
pub(super) struct Hardware {
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// From the attestation certificate to the root.
    pub(super) above: Vec<Vec<u8>>,
    pub(super) boot_key: [u8; 32],
    pub(super) boot_hash: [u8; 32],
    /// Of the system's modules, which `KeyMint` 4 attests.
    pub(super) module_hash: [u8; 32],
}

/// A certificate to be issued, and the kind of its key.
struct Issued(CertificateParams, &'static SignatureAlgorithm);

impl Hardware {
    pub(super) fn make(root: &TestRoot, level: SecurityLevel, provisioning: Provisioning, now: i64) -> Result<Self> {
        let root = Root::read(root)?;
        let environment = if level == SecurityLevel::StrongBox { "StrongBox" } else { "TEE" };
        let from_above = match provisioning {
            Provisioning::Factory => factory(environment, now)?,
            Provisioning::Remote { issued } => remote(environment, issued, now)?,
        };
        let (mut issuer, mut above) = (root.issuer, vec![root.certificate]);
        for Issued(parameters, algorithm) in from_above {
            let key = KeyPair::generate_for(algorithm)?;
            above.insert(0, parameters.signed_by(&key, &issuer)?.der().to_vec());
            issuer = Issuer::new(parameters, key);
        }
        Ok(Self {
            issuer,
            above,
            boot_key: sha256(b"synthetic verified boot key"),
            boot_hash: sha256(b"synthetic verified boot hash"),
            module_hash: sha256(b"synthetic module hash"),
        })
    }
}

/// Two certificates of the maker: named by title and a serial number of 128 bits.
fn factory(environment: &str, now: i64) -> Result<Vec<Issued>> {
    let makers = |algorithm| {
        let id = crypto::random::bytes::<16>();
        let mut name = DistinguishedName::new();
        name.push(DnType::CustomDnType(TITLE.to_vec()), environment);
        name.push(DnType::CustomDnType(SERIAL_NUMBER.to_vec()), printable(&hex::encode(id))?);
        let parameters = certificate(name, &id, (now - YEAR, now + 9 * YEAR))?;
        anyhow::Ok(Issued(parameters, algorithm))
    };
    Ok(vec![makers(&PKCS_ECDSA_P384_SHA384)?, makers(&PKCS_ECDSA_P256_SHA256)?])
}

/// Two authorities of Google's, and the certificate that they have given to this phone.
fn remote(environment: &str, issued: u64, now: i64) -> Result<Vec<Issued>> {
    let authority = |common_name: &str, algorithm, life| {
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, "Google LLC");
        name.push(DnType::CommonName, common_name);
        anyhow::Ok(Issued(certificate(name, &crypto::random::bytes::<16>(), life)?, algorithm))
    };
    let id = crypto::random::bytes::<16>();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, hex::encode(id));
    name.push(DnType::OrganizationName, environment);
    let mut attestation = certificate(name, &id, (now - 2 * DAY, now + 11 * DAY))?;
    let mut information = Encoder::new(Vec::new());
    information.map(1)?.u8(1)?.u64(issued)?;
    attestation.custom_extensions =
        vec![CustomExtension::from_oid_content(PROVISIONING_INFO, information.into_writer())];
    Ok(vec![
        authority("Droid CA2", &PKCS_ECDSA_P384_SHA384, (now - YEAR, now + 2 * YEAR))?,
        authority("Droid CA3", &PKCS_ECDSA_P256_SHA256, (now - DAY, now + 69 * DAY))?,
        Issued(attestation, &PKCS_ECDSA_P256_SHA256),
    ])
}

fn certificate(name: DistinguishedName, serial: &[u8; 16], life: (i64, i64)) -> Result<CertificateParams> {
    let mut parameters = authority(name, BasicConstraints::Unconstrained)?;
    parameters.serial_number = Some(SerialNumber::from_slice(serial));
    validity(&mut parameters, life.0, life.1);
    Ok(parameters)
}
