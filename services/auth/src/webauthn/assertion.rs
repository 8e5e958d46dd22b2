//! An assertion of a credential that is known (§7.2).

use crypto::hash;
use crypto::p256::PublicKey;

use super::auth_data::AuthData;
use super::client_data::{self, Ceremony};
use super::{Refused, RelyingParty};

/// What the browser brings. What it says of whose it is (`userHandle`) is not asked: the row says that.
pub struct Assertion {
    /// `rawId`: which credential.
    pub credential_id: Vec<u8>,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// `signature`.
    pub signature: Vec<u8>,
}

/// What is known of the credential (§4, "credential record").
pub struct Known {
    pub key: PublicKey,
    pub sign_count: u32,
    pub backup_eligible: bool,
}

/// What is to be stored of it (step 24).
#[derive(Debug, PartialEq, Eq)]
pub struct Asserted {
    pub sign_count: u32,
    /// As it is now: credential managers begin to synchronise what they had made for one device, and stop to.
    pub backup_eligible: bool,
    pub backed_up: bool,
}

/// Examines it against a challenge of ours, in base64url. That the credential is one of this person's (steps 5 and 6), its caller has found.
///
/// # Errors
///
/// What is not right with it.
pub fn assert(us: &RelyingParty, challenge: &str, known: &Known, said: &Assertion) -> Result<Asserted, Refused> {
    // 8 to 14.
    client_data::check(&said.client_data, Ceremony::Get, challenge, us)?;
    let auth_data = AuthData::read(&said.authenticator_data)?;
    // 15 to 18. Step 19 is for whoever decides by the backup flags.
    auth_data.check(us)?;
    // 20, 21.
    let signed = [said.authenticator_data.as_slice(), &hash::sha256(&said.client_data)].concat();
    known.key.verify_der(&signed, &said.signature).map_err(|_| Refused::Signature)?;
    // 22: one that does not count says zero, always.
    let counts = auth_data.sign_count != 0 || known.sign_count != 0;
    if counts && auth_data.sign_count <= known.sign_count {
        return Err(Refused::Counter);
    }
    let (backup_eligible, backed_up) = (auth_data.is_backup_eligible(), auth_data.is_backed_up());
    Ok(Asserted { sign_count: auth_data.sign_count, backup_eligible, backed_up })
}
