//! An assertion: the App Attest key signs that it stands behind this request.

use api::Build;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use minicbor::Decoder;

use super::super::policy::ApplePolicy;
use super::super::{Failed, Reason};
use super::attestation::build_rules;
use super::{auth_data, map};

/// Largest object that is looked at; genuine ones have 150 to 400 bytes.
const OBJECT_LIMIT: usize = 4 * 1024;

/// What this very request must be about.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedAssertion<'a> {
    /// What the app passed as `clientDataHash`: the evidence binding of the request.
    pub client_data_hash: &'a [u8; 32],
    /// The build that the request names; compared where iOS tells it.
    pub build: Option<&'a Build>,
    /// The key, or the instance that holds it, has shown the map of iOS 27 before.
    pub has_shown_map: bool,
}

/// A verified assertion. The caller must still raise the stored counter to this one, atomically, and refuse if it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asserted {
    /// At least 1.
    pub counter: u32,
    /// iOS told all that iOS 27 tells, and from now on must ([`ExpectedAssertion::has_shown_map`]).
    pub has_map: bool,
    /// What a rule in shadow mode would have refused, or what is merely odd.
    pub notes: Vec<Reason>,
}

/// Verifies an assertion under the key that was attested.
///
/// The signature is ECDSA with SHA-256 over the *nonce*, which is itself a SHA-256: hashed twice, as genuine devices do.
pub fn verify_assertion(
    object: &[u8],
    public: &[u8; 65],
    expected: &ExpectedAssertion<'_>,
    policy: &ApplePolicy,
) -> Result<Asserted, Failed> {
    let Object { signature, auth_data: bytes, unknown } = Object::parse(object)?;
    let nonce = crypto::hash::sha256(&[bytes, expected.client_data_hash].concat());
    if UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public).verify(&nonce, signature).is_err() {
        return Err(Reason::SignatureInvalid.into());
    }
    let (header, build_info) = auth_data::without_credential(bytes)?;
    let mut failed = Vec::new();
    let mut rule = |holds: bool, reason: Reason| {
        if !holds {
            failed.push(reason);
        }
    };
    rule(*header.rp_id_hash == crypto::hash::sha256(policy.app_id().as_bytes()), Reason::AppMismatch);
    rule(header.counter > 0, Reason::CounterReplayed);
    // No phone goes back to an earlier iOS and keeps its keys; leaving the map out is what hides another build.
    rule(build_info.is_whole() || !expected.has_shown_map, Reason::MapMissing);
    build_rules(&build_info, expected.build, policy, &mut rule);
    let mut failed = Failed::sort(failed, &policy.shadow);
    if unknown || build_info.unknown {
        failed.notes.push(Reason::UnknownField);
    }
    if !failed.refusals.is_empty() {
        return Err(failed);
    }
    Ok(Asserted { counter: header.counter, has_map: build_info.is_whole(), notes: failed.notes })
}

/// `{signature: bytes, authenticatorData: bytes}` and whatever else, which nobody has signed and nothing is read from.
struct Object<'a> {
    signature: &'a [u8],
    auth_data: &'a [u8],
    unknown: bool,
}

impl<'a> Object<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        if bytes.len() > OBJECT_LIMIT {
            return Err(Reason::ObjectMalformed);
        }
        let (mut signature, mut auth_data) = (None, None);
        let mut cbor = Decoder::new(bytes);
        let read = map::read(&mut cbor, |name, cbor| {
            match name {
                "signature" => signature = Some(cbor.bytes()?),
                "authenticatorData" => auth_data = Some(cbor.bytes()?),
                _ => return Ok(false),
            }
            Ok(true)
        });
        match (read, signature, auth_data) {
            (Ok(unknown), Some(signature), Some(auth_data)) if cbor.position() == bytes.len() => {
                Ok(Self { signature, auth_data, unknown })
            }
            _ => Err(Reason::ObjectMalformed),
        }
    }
}
