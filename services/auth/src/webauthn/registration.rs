//! A new credential (§7.1).

use crypto::p256::PublicKey;
use minicbor::Decoder;
use minicbor::decode::Error;

use super::auth_data::AuthData;
use super::client_data::{self, Ceremony};
use super::{Refused, RelyingParty};

/// Largest attestation object that is read. A statement that nobody asked for may have certificates in it.
const LIMIT: usize = 8 * 1024;
/// Most members of the object; it has three.
const MEMBERS: u64 = 16;
/// Longest id of a credential, in bytes (step 25).
const LONGEST_ID: usize = 1023;

/// What the browser brings.
pub struct Registration {
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `attestationObject`.
    pub attestation_object: Vec<u8>,
}

/// A credential that may be stored. Whether anybody has it already (step 26) is for the database to say.
#[derive(Debug, PartialEq, Eq)]
pub struct Registered {
    pub credential_id: Vec<u8>,
    pub key: PublicKey,
    pub sign_count: u32,
    pub backup_eligible: bool,
    pub backed_up: bool,
}

/// Examines it against a challenge of ours, in base64url.
///
/// # Errors
///
/// What is not right with it.
pub fn register(us: &RelyingParty, challenge: &str, said: &Registration) -> Result<Registered, Refused> {
    // 5 to 11.
    client_data::check(&said.client_data, Ceremony::Create, challenge, us)?;
    // 12, 13, 21, 22: the hash of the client data is what a statement signs; none was asked for, and none is read.
    let auth_data = AuthData::read(auth_data(&said.attestation_object)?)?;
    // 14 to 17.
    auth_data.check(us)?;
    let (backup_eligible, backed_up) = (auth_data.is_backup_eligible(), auth_data.is_backed_up());
    // 20 was looked at where the key was read.
    let credential = auth_data.credential.ok_or(Refused::CredentialMissing)?;
    // 24: no attestation is what we take. 25.
    if credential.id.is_empty() || credential.id.len() > LONGEST_ID {
        return Err(Refused::Malformed);
    }
    Ok(Registered {
        credential_id: credential.id.to_owned(),
        key: credential.key,
        sign_count: auth_data.sign_count,
        backup_eligible,
        backed_up,
    })
}

/// `{fmt: text, attStmt: map, authData: bytes}` (§6.5.4), in any order and with whatever else.
fn auth_data(object: &[u8]) -> Result<&[u8], Refused> {
    let read = || {
        let mut cbor = Decoder::new(object);
        let count = cbor.map()?.filter(|count| *count <= MEMBERS).ok_or_else(|| Error::message("not a map"))?;
        let mut found = None;
        for _ in 0..count {
            match cbor.str()? {
                "authData" if found.is_some() => return Err(Error::message("a name that stands twice")),
                "authData" => found = Some(cbor.bytes()?),
                _ => cbor.skip()?,
            }
        }
        let whole = cbor.position() == object.len();
        found.filter(|_| whole).ok_or_else(|| Error::message("no authenticator data, or something after it"))
    };
    if object.len() > LIMIT {
        return Err(Refused::Malformed);
    }
    read().map_err(|_| Refused::Malformed)
}
