//! Authenticator data: the layout of `WebAuthn` with the contents of App Attest.
//!
//! `rpIdHash(32) flags(1) counter(4) [aaguid(16) length(2)=32 credentialId(32) COSE key(77)] [iOS 27 map]`
//!
//! The flags are not trustworthy as a description of what follows: genuine assertions set "attested data included" without any, and
//! iOS 27 appends its map without setting "extension data included". So the caller says which form it expects.

use minicbor::Decoder;

use super::super::Reason;

/// The fields that iOS 27 adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BuildInfo {
    /// `CFBundleVersion`.
    pub(super) bundle_version: String,
    /// How the build came to the device (4 is the App Store).
    pub(super) category: u32,
}

/// What stands in front of either form.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) rp_id_hash: &'a [u8; 32],
    pub(super) counter: u32,
}

/// A new credential.
#[derive(Debug)]
pub(super) struct Credential<'a> {
    pub(super) aaguid: &'a [u8; 16],
    pub(super) id: &'a [u8; 32],
    /// Uncompressed point.
    pub(super) public: [u8; 65],
}

/// The form that attestations have.
pub(super) fn with_credential(bytes: &[u8]) -> Result<(Header<'_>, Credential<'_>, Option<BuildInfo>), Reason> {
    let mut rest = bytes;
    let header = header(&mut rest)?;
    let aaguid = take::<16>(&mut rest)?;
    if take::<2>(&mut rest)? != &[0, 32] {
        return Err(Reason::ObjectMalformed);
    }
    let id = take::<32>(&mut rest)?;
    let public = cose_key(&mut rest)?;
    Ok((header, Credential { aaguid, id, public }, build_info(rest)?))
}

/// The form that assertions have.
pub(super) fn without_credential(bytes: &[u8]) -> Result<(Header<'_>, Option<BuildInfo>), Reason> {
    let mut rest = bytes;
    let header = header(&mut rest)?;
    Ok((header, build_info(rest)?))
}

fn header<'a>(rest: &mut &'a [u8]) -> Result<Header<'a>, Reason> {
    let rp_id_hash = take::<32>(rest)?;
    let _flags = take::<1>(rest)?;
    let counter = u32::from_be_bytes(*take::<4>(rest)?);
    Ok(Header { rp_id_hash, counter })
}

/// A COSE key in the one encoding that Apple's have: `{1: 2, 3: -7, -1: 1, -2: x, -3: y}` (EC2, ES256, P-256).
fn cose_key(rest: &mut &[u8]) -> Result<[u8; 65], Reason> {
    let constant = |rest: &mut &[u8], expected: &[u8]| {
        let (found, after) = rest.split_at_checked(expected.len()).ok_or(Reason::ObjectMalformed)?;
        *rest = after;
        if found == expected { Ok(()) } else { Err(Reason::ObjectMalformed) }
    };
    constant(rest, &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20])?;
    let x = take::<32>(rest)?;
    constant(rest, &[0x22, 0x58, 0x20])?;
    let y = take::<32>(rest)?;
    let mut point = [4; 65];
    for (to, from) in point.iter_mut().skip(1).zip(x.iter().chain(y)) {
        *to = *from;
    }
    Ok(point)
}

/// Nothing, or `{"apple_bundle_version_01": text, "apple_validation_category_01": 4 bytes, little endian}` in this order.
fn build_info(rest: &[u8]) -> Result<Option<BuildInfo>, Reason> {
    if rest.is_empty() {
        return Ok(None);
    }
    let read = || -> Result<BuildInfo, minicbor::decode::Error> {
        let mut cbor = Decoder::new(rest);
        let malformed = || minicbor::decode::Error::message("not the known map");
        if cbor.map()? != Some(2) || cbor.str()? != "apple_bundle_version_01" {
            return Err(malformed());
        }
        let bundle_version = cbor.str()?.to_owned();
        if cbor.str()? != "apple_validation_category_01" {
            return Err(malformed());
        }
        let category = <[u8; 4]>::try_from(cbor.bytes()?).map_err(|_| malformed())?;
        if cbor.position() != rest.len() || bundle_version.len() > 64 {
            return Err(malformed());
        }
        Ok(BuildInfo { bundle_version, category: u32::from_le_bytes(category) })
    };
    read().map(Some).map_err(|_| Reason::ObjectMalformed)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Reason> {
    let (found, after) = rest.split_first_chunk().ok_or(Reason::ObjectMalformed)?;
    *rest = after;
    Ok(found)
}
