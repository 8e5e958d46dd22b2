//! What an authenticator says, verified: W3C Web Authentication, Level 3 (`WebAuthn`), §7.1 and §7.2, as a relying party that takes ES256 and asks for no
//! attestation. Pure functions; what is single use is its caller's.
//!
//! Strict about what is ours to say: type, challenge, origin, the hash of our name, presence and verification of the person, algorithm, signature, counter.
//! Lenient about what conforming authenticators and browsers add: extensions, members of the client data that we do not know, any attestation statement (it is
//! not read, because nothing is believed for it).

mod assertion;
mod auth_data;
mod client_data;
mod cose;
mod registration;
#[cfg(test)]
mod tests;

use crypto::hash;
use url::Url;

pub use assertion::{Asserted, Assertion, Known, assert};
pub use registration::{Registered, Registration, register};

/// Milliseconds that a browser waits for the person, once they have pressed the button.
pub const TIMEOUT_MILLIS: i64 = 300_000;
/// The only algorithm: ECDSA on P-256 with SHA-256, in the numbers of COSE (RFC 9053 §2.1).
pub const ES256: i64 = -7;

/// Us, as browsers and authenticators know us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The relying party's id: the host of our origin (§5.1.2, `rp.id`).
    id: String,
    /// The only origin whose pages may ask.
    origin: String,
}

impl RelyingParty {
    /// The one behind this origin; no other host, above or below it, is us.
    ///
    /// # Errors
    ///
    /// What is no URL.
    pub fn of(origin: &str) -> Result<Self, url::ParseError> {
        let host = Url::parse(origin)?.host_str().ok_or(url::ParseError::EmptyHost)?.to_owned();
        Ok(Self { id: host, origin: origin.to_owned() })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn id_hash(&self) -> [u8; 32] {
        hash::sha256(self.id.as_bytes())
    }
}

/// Why an answer of an authenticator is refused. Nobody is told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too large, or not in the form that it has to have.
    Malformed,
    /// It was made for the other ceremony.
    Type,
    /// It answers another challenge.
    Challenge,
    /// Another site's page asked for it.
    Origin,
    /// A page of ours asked for it that stands inside another site's.
    Framed,
    /// The authenticator was asked in the name of another relying party.
    RelyingParty,
    /// Nobody was there.
    UserAbsent,
    /// The authenticator did not make sure who was there.
    UserUnverified,
    /// It is backed up, and cannot be.
    BackupState,
    /// The key is for another algorithm.
    Algorithm,
    /// The key is none.
    Key,
    /// There is no credential in it.
    CredentialMissing,
    /// The signature is not of this key over this.
    Signature,
    /// The counter has not risen: there may be a copy of the authenticator.
    Counter,
}

impl Refused {
    /// For the audit log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "passkey_malformed",
            Self::Type => "passkey_type",
            Self::Challenge => "passkey_challenge",
            Self::Origin => "passkey_origin",
            Self::Framed => "passkey_framed",
            Self::RelyingParty => "passkey_relying_party",
            Self::UserAbsent => "passkey_user_absent",
            Self::UserUnverified => "passkey_user_unverified",
            Self::BackupState => "passkey_backup_state",
            Self::Algorithm => "passkey_algorithm",
            Self::Key => "passkey_key",
            Self::CredentialMissing => "passkey_credential_missing",
            Self::Signature => "passkey_signature",
            Self::Counter => "passkey_counter",
        }
    }
}
