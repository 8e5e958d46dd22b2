//! What Apple's certificate tells besides the nonce: of the app (…8.5), of who may use the key (…8.6) and of the system (…8.7).
//!
//! Apple has not published the formats. They are read as genuine certificates have them: those of iOS 14 to 17 in the corpus, and of iOS 18 and
//! macOS 27 as other verifiers have published them. All are sequences of tagged fields, of which more come with each system; so an extension that is
//! not there, or a field, is an older system's and no reason to refuse, and one that cannot be read is noted. Apple has signed it either way.
//!
//! App Attest works on a Mac since macOS 27, and an iPad's app runs there too, with the same team and bundle. Only this tells it from a phone.

use x509_parser::der_parser::oid;
use x509_parser::der_parser::oid::Oid;

use super::super::chain::Certificate;
use super::super::der::{DerError, OCTET_STRING, Reader, Tag};
use super::super::policy::ApplePolicy;
use super::super::{Reason, broken};

/// Properties of the key: among them the app's id.
const KEY_USAGE: Oid<'static> = oid!(1.2.840.113635.100.8.5);
/// Access control: what the Secure Enclave asks for before it uses the key.
const KEY_ACCESS: Oid<'static> = oid!(1.2.840.113635.100.8.6);
const SYSTEM: Oid<'static> = oid!(1.2.840.113635.100.8.7);

/// `TeamID.BundleID`, in the properties of the key.
const APP_ID: u32 = 1204;
/// `iphoneos` (also an iPad's), `macosx` and so on; iOS 18 has it, iOS 17 has not.
const PLATFORM: u32 = 1026;
/// What a Mac says.
const MAC: &[u8] = b"macosx";
/// Most fields of any of them; the longest genuine one has 18.
const FIELDS: usize = 64;
/// `UTF8String`.
const UTF8_STRING: Tag = Tag::Universal(12);

/// What the leaf says of app and system, each where it is there.
#[derive(Debug)]
pub(super) struct LeafInfo<'a> {
    app_id: Option<&'a [u8]>,
    platform: Option<&'a [u8]>,
    /// The Secure Enclave signs only on a Mac in Full Security with System Integrity Protection.
    asks_for_mac_security: bool,
    /// There is something that cannot be read.
    pub(super) unreadable: bool,
}

impl<'a> LeafInfo<'a> {
    /// Reads a certificate whose signature is good.
    pub(super) fn of(leaf: &Certificate<'a>) -> Self {
        let app_id = read(leaf, &KEY_USAGE, |value| tagged(value, APP_ID));
        let platform = read(leaf, &SYSTEM, |value| tagged(value, PLATFORM));
        let requirement = read(leaf, &KEY_ACCESS, signing_requirement);
        Self {
            unreadable: [app_id, platform, requirement].iter().any(Result::is_err),
            app_id: app_id.ok().flatten(),
            platform: platform.ok().flatten(),
            asks_for_mac_security: requirement.ok().flatten() == Some(b"rsec"),
        }
    }

    /// It is our app, where the certificate says which.
    pub(super) fn is_of(&self, policy: &ApplePolicy) -> bool {
        self.app_id.is_none_or(|id| id == policy.app_id().as_bytes())
    }

    /// Every rule about the system that does not hold.
    pub(super) fn failed(&self, policy: &ApplePolicy) -> Vec<Reason> {
        // A key that is held to a Mac's security is a Mac's, whether or not anything else says so.
        let platform = self.platform.or(self.asks_for_mac_security.then_some(MAC));
        let allowed = |platform: &[u8]| policy.platforms.iter().any(|allowed| allowed.as_bytes() == platform);
        let rules = [
            (policy.platforms.is_empty() || platform.is_none_or(allowed), Reason::PlatformRefused),
            // A Mac boots what its owner likes, unless its security is full.
            (platform != Some(MAC) || self.asks_for_mac_security, Reason::MacSecurity),
        ];
        broken(rules)
    }
}

type Read<'a> = Result<Option<&'a [u8]>, DerError>;

/// Reads an extension that may be missing and must not stand twice.
fn read<'a>(leaf: &Certificate<'a>, oid: &Oid<'static>, reader: impl FnOnce(&'a [u8]) -> Read<'a>) -> Read<'a> {
    match leaf.extension(oid) {
        (0, _) => Ok(None),
        (1, Some(value)) => reader(value),
        _ => Err(DerError),
    }
}

/// The text in field `number` of a sequence of tagged fields; others are skipped.
fn tagged(der: &[u8], number: u32) -> Read<'_> {
    let mut outer = Reader::new(der);
    let mut fields = outer.sequence()?;
    outer.finish()?;
    let mut found = None;
    for _ in 0..FIELDS {
        if fields.is_empty() {
            return Ok(found);
        }
        if let (Tag::Context(tag), value) = fields.read()?
            && tag == number
        {
            let mut text = Reader::new(value);
            let first = found.replace(text.expect(OCTET_STRING)?);
            text.finish()?;
            if first.is_some() {
                return Err(DerError);
            }
        }
    }
    Err(DerError)
}

/// The named requirement under which the Secure Enclave signs with the key (`osgn`), if there is one.
///
/// `SEQUENCE { [3] { OCTET STRING { SEQUENCE { version, SEQUENCE OF SEQUENCE { operation, [1] allowed or [0] requirement … } } } } }`
fn signing_requirement(der: &[u8]) -> Read<'_> {
    let mut outer = Reader::new(der);
    let mut fields = outer.sequence()?;
    outer.finish()?;
    let mut tagged = Reader::new(fields.expect(Tag::Context(3))?);
    let mut blob = Reader::new(tagged.octets()?);
    tagged.finish()?;
    let mut policy = blob.sequence()?;
    blob.finish()?;
    policy.expect(UTF8_STRING)?;
    let mut operations = policy.sequence()?;
    for _ in 0..FIELDS {
        if operations.is_empty() {
            return Ok(None);
        }
        let mut operation = operations.sequence()?;
        if operation.expect(UTF8_STRING)? != b"osgn" {
            continue;
        }
        return match operation.read()? {
            (Tag::Context(0), value) => Reader::new(value).expect(UTF8_STRING).map(Some),
            _ => Ok(None),
        };
    }
    Err(DerError)
}
