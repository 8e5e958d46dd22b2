//! Whether an order may be posted: it needs no approval, or it has one.

use api::approvals::{ApprovedPayment, Payee};
use defense::Notes;
use identity::Principal;
use money::Money;

use super::low_value::Together;
use super::new_instance::Limit;
use super::store::exemptions::{self, Exempt, Room, USED_UP};
use super::store::new_instances::{self, Counted, NEW_INSTANCE};
use super::store::{self, Kept, SPENT, Worth};
use crate::error::Error;
use crate::ids::{ApprovalId, Subject};
use crate::input::{time, wire};
use crate::posting::{self, Actor, Extra, Leg, Order, Receipt, Unanswered};
use crate::risk::{self, Caution, Judged, Opinion};
use crate::state::State;

/// Why an approval does not let an order pass. For the audit log.
pub const ANOTHER_PAYMENT: &str = "approved_another_payment";

/// The word for a payee whose account turned out to be somebody else's while the order waited, and whose payer was not asked.
pub const ANOTHER_NAME: &str = "another_name";

/// What the caller's approval of the order says.
enum Approval {
    /// There is none, or its time is over.
    Missing,
    /// It may be used.
    Usable(ApprovalId),
    /// The order is decided already.
    Needless,
}

/// What is known of an order before it is posted.
struct Known {
    approval: Approval,
    /// What was to be done about it whenever its payer was asked.
    asked_for: Caution,
    /// What was thought of it when its payer was asked.
    judged: Option<Judged>,
}

/// Looks the caller's approval up, if there is one.
///
/// # Errors
///
/// [`Error::NotApproved`]: it is the approval of something else.
async fn known(state: &State, caller: &Principal, order: &Order, payee: &Payee) -> Result<Known, Error> {
    let Some(approved) = &caller.approved else {
        return Ok(Known { approval: Approval::Missing, asked_for: Caution::Usual, judged: None });
    };
    let first = order.command.from().ok_or(Error::Invariant("a payment of no account"))?;
    if !is_of(approved, first, &wire(debited(order)?), payee) {
        return Err(Error::NotApproved(ANOTHER_PAYMENT));
    }
    let (id, subject) = (approved.identifier.into(), Subject::from(caller));
    // Read before the order is queued: one that its approval cannot pay takes nobody else's posting with it. The database decides all the same.
    let kept = storage::subject_transaction(&state.pool, "approvals.worth", subject.as_str(), async |db| {
        store::worth(db, id, order).await
    });
    let Kept { worth, asked_for, judged } = kept.await?;
    let approval = match worth {
        Worth::Decided => Approval::Needless,
        Worth::Good => Approval::Usable(id),
        Worth::AnotherOrder => return Err(Error::NotApproved(ANOTHER_PAYMENT)),
        Worth::Spent => return Err(Error::NotApproved(SPENT)),
        // The payer meant it, and was too late: as if it had never been approved.
        Worth::Late => Approval::Missing,
    };
    Ok(Known { approval, asked_for, judged })
}

/// What the order took when its payer was asked lately: a word of behavior that does not come now undoes none of before. Only who has not heard looks it up.
async fn asked_before(state: &State, caller: &Principal, order: &Order) -> Result<Caution, Error> {
    let subject = Subject::from(caller);
    storage::subject_transaction(&state.pool, "approvals.asked", subject.as_str(), async |db| {
        store::asked_before(db, order).await
    })
    .await
}

/// The order, with what uses its approval up if it has one.
///
/// # Errors
///
/// [`Error::ApprovalRequired`] names what the payer has to approve first.
async fn demand(
    state: &State,
    (approval, limit): (&Approval, Option<Limit>),
    order: Order,
    payee: &Payee,
    opinion: Opinion,
) -> Result<Order, Error> {
    if matches!(approval, Approval::Needless) {
        return Ok(order);
    }
    let Actor::Customer(subject) = &order.command.actor else {
        return Err(Error::Invariant("a payment of nobody"));
    };
    let (subject, amount) = (subject.clone(), debited(&order)?);
    let beyond = match limit {
        Some(limit) if !is_within(state, &subject, &order, amount, &limit).await? => Some(limit),
        _ => None,
    };
    let counted = |order: Order| match limit {
        Some(limit) => Order { extra: order.extra.and(Counted { limit }), ..order },
        None => order,
    };
    if let Approval::Usable(id) = approval {
        return match beyond {
            Some(Limit { until, cap, .. }) => Err(Error::InstanceIsNew { until: until.map(time), cap }),
            None => Ok(counted(Order { extra: order.extra.and(store::Used { id: *id }), ..order })),
        };
    }
    if beyond.is_none() && opinion.caution == Caution::Usual && state.low_value.covers(amount) {
        let Some(most) = state.low_value.together(amount.currency()) else { return Ok(counted(order)) };
        if is_room(state, &subject, &order, amount, most).await? {
            return Ok(counted(Order { extra: order.extra.and(Exempt { most }), ..order }));
        }
    }
    let asked = storage::subject_transaction(&state.pool, "approvals.ask", subject.as_str(), async |db| {
        store::ask(db, &order, amount, (payee, opinion), state.approval_lifetime, state.clock.unix_millis()).await
    });
    match asked.await.map_err(ceiling)? {
        store::Standing::NeedsNone => Ok(order),
        store::Standing::Refused(rejection) => Ok(Order { extra: Extra::Refused(rejection), ..order }),
        store::Standing::Asked(id) => {
            let beyond = beyond.map(|limit| limit.until.map(time));
            Err(Error::ApprovalRequired {
                id: id.into(),
                beyond_the_cap: beyond.is_some(),
                new_until: beyond.flatten(),
            })
        }
    }
}

/// How much the order takes from its payer.
fn debited(order: &Order) -> Result<Money, Error> {
    let first = order.command.from().ok_or(Error::Invariant("a payment of no account"))?;
    first.amount.checked_neg().map_err(|_| Error::Invariant("an amount without an opposite"))
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

/// Whether the payment fits beside what new instances of its owner have moved lately. Every payment of a new one is looked up: there are few.
async fn is_within(
    state: &State,
    subject: &Subject,
    order: &Order,
    amount: Money,
    limit: &Limit,
) -> Result<bool, Error> {
    let to = order.command.to().ok_or(Error::Invariant("a payment to no account"))?.account;
    let room = storage::subject_transaction(&state.pool, "new_instances.room", subject.as_str(), async |db| {
        new_instances::room(db, &order.owner, amount, to, limit).await
    });
    Ok(room.await?)
}

/// Everything that the token says, field by field. The rest of the order, and the whole IBAN, are compared by the fingerprint.
fn is_of(approved: &ApprovedPayment, first: &Leg, amount: &api::Amount, payee: &Payee) -> bool {
    approved.debtor_account == first.account.into()
        && approved.instructed_amount == *amount
        && approved.creditor_name == payee.name
        && approved.creditor_account == payee.masked()
}

/// Has behavior asked about the order, demands what it takes and posts it; `with` adds what its client writes beside it. `caution` is what it takes whatever is
/// thought of it; the greatest of all comes back. What it took when its payer was asked is not less because it comes back approved, nor because nothing is heard of it
/// now. Whose small payments are used up meanwhile, whose payee turns out to have another name, or whose new instances have moved as much as they may, is asked to
/// approve this one.
///
/// # Errors
///
/// Those of [`known`], of [`demand`] and of the posting.
pub async fn post(
    state: &State,
    caller: &Principal,
    notes: &Notes,
    order: Order,
    payee: Payee,
    caution: Caution,
    with: impl Fn(Order, Caution) -> Order,
) -> Result<(Receipt, Caution), Error> {
    let Known { approval, asked_for, judged } = known(state, caller, &order, &payee).await?;
    let opinion = match (judged, &approval) {
        (Some(judged), _) => risk::recall(state, notes, judged),
        (None, Approval::Needless) => Opinion::NONE,
        (None, _) => risk::ask_first(state, caller, notes, &order, &payee).await,
    };
    let asked_for = if opinion.unheard { asked_for.max(asked_before(state, caller, &order).await?) } else { asked_for };
    // Once a second factor of before has approved it, nothing is new.
    let limit = state.new_instances.limit(caller, debited(&order)?.currency(), state.clock.unix());
    let mut opinion = Opinion { caution: opinion.caution.max(asked_for).max(caution), ..opinion };
    for last in [false, true] {
        let ordered = demand(state, (&approval, limit), opinion.beside(order.clone()), &payee, opinion).await?;
        match posting::post(&state.committer, with(ordered, opinion.caution)).await {
            Err(Error::Unanswered(Unanswered::Ceiling(SPENT))) => return Err(Error::NotApproved(SPENT)),
            Err(Error::Unanswered(Unanswered::Ceiling(USED_UP))) if !last => {
                let currency = order.command.to().ok_or(Error::Invariant("a payment to no account"))?.amount.currency();
                state.low_value.met.add(&order.owner, currency);
            }
            // Of the same opinion: it is one payment, and one decision on it.
            Err(Error::Unanswered(Unanswered::Ceiling(ANOTHER_NAME))) if !last => {
                opinion.caution = opinion.caution.max(Caution::Approval);
            }
            // Somebody was faster: it is looked at anew.
            Err(Error::Unanswered(Unanswered::Ceiling(NEW_INSTANCE))) if !last => (),
            Err(Error::Unanswered(Unanswered::Ceiling(USED_UP | ANOTHER_NAME | NEW_INSTANCE))) => break,
            answer => return Ok((answer?, opinion.caution)),
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
