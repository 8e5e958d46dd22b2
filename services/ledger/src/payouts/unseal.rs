//! Opens what travels sealed in an order, before anything else looks at it.

use api::payouts::{PostPayout, PostSealedPayout};
use defense::IdempotencyKey;
use identity::Principal;
use identity::sealed_field::{Intent, OpeningKeys};

use crate::error::Error;

/// The order with its IBAN, if that was sealed for this order of this instance.
pub fn unseal(
    keys: &OpeningKeys,
    caller: &Principal,
    key: &IdempotencyKey,
    request: PostSealedPayout,
) -> Result<PostPayout, Error> {
    let intent = Intent { jkt: &caller.jkt, idempotency_key: key.as_str() };
    request.try_map(|iban| match keys.open(&iban, &intent) {
        Ok(text) => Ok(text.expose().clone()),
        Err(cause) => Err(Error::Sealed { field: "creditor.iban", cause }),
    })
}
