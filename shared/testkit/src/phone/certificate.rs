//! Certificates as the makers of phones issue them: names, validity and the one public key that is not ours to sign with.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rcgen::string::PrintableString;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::prelude::{FromDer as _, ParsedExtension};

use crate::pki::TestRoot;

/// Attribute `serialNumber` (X.520 §6.2.9), the name of Android's attestation certificates.
pub(super) const SERIAL_NUMBER: &[u64] = &[2, 5, 4, 5];
/// Attribute `title` (X.520 §6.5.1): `TEE` or `StrongBox`.
pub(super) const TITLE: &[u64] = &[2, 5, 4, 12];

/// A public key whose private half stays in the emulated hardware.
pub(super) struct HardwareKey(pub(super) [u8; 65]);

impl PublicKeyData for HardwareKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// The test root as an issuer, together with its own certificate.
pub(super) struct Root {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: Vec<u8>,
}

impl Root {
    pub(super) fn read(root: &TestRoot) -> Result<Self> {
        let (_, pem) =
            x509_parser::pem::parse_x509_pem(root.certificate_pem.as_bytes()).context("the root is not PEM")?;
        let (_, certificate) = X509Certificate::from_der(&pem.contents).context("the root is not a certificate")?;
        let mut parameters = empty()?;
        parameters.distinguished_name = copied_name(&certificate)?;
        for extension in certificate.extensions() {
            if let ParsedExtension::SubjectKeyIdentifier(id) = extension.parsed_extension() {
                parameters.key_identifier_method = KeyIdMethod::PreSpecified(id.0.to_vec());
            }
        }
        let issuer = Issuer::new(parameters, KeyPair::from_pem(&root.key_pem)?);
        Ok(Self { issuer, certificate: pem.contents })
    }
}

/// Parameters without any name or extension.
pub(super) fn empty() -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name = DistinguishedName::new();
    Ok(parameters)
}

/// Parameters of an intermediate authority.
pub(super) fn authority(name: DistinguishedName, constraints: BasicConstraints) -> Result<CertificateParams> {
    let mut parameters = empty()?;
    parameters.distinguished_name = name;
    parameters.is_ca = IsCa::Ca(constraints);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

/// Sets the validity in Unix seconds.
pub(super) fn validity(parameters: &mut CertificateParams, not_before: i64, not_after: i64) {
    let at = |seconds: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    parameters.not_before = at(not_before);
    parameters.not_after = at(not_after);
}

/// A `PrintableString`, as real phones write serial numbers in names.
pub(super) fn printable(text: &str) -> Result<DnValue> {
    Ok(DnValue::PrintableString(PrintableString::try_from(text)?))
}

/// The subject, attribute by attribute with its string type, so that `issuer` of what is signed equals it byte for byte.
fn copied_name(certificate: &X509Certificate<'_>) -> Result<DistinguishedName> {
    let mut name = DistinguishedName::new();
    for attribute in certificate.subject().iter_attributes() {
        let oid: Vec<u64> = attribute.attr_type().iter().context("an attribute type is too large")?.collect();
        let text = attribute.as_str().context("a name of the root is not text")?;
        let value = if attribute.attr_value().tag() == Tag::PrintableString { printable(text)? } else { text.into() };
        name.push(DnType::from_oid(&oid), value);
    }
    Ok(name)
}
