//! An event as it is stored.

use api::behavior::Event;
use chrono::{DateTime, Utc};
use crypto::hash::{length_prefixed, sha256};

use crate::events::Key;
use crate::ids::{DecisionId, EventId};
use crate::input::{Flaw, Paid, Told};

/// A payment that was told of, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) id: EventId,
    pub(super) at: DateTime<Utc>,
    pub(super) user: Key,
    pub(super) payee: Key,
    /// In minor units.
    pub(super) amount: i64,
    // Text: a currency's code, which was one when it came.
    pub(super) currency: String,
    pub(super) decision: Option<DecisionId>,
}

impl Happened {
    /// Looks at what was told.
    pub(super) fn checked(event: &Event, now: i64) -> Result<Self, Flaw> {
        let Event::Payment { id, at_unix_millis, user, payee, amount, currency, decision_id } = event;
        let paid = Paid::checked(Told { at_unix_millis: *at_unix_millis, user, payee, amount, currency }, now)?;
        Ok(Self {
            id: (*id).into(),
            at: paid.at,
            user: paid.user,
            payee: paid.payee,
            amount: paid.money.minor(),
            currency: paid.money.currency().code().to_owned(),
            decision: decision_id.map(Into::into),
        })
    }

    /// SHA-256 of all of it but the id.
    pub(super) fn digest(&self) -> [u8; 32] {
        let numbers = [self.at.timestamp_millis(), self.user.cast_signed(), self.payee.cast_signed(), self.amount];
        let mut fields: Vec<&[u8]> = vec![self.currency.as_bytes()];
        let numbers = numbers.map(i64::to_be_bytes);
        fields.extend(numbers.iter().map(|number| &number[..]));
        fields.extend(self.decision.as_ref().map(|decision| &decision.as_bytes()[..]));
        sha256(&length_prefixed(fields))
    }
}

/// The id of an event, whatever is in it.
pub(super) fn id(event: &Event) -> EventId {
    let Event::Payment { id, .. } = event;
    (*id).into()
}
