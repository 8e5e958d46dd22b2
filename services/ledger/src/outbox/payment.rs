//! A transfer as a payment of somebody to somebody, if it is one; and what people are called when behavior is told or asked of them.

use api::Pseudonym;
use api::behavior::Event;
use crypto::b64;
use crypto::hash::{length_prefixed, sha256};
use money::{Currency, Money};

use super::store::News;
use crate::error::Error;
use crate::posting::Kind;

impl News {
    /// The payment that it is. `None` for what nobody pays to somebody else: money that comes from outside, is exchanged, moves between accounts of one
    /// owner, or ends a payout.
    pub(super) fn payment(&self) -> Result<Option<Event>, Error> {
        let (user, payee) = match (self.kind()?, &self.sender, &self.recipient, &self.creditor_iban) {
            (Kind::Transfer, Some(sender), Some(recipient), None) if sender == recipient => return Ok(None),
            (Kind::Transfer, Some(sender), Some(recipient), None) => (sender, customer(recipient)),
            (Kind::Payout, Some(sender), None, Some(iban)) => (sender, creditor(iban)),
            (Kind::Transfer | Kind::Payout, ..) => {
                return Err(Error::Invariant("a payment of nobody, or to nobody"));
            }
            _ => return Ok(None),
        };
        let currency: Currency =
            self.currency.parse().map_err(|_| Error::Invariant("a currency that this version does not know"))?;
        Ok(Some(Event::Payment {
            id: self.id.into(),
            at_unix_millis: self.posted_at.timestamp_millis(),
            user: customer(user),
            payee,
            amount: Money::new(self.amount, currency).to_string(),
            currency: currency.code().to_owned(),
            decision_id: self.decision_id.map(Into::into),
        }))
    }

    /// A newer process may post kinds that this one does not know: it leaves them to that one.
    fn kind(&self) -> Result<Kind, Error> {
        self.kind.parse().map_err(|_| Error::Invariant("a kind of transfer that this version does not know"))
    }
}

/// A customer of ours, by the subject's name.
pub(crate) fn customer(name: &str) -> Pseudonym {
    name.into()
}

/// Whoever holds this account elsewhere. A digest keeps an IBAN out of logs and other databases, and no more: IBANs can be tried one by one.
pub(crate) fn creditor(iban: &str) -> Pseudonym {
    let digest = sha256(&length_prefixed([b"redoubt creditor iban".as_slice(), iban.as_bytes()]));
    format!("iban:{}", b64::encode(&digest)).as_str().into()
}
