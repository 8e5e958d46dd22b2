//! A public key as authenticators write it: a COSE key (RFC 9052 §7, RFC 9053 §7.1.1) of EC2, ES256 and P-256.

use crypto::p256::PublicKey;
use minicbor::Decoder;
use minicbor::decode::Error;

use super::{ES256, Refused};

/// Most members; ES256 has five.
const MEMBERS: u64 = 16;
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const EC2: i64 = 2;
const P256: i64 = 1;

/// The key at the beginning, and how long it was.
pub(super) fn es256(bytes: &[u8]) -> Result<(PublicKey, usize), Refused> {
    let (members, length) = members(bytes).map_err(|_| Refused::Malformed)?;
    let find = |label: i64| members.iter().find(|(there, _)| *there == label).map(|(_, value)| *value);
    let number = |label| find(label).and_then(|value| Decoder::new(value).i64().ok());
    // §7.1 step 20: the one that was asked for.
    if number(ALG) != Some(ES256) {
        return Err(Refused::Algorithm);
    }
    let coordinate = |label| find(label).and_then(|value| Decoder::new(value).bytes().ok());
    let ours = number(KTY) == Some(EC2) && number(CRV) == Some(P256);
    let (x, y) = coordinate(X).zip(coordinate(Y)).filter(|_| ours).ok_or(Refused::Key)?;
    let key = PublicKey::from_xy(x, y).map_err(|_| Refused::Key)?;
    Ok((key, length))
}

/// A member's label, and its value as it stands there.
type Member<'a> = (i64, &'a [u8]);

/// What a map has, and how long it is. None stands twice, so that no two readers see two keys.
fn members(bytes: &[u8]) -> Result<(Vec<Member<'_>>, usize), Error> {
    let mut cbor = Decoder::new(bytes);
    let count =
        cbor.map()?.filter(|count| *count <= MEMBERS).ok_or_else(|| Error::message("not a map of few members"))?;
    let mut members: Vec<Member<'_>> = Vec::new();
    for _ in 0..count {
        let label = cbor.i64()?;
        let start = cbor.position();
        cbor.skip()?;
        let value = bytes.get(start..cbor.position()).ok_or_else(|| Error::message("a value beyond the end"))?;
        if members.iter().any(|(there, _)| *there == label) {
            return Err(Error::message("a label that stands twice"));
        }
        members.push((label, value));
    }
    Ok((members, cbor.position()))
}
