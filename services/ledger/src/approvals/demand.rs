//! Whether an order may be posted: it needs no approval, or it has one.

use api::approvals::{ApprovedPayment, Payee};
use identity::Principal;

use money::{Currency, Money};

use super::low_value::Together;
use super::store::exemptions::{self, Exempt, USED_UP};
use super::store::{self, SPENT, Standing, Worth};
use crate::error::Error;
use crate::ids::{Owner, Subject};
use crate::input::wire;
use crate::posting::{Extra, Leg, Order, Unanswered};
use crate::risk::Caution;
use crate::state::State;

/// Why an approval does not let an order pass. For the audit log.
pub const ANOTHER_PAYMENT: &str = "approved_another_payment";

/// The order, with what uses its approval up if it has one. `caution` is what it takes however small it is; what it was when its payer was asked is not
/// less because they are asked again, so the greater of both comes back.
///
/// # Errors
///
/// [`Error::ApprovalRequired`] names what the payer has to approve first; [`Error::NotApproved`]: the caller's token is the approval of something else.
pub async fn demand(
    state: &State,
    caller: &Principal,
    order: Order,
    payee: Payee,
    caution: Caution,
) -> Result<(Order, Caution), Error> {
    let first = order.command.from().ok_or(Error::Invariant("a payment of no account"))?;
    let amount = first.amount.checked_neg().map_err(|_| Error::Invariant("an amount without an opposite"))?;
    let subject = Subject::from(caller);
    if let Some(approved) = &caller.approved {
        if !is_of(approved, first, &wire(amount), &payee) {
            return Err(Error::NotApproved(ANOTHER_PAYMENT));
        }
        let id = approved.identifier.into();
        // Read before the order is queued: one that its approval cannot pay takes nobody else's posting with it. The database decides all the same.
        let worth = storage::subject_transaction(&state.pool, "approvals.worth", subject.as_str(), async |db| {
            store::worth(db, id, &order).await
        });
        let (worth, asked_for) = worth.await?;
        match worth {
            Worth::Decided => return Ok((order, caution)),
            Worth::Good => {
                return Ok((Order { extra: order.extra.and(store::Used { id }), ..order }, caution.max(asked_for)));
            }
            Worth::AnotherOrder => return Err(Error::NotApproved(ANOTHER_PAYMENT)),
            Worth::Spent => return Err(Error::NotApproved(SPENT)),
            // The payer meant it, and was too late: as if it had never been approved.
            Worth::Late => (),
        }
    }
    if caution == Caution::Usual && state.low_value.covers(amount) {
        let Some(most) = state.low_value.together(amount.currency()) else { return Ok((order, caution)) };
        if is_room(state, &subject, &order, amount, most).await? {
            return Ok((Order { extra: order.extra.and(Exempt { most }), ..order }, caution));
        }
    }
    let asked = storage::subject_transaction(&state.pool, "approvals.ask", subject.as_str(), async |db| {
        store::ask(db, &order, amount, (&payee, caution), state.approval_lifetime, state.clock.unix_millis()).await
    });
    match asked.await.map_err(ceiling)? {
        Standing::NeedsNone => Ok((order, caution)),
        Standing::Refused(rejection) => Ok((Order { extra: Extra::Refused(rejection), ..order }, caution)),
        Standing::Asked(id) => Err(Error::ApprovalRequired(id.into())),
    }
}

/// Whether the payment fits beside the small ones of before, as far as anybody knows: who has never met the limit is not looked up.
async fn is_room(
    state: &State,
    subject: &Subject,
    order: &Order,
    amount: Money,
    most: Together,
) -> Result<bool, Error> {
    let (owner, met) = (&order.owner, &state.low_value.met);
    if !met.has(owner, amount.currency()) {
        return Ok(true);
    }
    let to = order.command.to().ok_or(Error::Invariant("a payment to no account"))?.account;
    let room = storage::subject_transaction(&state.pool, "exemptions.room", subject.as_str(), async |db| {
        exemptions::room(db, owner, amount, to, most).await
    });
    let room = room.await?;
    if room {
        met.remove(owner, amount.currency());
    }
    Ok(room)
}

/// Everything that the token says, field by field. The rest of the order, and the whole IBAN, are compared by the fingerprint.
fn is_of(approved: &ApprovedPayment, first: &Leg, amount: &api::Amount, payee: &Payee) -> bool {
    approved.debtor_account == first.account.into()
        && approved.instructed_amount == *amount
        && approved.creditor_name == payee.name
        && approved.creditor_account == payee.masked()
}

/// The database's word on an approval or an exemption, in the answers of this service. Who has used small payments up meanwhile comes again, and is asked to
/// approve this one then.
pub fn spent(state: &State, owner: &Owner, currency: Currency, error: Error) -> Error {
    match error {
        Error::Unanswered(Unanswered::Ceiling(SPENT)) => Error::NotApproved(SPENT),
        Error::Unanswered(Unanswered::Ceiling(USED_UP)) => {
            state.low_value.met.add(owner, currency);
            Error::Unanswered(Unanswered::Busy)
        }
        other => other,
    }
}

fn ceiling(error: Error) -> Error {
    match error {
        Error::Storage(storage) if storage.constraint() == Some("open_approvals_within_the_ceiling") => {
            Error::ApprovalLimit
        }
        other => other,
    }
}
