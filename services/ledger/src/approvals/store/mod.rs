//! Queries on `approvals`, as `ledger_app` and for its subject only; and what is written beside the posting that uses one up.

pub(super) mod exemptions;
pub(super) mod new_instances;

use std::time::Duration;

use api::approvals::{Payee, PaymentShown};
use api::behavior::Action;
use api::payees::NameCheck;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Double, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Connection, StorageError, row};

use crate::error::Error;
use crate::ids::{AccountId, ApprovalId, DecisionId, IdempotencyKey, Owner, TransferId};
use crate::input::{time, wire};
use crate::posting::{Beside, Broken, Order, Posting, Reason, Rejection, Rows};
use crate::risk::{Caution, Judged, Opinion};

/// The word for an approval that was used, has expired, or is of another order in what the token does not say. For the audit log.
pub(super) const SPENT: &str = "approval_spent";

/// What an approval is worth to an order that comes with it.
#[derive(Debug, Clone, Copy, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Worth {
    /// The order is decided already, and so posts nothing anew.
    Decided,
    /// The order may use it.
    Good,
    /// It is the order's, and its time is over.
    Late,
    /// It has paid.
    Spent,
    /// It is of another order, or of nobody's.
    AnotherOrder,
}

/// What is known of an order that comes with an approval.
pub(super) struct Kept {
    pub(super) worth: Worth,
    /// What was to be done about it whenever its payer was asked.
    pub(super) asked_for: Caution,
    /// What was thought of it when its payer was asked for this approval.
    pub(super) judged: Option<Judged>,
}

/// What an order that would need approval comes to.
pub(super) enum Standing {
    /// It is decided already, and so posts nothing anew; or the money stays its owner's.
    NeedsNone,
    /// It cannot be paid.
    Refused(Rejection),
    /// Under this id its payer can approve it.
    Asked(ApprovalId),
}

/// In the words of [`Worth`].
const WORTH: &str = "
    select case
        when exists (select from idempotency i where i.owner = $1 and i.operation = $2 and i.key = $3) then 'decided'
        when not exists (select from approvals a
            where a.id = $5 and a.owner = $1 and a.operation = $2 and a.key = $3 and a.fingerprint = $4) then 'another_order'
        when exists (select from used_approvals u where u.approval_id = $5) then 'spent'
        when exists (select from approvals a where a.id = $5 and a.expires_at <= statement_timestamp()) then 'late'
        else 'good'
    end as worth, (
        select coalesce(max(a.hold_seconds), 0) from approvals a where a.owner = $1 and a.operation = $2 and a.key = $3) as hold_seconds,
        kept.decision_id, kept.decision_action
    from (values (1)) one left join approvals kept
        on kept.id = $5 and kept.owner = $1 and kept.operation = $2 and kept.key = $3 and kept.fingerprint = $4";

/// What was to be done about an order whose payer was asked; within the day for which that is kept.
const ASKED_BEFORE: &str = "
    select max(a.hold_seconds) as hold_seconds from approvals a
    where a.owner = $1 and a.operation = $2 and a.key = $3 and a.expires_at > statement_timestamp() - interval '1 day'";

/// It was decided before, or goes to an account of the same owner; and whose is the account that it comes from (owners do not change), and is there so
/// much on it now?
const STANDS: &str = "
    select exists (select from idempotency i where i.owner = $1 and i.operation = $2 and i.key = $3)
        or exists (select from accounts a where a.id = $5 and a.owner = $1) as needs_none,
        exists (select from accounts a where a.id = $4 and a.owner = $1) as own,
        exists (select from accounts a where a.id = $4 and a.owner = $1 and a.currency = $6 and a.balance::numeric - $7 < a.floor) as short";

/// Asked for before, and there is time for it yet.
const OPEN: &str = "
    select a.id from approvals a
    where a.owner = $1 and a.operation = $2 and a.key = $3 and a.fingerprint = $4
      and a.expires_at > statement_timestamp() + make_interval(secs => $5 / 2) and a.hold_seconds >= $6
      and not exists (select from used_approvals u where u.approval_id = a.id)
    order by a.expires_at desc limit 1";

const ASK: &str = "
    insert into approvals
        (id, owner, operation, key, fingerprint, from_account, amount, currency, payee_name, payee_account, reference, expires_at, hold_seconds,
         decision_id, decision_action)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, statement_timestamp() + make_interval(secs => $12), $13, $14, $15)";

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    worth: AsText<Worth>,
    #[diesel(sql_type = Integer)]
    hold_seconds: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    decision_id: Option<DecisionId>,
    #[diesel(sql_type = Nullable<Text>)]
    decision_action: Option<AsText<Action>>,
}

#[derive(QueryableByName)]
struct Stands {
    #[diesel(sql_type = Bool)]
    needs_none: bool,
    #[diesel(sql_type = Bool)]
    own: bool,
    #[diesel(sql_type = Bool)]
    short: bool,
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = SqlUuid)]
    id: ApprovalId,
}

/// What the approval `id` is worth to `order` now.
pub(super) async fn worth(db: &mut Connection, id: ApprovalId, order: &Order) -> Result<Kept, Error> {
    let query = diesel::sql_query(WORTH).bind::<Text, _>(&order.owner).bind::<Text, _>(order.operation());
    let query = query.bind::<Text, _>(&order.key).bind::<Binary, _>(order.fingerprint.0.as_slice());
    let found: Found = query.bind::<SqlUuid, _>(id).get_result(db).await.map_err(StorageError::from)?;
    let seconds = u32::try_from(found.hold_seconds).map_err(|_| Error::Invariant("a hold of less than nothing"))?;
    let judged = found.decision_id.zip(found.decision_action);
    let judged = judged.map(|(decision, AsText(action))| Judged { decision, action });
    Ok(Kept { worth: found.worth.0, asked_for: Caution::held_for(seconds), judged })
}

/// What the order took when its payer was asked; of one that nobody was asked about, nothing.
pub(super) async fn asked_before(db: &mut Connection, order: &Order) -> Result<Caution, Error> {
    #[derive(QueryableByName)]
    struct Longest {
        #[diesel(sql_type = Nullable<Integer>)]
        hold_seconds: Option<i32>,
    }
    let query = diesel::sql_query(ASKED_BEFORE).bind::<Text, _>(&order.owner).bind::<Text, _>(order.operation());
    let Longest { hold_seconds } =
        query.bind::<Text, _>(&order.key).get_result(db).await.map_err(StorageError::from)?;
    let Some(seconds) = hold_seconds else { return Ok(Caution::Usual) };
    let seconds = u32::try_from(seconds).map_err(|_| Error::Invariant("a hold of less than nothing"))?;
    Ok(Caution::held_for(seconds).max(Caution::Approval))
}

/// Deletes what its table's comment says is not kept; tells how many rows that were.
pub(super) async fn forget(db: &mut Connection) -> Result<i64, StorageError> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = BigInt)]
        gone: i64,
    }
    Ok(diesel::sql_query("select forget_approvals() as gone").get_result::<Gone>(db).await?.gone)
}

/// Keeps the order for its payer to approve; asked for the same again, it is the same while there is time.
pub(super) async fn ask(
    db: &mut Connection,
    order: &Order,
    amount: Money,
    (payee, opinion): (&Payee, Opinion),
    lifetime: Duration,
    now_millis: i64,
) -> Result<Standing, Error> {
    let hold = i32::try_from(opinion.caution.hold_seconds()).map_err(|_| Error::Invariant("a hold without an end"))?;
    let (first, last) =
        order.command.from().zip(order.command.to()).ok_or(Error::Invariant("a payment of no account"))?;
    let query = diesel::sql_query(STANDS).bind::<Text, _>(&order.owner).bind::<Text, _>(order.operation());
    let query = query.bind::<Text, _>(&order.key).bind::<SqlUuid, _>(first.account).bind::<SqlUuid, _>(last.account);
    let query = query.bind::<Text, _>(amount.currency().code()).bind::<BigInt, _>(amount.minor());
    let Stands { needs_none, own, short } = query.get_result(db).await.map_err(StorageError::from)?;
    if needs_none {
        return Ok(Standing::NeedsNone);
    }
    // Nobody is asked to approve what cannot be paid. Not that it passes: it is refused under its key, whatever comes in between.
    if !own || short {
        let reason = if own { Reason::InsufficientFunds } else { Reason::NotOwner };
        return Ok(Standing::Refused(Rejection { reason, leg: 0 }));
    }
    let query = diesel::sql_query(OPEN).bind::<Text, _>(&order.owner).bind::<Text, _>(order.operation());
    let query = query.bind::<Text, _>(&order.key).bind::<Binary, _>(order.fingerprint.0.as_slice());
    let query = query.bind::<Double, _>(lifetime.as_secs_f64()).bind::<Integer, _>(hold);
    if let Some(Named { id }) = query.get_result(db).await.optional().map_err(StorageError::from)? {
        return Ok(Standing::Asked(id));
    }
    let id = ApprovalId::from(storage::ids::new(now_millis));
    let query = diesel::sql_query(ASK).bind::<SqlUuid, _>(id).bind::<Text, _>(&order.owner);
    let query = query.bind::<Text, _>(order.operation()).bind::<Text, _>(&order.key);
    let query = query.bind::<Binary, _>(order.fingerprint.0.as_slice()).bind::<SqlUuid, _>(first.account);
    let query = query.bind::<BigInt, _>(amount.minor()).bind::<Text, _>(amount.currency().code());
    let query = query.bind::<Text, _>(&payee.name).bind::<Text, _>(&payee.account).bind::<Text, _>(&order.reference);
    let query = query.bind::<Double, _>(lifetime.as_secs_f64()).bind::<Integer, _>(hold);
    let query = query.bind::<Nullable<SqlUuid>, _>(opinion.judged.map(|judged| judged.decision));
    let query = query.bind::<Nullable<Text>, _>(opinion.judged.map(|judged| <&str>::from(judged.action)));
    query.execute(db).await.map_err(StorageError::from)?;
    Ok(Standing::Asked(id))
}

/// A payment that waits for its payer's approval.
#[derive(Debug, Queryable)]
pub(super) struct Open {
    id: ApprovalId,
    from_account: AccountId,
    from_name: String, // Text: only shown.
    amount: i64,
    currency: AsText<Currency>,
    payee_name: String,
    payee_account: String, // Text: an IBAN or the id of an account; only shown.
    reference: String,
    expires_at: DateTime<Utc>,
}

impl Open {
    /// Name and IBAN of the payee; none, for an account in the house.
    pub(super) fn payee(&self) -> Option<(&str, &str)> {
        Some((self.payee_name.as_str(), self.payee_account.as_str())).filter(|(name, _)| !name.is_empty())
    }

    /// As it travels.
    pub(super) fn wire(self, name_check: Option<NameCheck>) -> PaymentShown {
        PaymentShown {
            id: self.id.into(),
            from_account: self.from_account.into(),
            from_name: self.from_name,
            amount: wire(Money::new(self.amount, self.currency.0)),
            payee: Payee { name: self.payee_name, account: self.payee_account },
            name_check,
            reference: self.reference,
            expires_at: time(self.expires_at),
        }
    }
}

/// One that can be approved now. Row-level security shows the subject's own.
pub(super) async fn open(db: &mut Connection, id: ApprovalId) -> Result<Option<Open>, StorageError> {
    use crate::schema::approvals as a;
    let name = sql::<Text>("(select o.name from accounts o where o.id = approvals.from_account)");
    let paid = (a::amount, a::currency, a::payee_name, a::payee_account);
    let columns = (a::id, a::from_account, name, paid.0, paid.1, paid.2, paid.3, a::reference, a::expires_at);
    let query = a::table.find(id).filter(sql::<Bool>(
        "expires_at > statement_timestamp() and not exists (select from used_approvals u where u.approval_id = approvals.id)",
    ));
    Ok(query.select(columns).first(db).await.optional()?)
}

/// An approval that the posting uses up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) id: ApprovalId,
}

row! {
    /// Which transfer an approval was used for; before the payouts, that are looked at with it. Its key, and those of the table, are what makes it good once and for this order only.
    NewUse at 15: "insert into used_approvals (approval_id, owner, operation, key, fingerprint, transfer_id) select * from" {
        approval_id: ApprovalId, owner: Owner, operation: &'static str, key: IdempotencyKey, fingerprint: Vec<u8>, transfer_id: TransferId,
    } ""
}

impl Beside for Used {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        rows.add(NewUse {
            approval_id: self.id,
            owner: posting.order.owner.clone(),
            operation: posting.order.operation(),
            key: posting.order.key.clone(),
            fingerprint: posting.order.fingerprint.0.to_vec(),
            transfer_id: posting.id,
        })
    }

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        matches!(constraint, "used_approvals_pkey" | "approval_of_this_order" | "approval_in_time").then_some(SPENT)
    }
}
