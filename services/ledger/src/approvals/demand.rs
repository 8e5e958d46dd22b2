//! Whether an order may be posted: it needs no approval, or it has one.

use api::approvals::{ApprovedPayment, Payee};
use identity::Principal;

use money::Money;

use super::low_value::Together;
use super::store::exemptions::{self, Exempt, Room, USED_UP};
use super::store::{self, SPENT, Standing, Worth};
use crate::error::Error;
use crate::ids::Subject;
use crate::input::wire;
use crate::posting::{self, Extra, Leg, Order, Receipt, Unanswered};
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
async fn demand(
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
    let Room { room, begun_anew } = room.await?;
    // Not because this one fits: the next one may not, and would be refused with others' postings beside it.
    if begun_anew {
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

/// Demands what the order takes and posts it; `with` adds what its client writes beside it. Whose small payments are used up meanwhile is asked to approve this one.
///
/// # Errors
///
/// Those of [`demand`] and of the posting.
pub async fn post(
    state: &State,
    caller: &Principal,
    order: Order,
    payee: Payee,
    caution: Caution,
    with: impl Fn(Order, Caution) -> Order,
) -> Result<(Receipt, Caution), Error> {
    for last in [false, true] {
        let (ordered, caution) = demand(state, caller, order.clone(), payee.clone(), caution).await?;
        match posting::post(&state.committer, with(ordered, caution)).await {
            Err(Error::Unanswered(Unanswered::Ceiling(SPENT))) => return Err(Error::NotApproved(SPENT)),
            Err(Error::Unanswered(Unanswered::Ceiling(USED_UP))) if !last => {
                let currency = order.command.to().ok_or(Error::Invariant("a payment to no account"))?.amount.currency();
                state.low_value.met.add(&order.owner, currency);
            }
            Err(Error::Unanswered(Unanswered::Ceiling(USED_UP))) => break,
            answer => return Ok((answer?, caution)),
        }
    }
    // Approved and used up again in between: whoever comes back is looked up anew.
    Err(Error::Unanswered(Unanswered::Busy))
}

fn ceiling(error: Error) -> Error {
    match error {
        Error::Storage(storage) if storage.constraint() == Some("open_approvals_within_the_ceiling") => {
            Error::ApprovalLimit
        }
        other => other,
    }
}
