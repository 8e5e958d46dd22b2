//! Certificates and trust anchors, as much of X.509 as device evidence needs.
//!
//! An anchor is a *public key* with its name, not a certificate: Google has three root certificates on one key (one expired
//! 2026-05-24, and most genuine phones send that one), and some chains leave the root out. Names are compared byte for byte.

use std::borrow::Cow;

use aws_lc_rs::signature as alg;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::oid::Oid;
use x509_parser::oid_registry as oids;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo, X509Name};

use super::Reason;
use super::der::{BIT_STRING, DerError, INTEGER, Reader, SEQUENCE, Tag};

/// Largest certificate that is looked at. The largest genuine one (ML-DSA-65 leaf) has about 2.5 KiB.
pub const CERTIFICATE_LIMIT: usize = 8 * 1024;

/// Apple App Attestation Root CA (P-384, 2020 to 2045).
const APPLE_ROOT: &str = include_str!("roots/apple-app-attestation.pem");
/// Google's hardware attestation root (RSA-4096), the certificate of 2022 to 2042.
const GOOGLE_RSA_ROOT: &str = include_str!("roots/google-rsa.pem");
/// Google's "Key Attestation CA1" (P-384), in use since February 2026.
const GOOGLE_P384_ROOT: &str = include_str!("roots/google-p384.pem");

/// A public key that chains may end at, and the name of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    subject: Vec<u8>,
    spki: Vec<u8>,
}

/// The anchors of one platform.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Vec<Anchor>);

/// A root certificate that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not one PEM certificate")]
pub struct AnchorError;

impl Anchors {
    /// Google's roots, and no other: no software, test or pre-production root.
    pub fn google() -> Result<Self, AnchorError> {
        Self::default().with_pem(GOOGLE_RSA_ROOT)?.with_pem(GOOGLE_P384_ROOT)
    }

    /// Apple's App Attest root, and no other.
    pub fn apple() -> Result<Self, AnchorError> {
        Self::default().with_pem(APPLE_ROOT)
    }

    /// One more anchor: the key of this certificate. A development policy adds its test roots so.
    pub fn with_pem(mut self, pem: &str) -> Result<Self, AnchorError> {
        let (rest, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| AnchorError)?;
        if block.label != "CERTIFICATE" || !rest.trim_ascii().is_empty() {
            return Err(AnchorError);
        }
        let certificate = Certificate::parse(&block.contents).map_err(|_| AnchorError)?;
        self.0.push(Anchor { subject: certificate.subject().to_vec(), spki: certificate.spki().raw.to_vec() });
        Ok(self)
    }

    /// The certificate is one of an anchor's: same key, same name.
    pub fn contains(&self, certificate: &Certificate<'_>) -> bool {
        self.0.iter().any(|anchor| anchor.spki == certificate.spki().raw && anchor.subject == certificate.subject())
    }

    /// An anchor has signed the certificate.
    pub fn signed(&self, certificate: &Certificate<'_>) -> Result<(), Reason> {
        let mut outcome = Err(Reason::RootUntrusted);
        for anchor in self.0.iter().filter(|anchor| anchor.subject == certificate.issuer()) {
            let (_, key) = SubjectPublicKeyInfo::from_der(&anchor.spki).map_err(|_| Reason::RootUntrusted)?;
            // The name is right: if the signature is not, someone made a root of the same name.
            outcome = certificate.signed_by(&key).map_err(|_| Reason::RootUntrusted);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// The public key in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Uncompressed point on P-256.
    P256([u8; 65]),
    /// A key on P-384.
    P384,
    Rsa,
    /// ML-DSA (FIPS 204), as 2026 Pixels make them: recognised, not accepted.
    MlDsa,
    Other,
}

/// A parsed certificate that borrows its bytes.
#[derive(Debug)]
pub struct Certificate<'a> {
    x509: X509Certificate<'a>,
}

impl<'a> Certificate<'a> {
    /// Reads exactly one certificate.
    pub fn parse(der: &'a [u8]) -> Result<Self, Reason> {
        if der.len() > CERTIFICATE_LIMIT {
            return Err(Reason::ChainSize);
        }
        let (rest, x509) = X509Certificate::from_der(der).map_err(|_| Reason::CertificateMalformed)?;
        let honest = rest.is_empty()
            // Default: what cannot be read is not strict.
            && envelope_is_strict(der).unwrap_or(false)
            && x509.signature_algorithm == x509.tbs_certificate.signature
            && x509.public_key().subject_public_key.unused_bits == 0;
        if honest { Ok(Self { x509 }) } else { Err(Reason::CertificateMalformed) }
    }

    /// SHA-256 of the public key (`SubjectPublicKeyInfo`).
    pub fn key_digest(&self) -> [u8; 32] {
        crypto::hash::sha256(self.spki().raw)
    }

    /// The subject's name, DER.
    pub fn subject(&self) -> &[u8] {
        self.x509.tbs_certificate.subject.as_raw()
    }

    /// The issuer's name, DER.
    pub fn issuer(&self) -> &[u8] {
        self.x509.tbs_certificate.issuer.as_raw()
    }

    /// Signed by its own name.
    pub fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    /// The part that is signed.
    pub fn tbs(&self) -> &[u8] {
        self.x509.tbs_certificate.as_ref()
    }

    /// Content octets of the serial number.
    pub fn serial(&self) -> &[u8] {
        self.x509.raw_serial()
    }

    pub fn spki(&self) -> &SubjectPublicKeyInfo<'a> {
        &self.x509.tbs_certificate.subject_pki
    }

    /// The public key, by kind.
    pub fn key(&self) -> Key {
        let spki = self.spki();
        let algorithm = &spki.algorithm;
        let named = |curve: &Oid<'_>| {
            algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).is_some_and(|oid| oid == *curve)
        };
        if algorithm.algorithm == oids::OID_KEY_TYPE_EC_PUBLIC_KEY && named(&oids::OID_EC_P256) {
            // Default: a point of another length is no P-256 key.
            return <[u8; 65]>::try_from(spki.subject_public_key.data.as_ref()).map_or(Key::Other, Key::P256);
        }
        if algorithm.algorithm == oids::OID_KEY_TYPE_EC_PUBLIC_KEY && named(&oids::OID_NIST_EC_P384) {
            return Key::P384;
        }
        if algorithm.algorithm == oids::OID_PKCS1_RSAENCRYPTION {
            return Key::Rsa;
        }
        // 2.16.840.1.101.3.4.3.17 to .19 are ML-DSA-44, -65 and -87.
        let ml_dsa = ["2.16.840.1.101.3.4.3.17", "2.16.840.1.101.3.4.3.18", "2.16.840.1.101.3.4.3.19"];
        if ml_dsa.contains(&algorithm.algorithm.to_id_string().as_str()) { Key::MlDsa } else { Key::Other }
    }

    /// All values of an attribute of the subject. One in a string type that is not read as text is given by its bytes, for a value must
    /// not be overlooked because of its type.
    pub fn attributes(&self, oid: &Oid<'static>) -> Vec<Cow<'_, str>> {
        let name: &X509Name<'_> = &self.x509.tbs_certificate.subject;
        let found = name.iter_attributes().filter(|attribute| attribute.attr_type() == oid);
        found.map(|attribute| String::from_utf8_lossy(attribute.attr_value().data)).collect()
    }

    /// The value of an attribute that the subject has once. Of several, none is the one.
    pub fn attribute(&self, oid: &Oid<'static>) -> Option<Cow<'_, str>> {
        let mut values = self.attributes(oid).into_iter();
        let first = values.next();
        if values.next().is_none() { first } else { None }
    }

    /// How often an extension stands in the certificate, and its first value.
    pub fn extension(&self, oid: &Oid<'static>) -> (usize, Option<&'a [u8]>) {
        let mut found = self.x509.tbs_certificate.extensions().iter().filter(|extension| extension.oid == *oid);
        let first = found.next().map(|extension| extension.value);
        (usize::from(first.is_some()) + found.count(), first)
    }

    /// basicConstraints says that this is an authority. An unreadable extension is none.
    pub fn is_authority(&self) -> bool {
        self.x509.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca)
    }

    /// When it was issued, or says so (Unix seconds).
    pub fn not_before(&self) -> i64 {
        self.x509.validity().not_before.timestamp()
    }

    /// The time before which, if `now` is earlier, or after which, if later, it must not be used.
    pub fn time(&self, now: i64) -> Result<(), Reason> {
        if now < self.not_before() {
            return Err(Reason::NotYetValid);
        }
        if now > self.x509.validity().not_after.timestamp() { Err(Reason::Expired) } else { Ok(()) }
    }

    /// `parent` is the issuer by name, and its key signed this.
    pub fn issued_by(&self, parent: &Certificate<'_>) -> Result<(), Reason> {
        if self.issuer() != parent.subject() {
            return Err(Reason::IssuerMismatch);
        }
        self.signed_by(parent.spki())
    }

    /// The key signed this, with an algorithm that is allowed for it.
    pub fn signed_by(&self, key: &SubjectPublicKeyInfo<'_>) -> Result<(), Reason> {
        let algorithm = verification(&key.algorithm, &self.x509.signature_algorithm).ok_or(Reason::SignatureUnknown)?;
        alg::UnparsedPublicKey::new(algorithm, key.subject_public_key.data.as_ref())
            .verify(self.tbs(), &self.x509.signature_value.data)
            .map_err(|_| Reason::SignatureInvalid)
    }
}

/// What no signature covers must have one spelling only: the frame is strict DER, the algorithm outside repeats the one inside to
/// the byte, and the signature has no spare bits. (The general parser reads a few frames that are not DER.)
fn envelope_is_strict(der: &[u8]) -> Result<bool, DerError> {
    let mut outer = Reader::new(der);
    let mut parts = outer.sequence()?;
    outer.finish()?;
    let mut signed = parts.sequence()?;
    let algorithm = parts.expect(SEQUENCE)?;
    let signature = parts.expect(BIT_STRING)?;
    parts.finish()?;
    signed.expect(Tag::Context(0))?;
    signed.expect(INTEGER)?;
    Ok(signed.expect(SEQUENCE)? == algorithm && signature.first() == Some(&0))
}

/// The algorithm for a pair of key and signature identifiers; P-256 with SHA-384 and P-384 with SHA-256 both occur.
fn verification(
    key: &AlgorithmIdentifier<'_>,
    signature: &AlgorithmIdentifier<'_>,
) -> Option<&'static dyn alg::VerificationAlgorithm> {
    let curve = key.parameters.as_ref().and_then(|any| any.as_oid().ok());
    // RFC 5758 §3.2 wants ECDSA parameters absent; genuine StrongBox certificates of 2018 have NULL there.
    let plain = signature.parameters.as_ref().is_none_or(|any| any.as_null().is_ok());
    if !plain {
        return None;
    }
    let rsa = key.algorithm == oids::OID_PKCS1_RSAENCRYPTION;
    let p256 = key.algorithm == oids::OID_KEY_TYPE_EC_PUBLIC_KEY && curve.as_ref() == Some(&oids::OID_EC_P256);
    let p384 = key.algorithm == oids::OID_KEY_TYPE_EC_PUBLIC_KEY && curve.as_ref() == Some(&oids::OID_NIST_EC_P384);
    let is = |oid: &Oid<'_>| signature.algorithm == *oid;
    match () {
        () if rsa && is(&oids::OID_PKCS1_SHA256WITHRSA) => Some(&alg::RSA_PKCS1_2048_8192_SHA256),
        () if rsa && is(&oids::OID_PKCS1_SHA384WITHRSA) => Some(&alg::RSA_PKCS1_2048_8192_SHA384),
        () if p256 && is(&oids::OID_SIG_ECDSA_WITH_SHA256) => Some(&alg::ECDSA_P256_SHA256_ASN1),
        () if p256 && is(&oids::OID_SIG_ECDSA_WITH_SHA384) => Some(&alg::ECDSA_P256_SHA384_ASN1),
        () if p384 && is(&oids::OID_SIG_ECDSA_WITH_SHA256) => Some(&alg::ECDSA_P384_SHA256_ASN1),
        () if p384 && is(&oids::OID_SIG_ECDSA_WITH_SHA384) => Some(&alg::ECDSA_P384_SHA384_ASN1),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spki_digest(anchor: &Anchor) -> String {
        hex::encode(crypto::hash::sha256(&anchor.spki))
    }

    /// The digests as other verifiers publish them (docs of android/keyattestation; Apple's certificate authority page).
    #[test]
    fn the_pinned_keys_are_googles_and_apples() {
        let google: Vec<String> = Anchors::google().unwrap().0.iter().map(spki_digest).collect();
        assert_eq!(
            google,
            [
                "feb2ea7551ee316ed4bb443c8293b884dbfdea40b603ee3e4f4a897e4580fbae",
                "3ee44512a1af2beb39c889490c60ea3f82e43f5d5a5532f5ab9419f676cd07ec"
            ]
        );
        let apple: Vec<String> = Anchors::apple().unwrap().0.iter().map(spki_digest).collect();
        assert_eq!(apple, ["1ae751fd29896d0f1f13fe226c063f445d40d8938acc6245c251ecc0679330bd"]);
    }

    #[test]
    fn an_anchor_file_holds_one_certificate() {
        assert!(Anchors::default().with_pem("").is_err());
        assert!(Anchors::default().with_pem(&format!("{APPLE_ROOT}{APPLE_ROOT}")).is_err());
        assert!(Anchors::default().with_pem(&APPLE_ROOT.replace("CERTIFICATE", "PRIVATE KEY")).is_err());
    }
}
