//! *What* calls, as it is held in memory.

use api::sealed::{Field, Sealed};
use crypto::{SecretBytes, SecretString};
use identity::sealed_field::{self, Intent};
use identity::{Jwk, Thumbprint};

use crate::Error;

/// What an attested instance holds for some minutes.
pub(crate) struct Session {
    /// Thumbprint of the instance's device key.
    pub(crate) jkt: Thumbprint,
    pub(crate) attestation_token: SecretString,
    /// `jti` of the token: names the session key.
    pub(crate) token_id: String,
    pub(crate) key: SecretBytes,
    /// The API's: fields that nobody on the way may read are sealed to it.
    pub(crate) sealing_key: Option<Jwk>,
    pub(crate) client_attestation: SecretString,
    pub(crate) renew_at: i64,
}

impl Session {
    /// Seals a field for one intent of this instance. Without a key there is no other way to send it.
    pub(crate) fn seal<F: Field>(&self, text: &str, idempotency_key: &str) -> Result<Sealed<F>, Error> {
        let to = self.sealing_key.as_ref().ok_or(Error::Malformed("no key to seal fields to"))?;
        let intent = Intent { jkt: &self.jkt, idempotency_key };
        sealed_field::seal(to, &intent, text).map_err(|_| Error::Malformed("a field cannot be sealed"))
    }
}
