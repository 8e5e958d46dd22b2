//! An assertion: the App Attest key signs that it stands behind this request.

use api::Build;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use minicbor::Decoder;

use super::super::policy::ApplePolicy;
use super::super::{Failed, Reason};
use super::attestation::build_rules;
use super::auth_data;

/// Largest object that is looked at; genuine ones have about 150 bytes.
const OBJECT_LIMIT: usize = 1024;

/// A verified assertion. The caller must still raise the stored counter to this one, atomically, and refuse if it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asserted {
    /// At least 1.
    pub counter: u32,
    /// What a rule in shadow mode would have refused.
    pub notes: Vec<Reason>,
}

/// Verifies an assertion under the key that was attested.
///
/// The signature is ECDSA with SHA-256 over the *nonce*, which is itself a SHA-256: hashed twice, as genuine devices do.
pub fn verify_assertion(
    object: &[u8],
    public: &[u8; 65],
    client_data_hash: &[u8; 32],
    build: Option<&Build>,
    policy: &ApplePolicy,
) -> Result<Asserted, Failed> {
    let (signature, bytes) = parse(object)?;
    let (header, told) = auth_data::without_credential(bytes)?;
    let mut failed = Vec::new();
    let mut rule = |holds: bool, reason: Reason| {
        if !holds {
            failed.push(reason);
        }
    };
    let nonce = crypto::hash::sha256(&[bytes, client_data_hash].concat());
    let verified = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public).verify(&nonce, signature);
    rule(verified.is_ok(), Reason::SignatureInvalid);
    rule(*header.rp_id_hash == crypto::hash::sha256(policy.app_id().as_bytes()), Reason::AppMismatch);
    rule(header.counter > 0, Reason::CounterReplayed);
    build_rules(told.as_ref(), build, policy, &mut rule);
    let failed = Failed::sort(failed, &policy.shadow);
    if failed.refusals.is_empty() { Ok(Asserted { counter: header.counter, notes: failed.notes }) } else { Err(failed) }
}

/// `{signature: bytes, authenticatorData: bytes}`, nothing else.
fn parse(object: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    if object.len() > OBJECT_LIMIT {
        return Err(Reason::ObjectMalformed);
    }
    let mut cbor = Decoder::new(object);
    let mut read = || -> Result<_, minicbor::decode::Error> {
        let malformed = || minicbor::decode::Error::message("not an assertion");
        if cbor.map()? != Some(2) || cbor.str()? != "signature" {
            return Err(malformed());
        }
        let signature = cbor.bytes()?;
        if cbor.str()? != "authenticatorData" {
            return Err(malformed());
        }
        let auth_data = cbor.bytes()?;
        if cbor.position() == object.len() { Ok((signature, auth_data)) } else { Err(malformed()) }
    };
    read().map_err(|_| Reason::ObjectMalformed)
}
