//! `authorization_details` (RFC 9396 §2): the one payment whose approval a client may ask for, instead of the usual consent.
//!
//! Only the app asks: it is there that a payment is ordered, and its tokens are bound to the phone that the payer holds.

use api::Id;
use api::approvals::{ACR_PAYMENT, PaymentToApprove};
use api::scope::{PayoutsWrite, Scope as _, TransfersWrite};
use identity::json;
use serde_json::Value;

use crate::clients::Client;
use crate::error::Why;
use crate::form::Parameters;
use crate::scopes;

/// Bytes; one element with its id has about a hundred.
const LONGEST: usize = 512;
/// What a payment may be ordered with.
const OF_MONEY: [&str; 2] = [TransfersWrite::NAME, PayoutsWrite::NAME];

/// The payment that is to be approved under `scope`; none where nothing of the kind is asked.
pub(super) fn payment(client: &Client, parameters: &Parameters, scope: &str) -> Result<Option<Id>, Why> {
    let Some(text) = parameters.get("authorization_details") else {
        // Whoever wants an approval and does not say of what would take an ordinary login for one.
        let wants = parameters.get("acr_values").is_some_and(|values| values.split(' ').any(|acr| acr == ACR_PAYMENT));
        return if wants { Err(Why::AcrWithoutDetails) } else { Ok(None) };
    };
    if !client.is_attested() {
        return Err(Why::DetailsOfAServer);
    }
    if !scopes::split(scope).all(|name| OF_MONEY.contains(&name)) {
        return Err(Why::ScopeWithPayment);
    }
    if parameters.get("acr_values").is_some_and(|values| values != ACR_PAYMENT) {
        return Err(Why::AcrValues);
    }
    read(text).map(Some).ok_or(Why::AuthorizationDetails)
}

/// RFC 9396 §5: what has an unknown type or member, or is not of the type's form, is refused.
fn read(text: &str) -> Option<Id> {
    let value = (text.len() <= LONGEST).then(|| json::parse_unique(text.as_bytes()))?.ok()?;
    // An object: a list of the values in their order would be read as one, too.
    let [element @ Value::Object(_)] = value.as_array()?.as_slice() else { return None };
    let PaymentToApprove { kind: _, identifier } = serde_json::from_value(element.clone()).ok()?;
    Some(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = Id::EXAMPLE;

    #[test]
    fn one_payment_with_its_name_is_read_and_nothing_else() {
        let good = format!(r#"[{{"type":"payment_initiation","identifier":"{ID}"}}]"#);
        assert_eq!(read(&good), ID.parse().ok());
        let element = &good[1..good.len() - 1];
        let upper = good.replace(ID, &ID.to_uppercase());
        let long = format!("{good}{}", " ".repeat(LONGEST));
        for wrong in [
            String::new(),
            "[]".to_owned(),
            "null".to_owned(),
            element.to_owned(),
            format!("[{element},{element}]"),
            format!(r#"[["payment_initiation","{ID}"]]"#),
            r#"[{"type":"payment_initiation"}]"#.to_owned(),
            format!(r#"[{{"identifier":"{ID}"}}]"#),
            format!(r#"[{{"type":"account_information","identifier":"{ID}"}}]"#),
            format!(r#"[{{"type":"payment_initiation","identifier":"{ID}","instructedAmount":"1.00"}}]"#),
            format!(r#"[{{"type":"payment_initiation","identifier":"{ID}","identifier":"{ID}"}}]"#),
            format!(r#"[{{"type":"payment_initiation","identifier":["{ID}"]}}]"#),
            format!("{good}]"),
            upper,
            long,
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }
}
