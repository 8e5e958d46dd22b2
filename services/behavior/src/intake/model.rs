//! An event as it is stored.

use api::behavior::Event;
use crypto::hash::{length_prefixed, sha256};

use crate::ids::{DecisionId, EventId};
use crate::input::{Flaw, Paid, Told};

/// A payment that was told of, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) id: EventId,
    pub(super) paid: Paid,
    pub(super) decision: Option<DecisionId>,
}

impl Happened {
    /// Looks at what was told.
    pub(super) fn checked(event: &Event, now: i64) -> Result<Self, Flaw> {
        let Event::Payment { id, at_unix_millis, user, payee, amount, currency, decision_id } = event;
        let paid = Paid::checked(Told { at_unix_millis: *at_unix_millis, user, payee, amount, currency }, now)?;
        Ok(Self { id: (*id).into(), paid, decision: decision_id.map(Into::into) })
    }

    /// SHA-256 of all of it but the id.
    pub(super) fn digest(&self) -> [u8; 32] {
        let Paid { at, user, payee, money } = self.paid;
        let numbers = [at.timestamp_millis(), user.cast_signed(), payee.cast_signed(), money.minor()];
        let mut fields: Vec<&[u8]> = vec![money.currency().code().as_bytes()];
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
