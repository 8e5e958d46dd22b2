//! The chain machine: order, names, signatures, anchor, shape, time, revocation.
//!
//! Any app can ask its own hardware key to sign a certificate with a hand-written key description and append it to a genuine
//! chain. Three rules stop that, each alone: only the shapes below exist, the extension may stand on the leaf only, and
//! whatever stands above the attesting certificate must be an authority.
//!
//! ```text
//! factory:  leaf ← attesting (serialNumber) ← intermediate (serialNumber) ← root
//! remote:   leaf ← attesting (O=TEE|StrongBox) ← 2 or 3 of Google's (O=Google LLC) ← root
//! ```
//!
//! A factory has one intermediate and no more (all 25 such chains in the corpus, and as Google's library has it): nearly every attesting
//! certificate says that it is an authority, so whoever has got its key could put a fresh one below it for each phone, of today's date and
//! of a name that nobody counts or revokes.
//!
//! Policy on what genuine chains get wrong: extensions that cannot be parsed (a CRL distribution point without content in
//! Huawei's intermediates) are accepted, since nothing is read from them and revocation comes from Google's list; a leaf whose
//! issuer name differs from its parent's subject is refused unless the policy says otherwise.

use x509_parser::der_parser::oid;
use x509_parser::der_parser::oid::Oid;
use x509_parser::oid_registry::{OID_X509_ORGANIZATION_NAME, OID_X509_SERIALNUMBER};

use super::super::Reason;
use super::super::chain::Certificate;
use super::super::policy::Level;
use super::Trust;
use super::key_description::EXTENSION;

/// Fewest certificates: leaf, attesting, one intermediate (root left out).
const MIN: usize = 3;
/// Most certificates of any genuine chain.
const MAX: usize = 6;
/// `title` of a subject.
const OID_TITLE: Oid<'static> = oid!(2.5.4.12);

/// How the attesting key came to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioning {
    /// Burnt in by the maker, for the device's life: its certificates may be past their time.
    Factory,
    /// Fetched from Google for some weeks: its certificates may not.
    Remote,
}

/// A chain whose order, names, signatures, anchor and shape are good.
#[derive(Debug)]
pub struct Path<'c, 'd> {
    /// The attested key.
    pub leaf: &'c Certificate<'d>,
    /// The certificate that signed it.
    pub attesting: &'c Certificate<'d>,
    /// How it got there.
    pub provisioning: Provisioning,
    /// All that were sent, the root too if it was.
    sent: &'c [Certificate<'d>],
    /// Those between the leaf and the root.
    above_leaf: &'c [Certificate<'d>],
}

/// Reads the certificates, none if there are too few, too many or too large ones.
pub(super) fn parse(certificates: &[Vec<u8>]) -> Result<Vec<Certificate<'_>>, Reason> {
    if !(MIN..=MAX).contains(&certificates.len()) {
        return Err(Reason::ChainSize);
    }
    certificates.iter().map(|der| Certificate::parse(der)).collect()
}

impl<'c, 'd> Path<'c, 'd> {
    /// Verifies a chain, leaf first.
    pub(super) fn verify(certificates: &'c [Certificate<'d>], trust: &Trust<'_>, now: i64) -> Result<Self, Reason> {
        let path = Self::walk(certificates, trust, trust.policy.accept_leaf_issuer_mismatch)?;
        path.times(now)?;
        path.unlisted(trust)?;
        Ok(path)
    }

    /// Verifies a chain that was good when it was new: today's anchors and today's list, but no time, for a chain is not renewed while
    /// its key lives. A leaf's issuer name was accepted then and decides nothing now.
    pub(super) fn verify_again(certificates: &'c [Certificate<'d>], trust: &Trust<'_>) -> Result<Self, Reason> {
        let path = Self::walk(certificates, trust, true)?;
        path.unlisted(trust)?;
        Ok(path)
    }

    fn walk(sent: &'c [Certificate<'d>], trust: &Trust<'_>, accept_leaf_issuer: bool) -> Result<Self, Reason> {
        let below_root = anchored(sent, trust)?;
        let [leaf, above_leaf @ ..] = below_root else { return Err(Reason::ShapeUnknown) };
        let [attesting, intermediates @ ..] = above_leaf else { return Err(Reason::ShapeUnknown) };
        links(below_root, accept_leaf_issuer)?;
        if sent.iter().skip(1).any(|certificate| certificate.extension(&EXTENSION).0 > 0) {
            return Err(Reason::ExtensionMisplaced);
        }
        // The attesting certificate itself is exempt: genuine Sony ones say that they are no authority.
        if !intermediates.iter().all(Certificate::is_authority) {
            return Err(Reason::NotAuthority);
        }
        let provisioning = shape(attesting, intermediates)?;
        Ok(Self { leaf, attesting, provisioning, sent, above_leaf })
    }

    /// The leaf's dates are set by the device and say nothing. Above it nothing may be from the future, and a remotely
    /// provisioned chain must be within its time; a factory chain lives as long as the phone.
    fn times(&self, now: i64) -> Result<(), Reason> {
        for certificate in self.above_leaf {
            match certificate.time(now) {
                Err(Reason::Expired) if self.provisioning == Provisioning::Factory => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    fn unlisted(&self, trust: &Trust<'_>) -> Result<(), Reason> {
        if self.sent.iter().any(|certificate| is_listed(certificate, trust)) { Err(Reason::Revoked) } else { Ok(()) }
    }

    /// The level that the attesting certificate's subject names; certificates before 2018 name none.
    pub fn attesting_level(&self) -> Option<Level> {
        let named =
            self.attesting.attribute(&OID_X509_ORGANIZATION_NAME).or_else(|| self.attesting.attribute(&OID_TITLE));
        match named.as_deref() {
            Some("StrongBox") => Some(Level::StrongBox),
            Some("TEE") => Some(Level::Tee),
            _ => None,
        }
    }
}

/// A name may hold several serial numbers, and the list any of them.
fn is_listed(certificate: &Certificate<'_>, trust: &Trust<'_>) -> bool {
    let names = certificate.attributes(&OID_X509_SERIALNUMBER);
    trust.revoked.lists(certificate.serial(), names.iter().map(AsRef::as_ref))
}

/// Splits off the root if it was sent; what remains ends with a certificate that an anchor has signed.
fn anchored<'c, 'd>(certificates: &'c [Certificate<'d>], trust: &Trust<'_>) -> Result<&'c [Certificate<'d>], Reason> {
    let (last, rest) = certificates.split_last().ok_or(Reason::ChainSize)?;
    let chain = if last.is_self_issued() {
        if !trust.anchors.contains(last) {
            return Err(Reason::RootUntrusted);
        }
        last.signed_by(last.spki())?;
        rest
    } else {
        certificates
    };
    trust.anchors.signed(chain.last().ok_or(Reason::ShapeUnknown)?)?;
    Ok(chain)
}

/// Every certificate is issued by the next, by name and by key.
fn links(chain: &[Certificate<'_>], accept_leaf_issuer: bool) -> Result<(), Reason> {
    for (position, pair) in chain.windows(2).enumerate() {
        let [child, parent] = pair else { continue };
        match child.issued_by(parent) {
            Err(Reason::IssuerMismatch) if position == 0 && accept_leaf_issuer => child.signed_by(parent.spki())?,
            outcome => outcome?,
        }
    }
    Ok(())
}

fn shape(attesting: &Certificate<'_>, intermediates: &[Certificate<'_>]) -> Result<Provisioning, Reason> {
    let numbered = |certificate: &Certificate<'_>| !certificate.attributes(&OID_X509_SERIALNUMBER).is_empty();
    let googles = |certificate: &Certificate<'_>| {
        certificate.attribute(&OID_X509_ORGANIZATION_NAME).as_deref() == Some("Google LLC")
    };
    let hardware = matches!(attesting.attribute(&OID_X509_ORGANIZATION_NAME).as_deref(), Some("TEE" | "StrongBox"));
    match intermediates.len() {
        1 if numbered(attesting) && intermediates.iter().all(numbered) => Ok(Provisioning::Factory),
        2..=3 if hardware && intermediates.iter().all(googles) => Ok(Provisioning::Remote),
        _ => Err(Reason::ShapeUnknown),
    }
}
