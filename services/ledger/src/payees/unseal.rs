//! Opens what travels sealed in a request, before anything else looks at it.

use api::payees::{PostPayee, PostSealedPayee};
use defense::IdempotencyKey;
use identity::Principal;
use identity::sealed_field::{Intent, OpeningKeys};

use crate::error::Error;

/// The payee with its IBAN, if that was sealed for this request of this instance.
pub fn unseal(
    keys: &OpeningKeys,
    caller: &Principal,
    key: &IdempotencyKey,
    request: PostSealedPayee,
) -> Result<PostPayee, Error> {
    let intent = Intent { jkt: &caller.jkt, idempotency_key: key.as_str() };
    request.try_map(|iban| match keys.open(&iban, &intent) {
        Ok(text) => Ok(text.expose().clone()),
        Err(cause) => Err(Error::Sealed { field: "iban", cause }),
    })
}
