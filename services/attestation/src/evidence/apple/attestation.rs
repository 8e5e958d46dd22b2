//! The attestation of a new App Attest key (Apple, "Validating apps that connect to your server", steps 1 to 9).
//!
//! Not asked for, on purpose: an extended key usage (Apple changed it in January 2026 and every verifier that had asked for TLS
//! usages refused genuine phones). Not done yet: the receipt's CMS signature; it must be there and is kept out of all decisions.

use api::Build;
use minicbor::Decoder;
use x509_parser::der_parser::oid;
use x509_parser::der_parser::oid::Oid;

use super::super::chain::{Anchors, Certificate, Key};
use super::super::der::{DerError, OCTET_STRING, Reader, Tag};
use super::super::policy::{ApplePolicy, Level};
use super::super::{AssertionKey, Examination, Reason};
use super::auth_data::{self, BuildInfo, Credential};

/// Largest object that is looked at; genuine ones have about 6 KiB.
const OBJECT_LIMIT: usize = 16 * 1024;
/// The nonce.
const NONCE: Oid<'static> = oid!(1.2.840.113635.100.8.2);

/// What this very request must be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// What the app passed as `clientDataHash`: the evidence binding of the request.
    pub client_data_hash: &'a [u8; 32],
    /// The key id of the request.
    pub key_id: &'a [u8],
    /// The build that the request names; compared where iOS tells it.
    pub build: Option<&'a Build>,
}

/// What objects are measured against.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Where chains may end.
    pub anchors: &'a Anchors,
    /// What the operator asks.
    pub policy: &'a ApplePolicy,
}

struct Object<'a> {
    leaf: &'a [u8],
    intermediate: &'a [u8],
    receipt: &'a [u8],
    auth_data: &'a [u8],
}

/// Examines an attestation object.
pub fn examine(object: &[u8], expected: &Expected<'_>, trust: &Trust<'_>, now: i64) -> Examination {
    match try_examine(object, expected, trust, now) {
        Ok(examination) => examination,
        Err(reason) => {
            let mut examination = Examination::new(Level::SecureEnclave, crypto::hash::sha256(object));
            examination.refusals.push(reason);
            examination
        }
    }
}

fn try_examine(bytes: &[u8], expected: &Expected<'_>, trust: &Trust<'_>, now: i64) -> Result<Examination, Reason> {
    let object = Object::parse(bytes)?;
    let leaf = Certificate::parse(object.leaf)?;
    chain(&leaf, &Certificate::parse(object.intermediate)?, trust.anchors, now)?;
    let (header, credential, build) = auth_data::with_credential(object.auth_data)?;
    let key = leaf_key(&leaf)?;

    let mut examination = Examination::new(Level::SecureEnclave, crypto::hash::sha256(leaf.tbs()));
    let mut failed = Vec::new();
    let mut rule = |holds: bool, reason: Reason| {
        if !holds {
            failed.push(reason);
        }
    };
    let nonce = crypto::hash::sha256(&[object.auth_data, expected.client_data_hash].concat());
    rule(leaf_nonce(&leaf).is_some_and(|found| crypto::hash::constant_time_eq(found, &nonce)), Reason::NonceMismatch);
    rule(belongs(&key, &credential, expected.key_id), Reason::KeyIdMismatch);
    rule(*header.rp_id_hash == crypto::hash::sha256(trust.policy.app_id().as_bytes()), Reason::AppMismatch);
    rule(header.counter == 0, Reason::CounterNotZero);
    rule(credential.aaguid == trust.policy.environment.aaguid(), Reason::EnvironmentMismatch);
    build_rules(build.as_ref(), expected.build, trust.policy, &mut rule);
    examination.apply(failed, &trust.policy.shadow);
    examination.assertion_key = Some(key);
    Ok(examination)
}

/// What iOS 27 tells of the build; earlier systems tell nothing, and then the request's own word has only the floor to pass.
pub(super) fn build_rules(
    told: Option<&BuildInfo>,
    named: Option<&Build>,
    policy: &ApplePolicy,
    rule: &mut impl FnMut(bool, Reason),
) {
    rule(named.is_none_or(|build| build.at_least(&policy.minimum_build)), Reason::BuildRefused);
    let Some(told) = told else { return };
    rule(
        policy.validation_categories.is_empty() || policy.validation_categories.contains(&told.category),
        Reason::ValidationCategory,
    );
    rule(named.is_none_or(|build| told.bundle_version == build.as_str()), Reason::BuildMismatch);
}

/// Two certificates, both within their time, the upper an authority signed by the anchor.
fn chain(leaf: &Certificate<'_>, intermediate: &Certificate<'_>, anchors: &Anchors, now: i64) -> Result<(), Reason> {
    leaf.issued_by(intermediate)?;
    if intermediate.is_self_issued() {
        return Err(Reason::RootUntrusted);
    }
    anchors.signed(intermediate)?;
    if !intermediate.is_authority() || leaf.is_authority() {
        return Err(Reason::NotAuthority);
    }
    leaf.time(now)?;
    intermediate.time(now)
}

fn leaf_key(leaf: &Certificate<'_>) -> Result<AssertionKey, Reason> {
    match leaf.key() {
        Key::P256(public) => Ok(AssertionKey { id: crypto::hash::sha256(&public), public }),
        _ => Err(Reason::KeyType),
    }
}

/// The key's hash is the key id of the request and of the credential, and the credential holds the leaf's key.
fn belongs(key: &AssertionKey, credential: &Credential<'_>, key_id: &[u8]) -> bool {
    key.id == key_id && key.id == *credential.id && key.public == credential.public
}

/// `SEQUENCE { [1] EXPLICIT OCTET STRING }`, exactly once.
fn leaf_nonce<'a>(leaf: &Certificate<'a>) -> Option<&'a [u8]> {
    let (1, Some(value)) = leaf.extension(&NONCE) else { return None };
    let read = || -> Result<&'a [u8], DerError> {
        let mut outer = Reader::new(value);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let mut tagged = Reader::new(fields.expect(Tag::Context(1))?);
        fields.finish()?;
        let nonce = tagged.expect(OCTET_STRING)?;
        tagged.finish()?;
        Ok(nonce)
    };
    read().ok()
}

impl<'a> Object<'a> {
    /// `{fmt: "apple-appattest", attStmt: {x5c: [leaf, intermediate], receipt}, authData}`, definite lengths, nothing else.
    fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        if bytes.len() > OBJECT_LIMIT {
            return Err(Reason::ChainSize);
        }
        let mut cbor = Decoder::new(bytes);
        let object = Self::read(&mut cbor).map_err(|_| Reason::ObjectMalformed)?;
        if cbor.position() == bytes.len() && !object.receipt.is_empty() {
            Ok(object)
        } else {
            Err(Reason::ObjectMalformed)
        }
    }

    fn read(cbor: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
        let malformed = || minicbor::decode::Error::message("not an App Attest object");
        let key = |cbor: &mut Decoder<'a>, name: &str| if cbor.str()? == name { Ok(()) } else { Err(malformed()) };
        if cbor.map()? != Some(3) {
            return Err(malformed());
        }
        key(cbor, "fmt")?;
        key(cbor, "apple-appattest")?;
        key(cbor, "attStmt")?;
        if cbor.map()? != Some(2) {
            return Err(malformed());
        }
        key(cbor, "x5c")?;
        if cbor.array()? != Some(2) {
            return Err(malformed());
        }
        let (leaf, intermediate) = (cbor.bytes()?, cbor.bytes()?);
        key(cbor, "receipt")?;
        let receipt = cbor.bytes()?;
        key(cbor, "authData")?;
        Ok(Self { leaf, intermediate, receipt, auth_data: cbor.bytes()? })
    }
}
