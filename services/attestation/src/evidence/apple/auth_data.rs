//! Authenticator data: the layout of `WebAuthn` with the contents of App Attest.
//!
//! `rpIdHash(32) flags(1) counter(4) [aaguid(16) length(2)=32 credentialId(32) COSE key(77)] [iOS 27 map]`
//!
//! The flags are not trustworthy as a description of what follows: genuine assertions set "attested data included" without any, and
//! iOS 27 appends its map without setting "extension data included". So the caller says which form it expects.

//!
//! Nobody but the phone's system writes it: callers have verified nonce or signature over it before they read it here, so what cannot
//! be read is not understood, and no lie ([`Reason::AuthDataUnreadable`]).

use minicbor::Decoder;
use minicbor::decode::Error;

use super::super::Reason;
use super::map;

/// Longest `CFBundleVersion` that is read, in bytes.
const VERSION: usize = 64;

/// The fields that iOS 27 adds, each where it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BuildInfo {
    /// `CFBundleVersion`.
    pub(super) bundle_version: Option<String>,
    /// How the build came to the device (4 is the App Store).
    pub(super) category: Option<u32>,
    /// There are fields that are not known here.
    pub(super) unknown: bool,
}

impl BuildInfo {
    /// All is there that iOS 27 tells.
    pub(super) fn is_whole(&self) -> bool {
        self.bundle_version.is_some() && self.category.is_some()
    }
}

/// What stands in front of either form.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) rp_id_hash: &'a [u8; 32],
    pub(super) counter: u32,
}

#[derive(Debug)]
pub(super) struct Credential<'a> {
    pub(super) aaguid: &'a [u8; 16],
    pub(super) id: &'a [u8; 32],
    /// Uncompressed point.
    pub(super) public: [u8; 65],
}

/// The form that attestations have.
pub(super) fn with_credential(bytes: &[u8]) -> Result<(Header<'_>, Credential<'_>, BuildInfo), Reason> {
    let mut rest = bytes;
    let header = header(&mut rest)?;
    let aaguid = take::<16>(&mut rest)?;
    if take::<2>(&mut rest)? != &[0, 32] {
        return Err(Reason::AuthDataUnreadable);
    }
    let id = take::<32>(&mut rest)?;
    let public = cose_key(&mut rest)?;
    Ok((header, Credential { aaguid, id, public }, build_info(rest)?))
}

/// The form that assertions have.
pub(super) fn without_credential(bytes: &[u8]) -> Result<(Header<'_>, BuildInfo), Reason> {
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
        let (found, after) = rest.split_at_checked(expected.len()).ok_or(Reason::AuthDataUnreadable)?;
        *rest = after;
        if found == expected { Ok(()) } else { Err(Reason::AuthDataUnreadable) }
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

/// Nothing, or a map with `"apple_bundle_version_01": text`, `"apple_validation_category_01": 4 bytes, little endian` and whatever else.
fn build_info(rest: &[u8]) -> Result<BuildInfo, Reason> {
    let mut info = BuildInfo::default();
    if rest.is_empty() {
        return Ok(info);
    }
    let mut cbor = Decoder::new(rest);
    let read = map::read(&mut cbor, |name, cbor| {
        match name {
            "apple_bundle_version_01" => info.bundle_version = Some(bundle_version(cbor)?),
            "apple_validation_category_01" => info.category = Some(category(cbor)?),
            _ => return Ok(false),
        }
        Ok(true)
    });
    match read {
        Ok(unknown) if cbor.position() == rest.len() => Ok(BuildInfo { unknown, ..info }),
        _ => Err(Reason::AuthDataUnreadable),
    }
}

fn bundle_version(cbor: &mut Decoder<'_>) -> Result<String, Error> {
    let text = cbor.str()?;
    if text.len() <= VERSION { Ok(text.to_owned()) } else { Err(Error::message("a version that is too long")) }
}

fn category(cbor: &mut Decoder<'_>) -> Result<u32, Error> {
    let bytes = <[u8; 4]>::try_from(cbor.bytes()?).map_err(|_| Error::message("a category of another size"))?;
    Ok(u32::from_le_bytes(bytes))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Reason> {
    let (found, after) = rest.split_first_chunk().ok_or(Reason::AuthDataUnreadable)?;
    *rest = after;
    Ok(found)
}
