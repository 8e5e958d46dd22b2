//! Authenticator data (§6.1): `rpIdHash(32) flags(1) signCount(4) [aaguid(16) length(2) credentialId COSE key] [extensions]`, and nothing after it.

use crypto::p256::PublicKey;
use minicbor::Decoder;

use super::{Refused, RelyingParty, cose};

/// Largest that is read; with a key and extensions genuine ones have a few hundred bytes.
const LIMIT: usize = 4 * 1024;
const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// What it says.
pub(super) struct AuthData<'a> {
    rp_id_hash: &'a [u8; 32],
    flags: u8,
    pub(super) sign_count: u32,
    pub(super) credential: Option<Credential<'a>>,
}

/// A credential that has just been made.
pub(super) struct Credential<'a> {
    pub(super) id: &'a [u8],
    pub(super) key: PublicKey,
}

impl<'a> AuthData<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        if bytes.len() > LIMIT {
            return Err(Refused::Malformed);
        }
        let mut rest = bytes;
        let rp_id_hash = take::<32>(&mut rest)?;
        let [flags] = *take::<1>(&mut rest)?;
        let sign_count = u32::from_be_bytes(*take::<4>(&mut rest)?);
        let credential = if flags & ATTESTED == 0 { None } else { Some(credential(&mut rest)?) };
        if flags & EXTENSIONS != 0 {
            // §6.1: a CBOR map, of which nothing was asked.
            let mut cbor = Decoder::new(rest);
            cbor.probe().map().and_then(|_| cbor.skip()).map_err(|_| Refused::Malformed)?;
            rest = rest.get(cbor.position()..).ok_or(Refused::Malformed)?;
        }
        if rest.is_empty() { Ok(Self { rp_id_hash, flags, sign_count, credential }) } else { Err(Refused::Malformed) }
    }

    /// §7.1 steps 14 to 17, §7.2 steps 15 to 18.
    pub(super) fn check(&self, us: &RelyingParty) -> Result<(), Refused> {
        if *self.rp_id_hash != us.id_hash() {
            return Err(Refused::RelyingParty);
        }
        if !self.says(USER_PRESENT) {
            return Err(Refused::UserAbsent);
        }
        if !self.says(USER_VERIFIED) {
            return Err(Refused::UserUnverified);
        }
        if self.is_backed_up() && !self.is_backup_eligible() {
            return Err(Refused::BackupState);
        }
        Ok(())
    }

    /// Whether the credential may be backed up, that is: live on several devices.
    pub(super) fn is_backup_eligible(&self) -> bool {
        self.says(BACKUP_ELIGIBLE)
    }

    /// Whether it is.
    pub(super) fn is_backed_up(&self) -> bool {
        self.says(BACKED_UP)
    }

    fn says(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// §6.5.1.
fn credential<'a>(rest: &mut &'a [u8]) -> Result<Credential<'a>, Refused> {
    // Which model it is: unknown without attestation, and nothing depends on it.
    let _aaguid = take::<16>(rest)?;
    let length = u16::from_be_bytes(*take::<2>(rest)?);
    let (id, after) = rest.split_at_checked(length.into()).ok_or(Refused::Malformed)?;
    let (key, length) = cose::es256(after)?;
    *rest = after.get(length..).ok_or(Refused::Malformed)?;
    Ok(Credential { id, key })
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Refused> {
    let (found, after) = rest.split_first_chunk().ok_or(Refused::Malformed)?;
    *rest = after;
    Ok(found)
}
