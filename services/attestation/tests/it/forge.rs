//! Evidence made by hand under test roots: right in everything, so that a test breaks exactly one thing.

use std::time::Duration;

use attestation::evidence::chain::Anchors;
use rcgen::string::PrintableString;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SerialNumber, SignatureAlgorithm, date_time_ymd,
};

/// The moment that all forged evidence is made at: 2026-06-15T00:00:00Z.
pub(crate) const NOW: i64 = 1_781_481_600;
/// One year.
pub(crate) const YEAR: i64 = 365 * 24 * 60 * 60;

/// Attribute types.
pub(crate) const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
pub(crate) const SERIAL: &[u64] = &[2, 5, 4, 5];
pub(crate) const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
pub(crate) const TITLE: &[u64] = &[2, 5, 4, 12];

/// What a certificate will say.
pub(crate) struct Spec {
    pub(crate) name: Vec<(&'static [u64], String)>,
    pub(crate) authority: bool,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) serial: Vec<u8>,
    pub(crate) extensions: Vec<CustomExtension>,
    pub(crate) key: KeyPair,
}

impl Spec {
    pub(crate) fn new(name: &[(&'static [u64], &str)], algorithm: &'static SignatureAlgorithm) -> Self {
        Self {
            name: name.iter().map(|(oid, value)| (*oid, (*value).to_owned())).collect(),
            authority: true,
            not_before: NOW - YEAR,
            not_after: NOW + YEAR,
            serial: crypto::random::bytes::<8>().map(|byte| byte & 0x7f | 1).to_vec(),
            extensions: Vec::new(),
            key: KeyPair::generate_for(algorithm).unwrap(),
        }
    }

    pub(crate) fn p256(name: &[(&'static [u64], &str)]) -> Self {
        Self::new(name, &PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn p384(name: &[(&'static [u64], &str)]) -> Self {
        Self::new(name, &PKCS_ECDSA_P384_SHA384)
    }

    /// A leaf: no authority, dates that say nothing.
    pub(crate) fn leaf(name: &str, extension: CustomExtension) -> Self {
        let mut leaf = Self::p256(&[(COMMON_NAME, name)]);
        (leaf.authority, leaf.not_before, leaf.not_after) = (false, 0, NOW + 40 * YEAR);
        leaf.extensions.push(extension);
        leaf
    }

    /// The uncompressed point of a P-256 key.
    pub(crate) fn point(&self) -> [u8; 65] {
        self.key.public_key_raw().try_into().unwrap()
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (oid, value) in &self.name {
            let value = DnValue::PrintableString(PrintableString::try_from(value.as_str()).unwrap());
            params.distinguished_name.push(DnType::CustomDnType(oid.to_vec()), value);
        }
        params.is_ca = if self.authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        let at = |seconds: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.try_into().unwrap());
        (params.not_before, params.not_after) = (at(self.not_before), at(self.not_after));
        params.serial_number = Some(SerialNumber::from_slice(&self.serial));
        params.custom_extensions.clone_from(&self.extensions);
        params
    }

    /// Signed by `issuer`'s key, with `issuer`'s name.
    pub(crate) fn signed_by(&self, issuer: &Spec) -> Vec<u8> {
        let issuer = Issuer::new(issuer.params(), &issuer.key);
        self.params().signed_by(&self.key, &issuer).unwrap().der().to_vec()
    }

    pub(crate) fn self_signed(&self) -> rcgen::Certificate {
        self.params().self_signed(&self.key).unwrap()
    }
}

/// The certificates, leaf first; each is signed by the next and the last by itself.
pub(crate) fn chain(specs: &[Spec]) -> Vec<Vec<u8>> {
    let mut certificates: Vec<_> = specs.windows(2).map(|pair| pair[0].signed_by(&pair[1])).collect();
    certificates.push(specs.last().unwrap().self_signed().der().to_vec());
    certificates
}

/// Trust in this root and in no other.
pub(crate) fn anchors(root: &Spec) -> Anchors {
    Anchors::default().with_pem(&root.self_signed().pem()).unwrap()
}
