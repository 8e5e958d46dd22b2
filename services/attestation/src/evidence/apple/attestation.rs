//! The attestation of a new App Attest key (Apple, "Validating apps that connect to your server", steps 1 to 9).
//!
//! Not asked for, on purpose: an extended key usage (Apple changed it in January 2026 and every verifier that had asked for TLS
//! usages refused genuine phones). Not done yet: the receipt's CMS signature; it must be there and is kept out of all decisions.

use api::Build;
use minicbor::Decoder;
use minicbor::decode::Error;
use x509_parser::der_parser::oid;
use x509_parser::der_parser::oid::Oid;

use super::super::chain::{Anchors, Certificate, Key};
use super::super::der::{DerError, OCTET_STRING, Reader, Tag};
use super::super::policy::{ApplePolicy, Level};
use super::super::{AssertionKey, Examination, Failed, Reason};
use super::auth_data::{self, BuildInfo, Credential};
use super::leaf::LeafInfo;
use super::map;

/// Largest object that is looked at; genuine ones have about 6 KiB.
const OBJECT_LIMIT: usize = 16 * 1024;
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
    auth_data: &'a [u8],
    /// There are fields that are not known here. Nobody has signed them, and nothing is read from them.
    unknown: bool,
}

/// `attStmt`.
struct Statement<'a> {
    leaf: &'a [u8],
    intermediate: &'a [u8],
    unknown: bool,
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

/// What today's anchors and policy say of an object that was let in before.
///
/// Not judged anew is what was about that request and that moment (nonce, key id, times of certificates), and neither are build and way to
/// the device: where iOS tells them it tells them anew in every assertion, and an app that was updated since is not held to the old one.
/// **Nothing that comes out of it is a lie**, whatever [`Reason::is_lie`] says of the same reason in new evidence.
pub fn reexamine(object: &[u8], trust: &Trust<'_>) -> Failed {
    // Default: what cannot be judged is refused.
    try_reexamine(object, trust).unwrap_or_else(Failed::from)
}

fn try_reexamine(bytes: &[u8], trust: &Trust<'_>) -> Result<Failed, Reason> {
    let object = Object::parse(bytes)?;
    let leaf = Certificate::parse(object.leaf)?;
    chain(&leaf, &Certificate::parse(object.intermediate)?, trust.anchors)?;
    let (_, credential, _) = auth_data::with_credential(object.auth_data)?;
    let mut failed = LeafInfo::of(&leaf).failed(trust.policy);
    if credential.aaguid != trust.policy.environment.aaguid() {
        failed.push(Reason::EnvironmentMismatch);
    }
    Ok(Failed::sort(failed, &trust.policy.shadow))
}

fn try_examine(bytes: &[u8], expected: &Expected<'_>, trust: &Trust<'_>, now: i64) -> Result<Examination, Reason> {
    let object = Object::parse(bytes)?;
    let leaf = Certificate::parse(object.leaf)?;
    let intermediate = Certificate::parse(object.intermediate)?;
    chain(&leaf, &intermediate, trust.anchors)?;
    let nonce = crypto::hash::sha256(&[object.auth_data, expected.client_data_hash].concat());
    if !leaf_nonce(&leaf).is_some_and(|found| crypto::hash::constant_time_eq(found, &nonce)) {
        return Err(Reason::NonceMismatch);
    }
    // From here on Apple has signed for all that is read.
    leaf.time(now)?;
    intermediate.time(now)?;
    let (key, system) = (leaf_key(&leaf)?, LeafInfo::of(&leaf));
    let (header, credential, build_info) = auth_data::with_credential(object.auth_data)?;

    let mut examination = Examination::new(Level::SecureEnclave, crypto::hash::sha256(leaf.tbs()));
    examination.attesting = Some(intermediate.key_digest());
    let mut failed = system.failed(trust.policy);
    let mut rule = |holds: bool, reason: Reason| {
        if !holds {
            failed.push(reason);
        }
    };
    rule(belongs(&key, &credential, expected.key_id), Reason::KeyIdMismatch);
    let is_our_app = *header.rp_id_hash == crypto::hash::sha256(trust.policy.app_id().as_bytes());
    rule(is_our_app && system.is_of(trust.policy), Reason::AppMismatch);
    rule(header.counter == 0, Reason::CounterNotZero);
    rule(credential.aaguid == trust.policy.environment.aaguid(), Reason::EnvironmentMismatch);
    build_rules(&build_info, expected.build, trust.policy, &mut rule);
    examination.apply(failed, &trust.policy.shadow);
    if object.unknown || build_info.unknown {
        examination.notes.push(Reason::UnknownField);
    }
    if system.unreadable {
        examination.notes.push(Reason::LeafUnreadable);
    }
    examination.has_map = build_info.is_whole();
    examination.assertion_key = Some(key);
    Ok(examination)
}

/// What iOS 27 tells of the build; earlier systems tell nothing, and then the request's own word has only the floor to pass.
pub(super) fn build_rules(
    build_info: &BuildInfo,
    named: Option<&Build>,
    policy: &ApplePolicy,
    rule: &mut impl FnMut(bool, Reason),
) {
    rule(named.is_none_or(|build| build.at_least(&policy.minimum_build)), Reason::BuildRefused);
    let allowed = &policy.validation_categories;
    let category = build_info.category.is_none_or(|category| allowed.is_empty() || allowed.contains(&category));
    rule(category, Reason::ValidationCategory);
    let same = |build: &Build| build_info.bundle_version.as_deref().is_none_or(|version| version == build.as_str());
    rule(named.is_none_or(same), Reason::BuildMismatch);
}

/// Two certificates, the upper an authority signed by the anchor. Their time is the caller's question.
fn chain(leaf: &Certificate<'_>, intermediate: &Certificate<'_>, anchors: &Anchors) -> Result<(), Reason> {
    leaf.issued_by(intermediate)?;
    if intermediate.is_self_issued() {
        return Err(Reason::RootUntrusted);
    }
    anchors.signed(intermediate)?;
    if !intermediate.is_authority() || leaf.is_authority() {
        return Err(Reason::NotAuthority);
    }
    Ok(())
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
    /// `{fmt: "apple-appattest", attStmt: {x5c: [leaf, intermediate], receipt}, authData}` and whatever else, definite lengths.
    fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        if bytes.len() > OBJECT_LIMIT {
            return Err(Reason::ChainSize);
        }
        let mut cbor = Decoder::new(bytes);
        match Self::read(&mut cbor) {
            Ok(object) if cbor.position() == bytes.len() => Ok(object),
            _ => Err(Reason::ObjectMalformed),
        }
    }

    fn read(cbor: &mut Decoder<'a>) -> Result<Self, Error> {
        let (mut format, mut statement, mut auth_data) = (None, None, None);
        let unknown = map::read(cbor, |name, cbor| {
            match name {
                "fmt" => format = Some(cbor.str()?),
                "attStmt" => statement = Some(Statement::read(cbor)?),
                "authData" => auth_data = Some(cbor.bytes()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        match (format, statement, auth_data) {
            (Some("apple-appattest"), Some(Statement { leaf, intermediate, unknown: more }), Some(auth_data)) => {
                Ok(Self { leaf, intermediate, auth_data, unknown: unknown || more })
            }
            _ => Err(Error::message("not an App Attest object")),
        }
    }
}

impl<'a> Statement<'a> {
    fn read(cbor: &mut Decoder<'a>) -> Result<Self, Error> {
        let (mut certificates, mut receipt) = (None, None);
        let unknown = map::read(cbor, |name, cbor| {
            match name {
                "x5c" if cbor.array()? == Some(2) => certificates = Some((cbor.bytes()?, cbor.bytes()?)),
                "x5c" => return Err(Error::message("not two certificates")),
                "receipt" => receipt = Some(cbor.bytes()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        match (certificates, receipt) {
            (Some((leaf, intermediate)), Some([_, ..])) => Ok(Self { leaf, intermediate, unknown }),
            _ => Err(Error::message("certificates or receipt are missing")),
        }
    }
}
