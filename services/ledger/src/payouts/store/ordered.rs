//! What is written beside the posting of a payout: the order to the partner.

use storage::row;

use crate::approvals::demand::ANOTHER_NAME;
use crate::ids::{PayeeId, PayoutId, Subject, TransferId};
use crate::payees::store::Payee;
use crate::posting::{Actor, Beside, Broken, Fingerprint, ON_THE_BOOKS, Posting, Rows};

/// A payout that is to be submitted.
#[derive(Debug)]
pub(in crate::payouts) struct Ordered {
    /// Who carries it out.
    pub(in crate::payouts) provider: String,
    /// To whom, whose name and IBAN go with it.
    pub(in crate::payouts) payee: Payee,
    /// How much all payouts to a payee who is new may be together, in minor units of the payout's currency.
    pub(in crate::payouts) new_payee_cap: i64,
    /// W3C trace context of the request, continued when the order is submitted.
    pub(in crate::payouts) traceparent: Option<String>,
    /// How long it is held, in seconds; 0 for not at all.
    pub(in crate::payouts) hold_seconds: u32,
}

/// The word for having as many payouts on their way as one may have.
pub(in crate::payouts) const LIMIT_REACHED: &str = "payout_limit";
/// The posting that takes an order off its payer when it has been found and booked off suspense.
pub(crate) fn claim_of(found: TransferId) -> TransferId {
    TransferId::from_bytes(Fingerprint::of(&[b"claim", found.as_bytes()]).id())
}

/// The word for a payee that was removed while the order waited.
pub(in crate::payouts) const PAYEE_GONE: &str = "payee_gone";
/// The word for more than may be paid to a payee who is new.
pub(in crate::payouts) const PAYEE_IS_NEW: &str = "payee_cooling_off";

row! {
    /// An order to the partner, beside the transfer that took the money.
    NewPayout at 20: "insert into payouts (created_at, next_attempt_at, held_until, id, account_id, owner, amount, currency, payee_id, new_payee_cap, creditor_name, creditor_iban, \
                    reference, traceparent, provider) \
                select t.posted_at, t.posted_at + make_interval(secs => r.hold_seconds), \
                    case when r.hold_seconds > 0 then t.posted_at + make_interval(secs => r.hold_seconds) end, \
                    t.id, t.from_account, r.owner, t.amount, t.currency, r.payee_id, r.new_payee_cap, r.creditor_name, r.creditor_iban, \
                    t.reference, r.traceparent, r.provider from" {
        id: PayoutId, owner: Subject, payee_id: PayeeId, new_payee_cap: i64, creditor_name: String, creditor_iban: String, traceparent: Option<String>, provider: String,
        hold_seconds: i64,
    } "join transfers t on t.id = r.id"
}

impl Beside for Ordered {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        let Actor::Customer(owner) = &posting.order.command.actor else {
            return Err(Broken("a payout that no customer ordered"));
        };
        rows.add(NewPayout {
            id: posting.id.into(),
            owner: owner.clone(),
            payee_id: self.payee.id,
            new_payee_cap: self.new_payee_cap,
            creditor_name: self.payee.name.clone(),
            creditor_iban: self.payee.iban.clone(),
            traceparent: self.traceparent.clone(),
            provider: self.provider.clone(),
            hold_seconds: self.hold_seconds.into(),
        })
    }

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        match constraint {
            "transfers_pkey" => Some(ON_THE_BOOKS),
            "open_payouts_within_the_ceiling" => Some(LIMIT_REACHED),
            "payout_to_a_payee" => Some(PAYEE_GONE),
            "payouts_within_the_cap" => Some(PAYEE_IS_NEW),
            "payout_to_another_name_is_approved" => Some(ANOTHER_NAME),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use money::{Currency, Money};

    use super::*;
    use crate::ids::{AccountId, IdempotencyKey, Owner};
    use crate::posting::{Command, Extra, Kind, Order};

    #[test]
    fn a_payout_that_nobody_ordered_is_a_fault_and_not_left_out() {
        let order = |actor| Order {
            owner: Owner::of("alice"),
            key: IdempotencyKey::of("a"),
            fingerprint: Fingerprint::of(&[]),
            command: Command::between(
                Kind::Payout,
                actor,
                AccountId::from_bytes([1; 16]),
                AccountId::from_bytes([2; 16]),
                Money::new(60, Currency::EUR),
            )
            .unwrap(),
            reference: String::new(),
            counterparty: String::new(),
            extra: Extra::Nothing,
        };
        let payee = Payee {
            id: PayeeId::from_bytes([3; 16]),
            name: "Carol".to_owned(),
            iban: "DE".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
            cools_off_at: DateTime::UNIX_EPOCH,
            is_new: false,
            removed_at: None,
            check: None,
        };
        let ordered =
            Ordered { provider: "bank".to_owned(), payee, new_payee_cap: 0, traceparent: None, hold_seconds: 0 };
        let rows = |order: &Order| {
            let posting = Posting { order, id: TransferId::from_bytes([0; 16]), entries: Vec::new(), suspended: None };
            ordered.rows(&posting, &mut Rows::default())
        };
        assert!(rows(&order(Actor::Customer(Subject::of("alice")))).is_ok());
        assert!(rows(&order(Actor::House)).is_err());
    }
}
