//! *What* calls, as it is held in memory.

use crypto::{SecretBytes, SecretString};
use identity::Thumbprint;

/// What an attested instance holds for some minutes.
pub(crate) struct Session {
    /// Thumbprint of the instance's device key.
    pub(crate) jkt: Thumbprint,
    pub(crate) attestation_token: SecretString,
    /// `jti` of the token: names the session key.
    pub(crate) token_id: String,
    pub(crate) key: SecretBytes,
    pub(crate) client_attestation: SecretString,
    pub(crate) renew_at: i64,
}
