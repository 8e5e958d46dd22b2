//! Queries on `payouts`: a customer's as `ledger_app`, everybody's as `ledger_poster`; and what is written there beside a posting.

use api::payouts::{Creditor, MaskedIban, PayoutStatus};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, Queue, StorageError, row};

use super::history::{Standing, Step, Word};
use crate::error::Error;
use crate::ids::{AccountId, IdempotencyKey, PayoutId, Subject, TransferId};
use crate::input::{time, wire};
use crate::posting::{Actor, Beside, Broken, Posting, Reason, Rows};
use crate::schema::payouts;
use crate::suspense::Arrival;

/// A row of `payouts`.
#[derive(Debug, Clone, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = payouts)]
pub struct Payout {
    /// Also the id of the transfer that took the money.
    pub id: PayoutId,
    /// The debited account.
    pub account_id: AccountId,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    pub creditor_name: String,
    pub creditor_iban: String,
    /// Shown to the creditor.
    pub reference: String,
    /// The trace of the request.
    pub traceparent: Option<String>,
    /// Where it stands, as text.
    status: String,
    /// Attempts so far: orders and questions.
    pub attempts: i32,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// Who carries it out.
    pub provider: String,
    /// Since when the partner may have it without our knowing.
    pub unsure_since: Option<DateTime<Utc>>,
    /// The transfer by which it came back.
    pub returned_by: Option<TransferId>,
    /// The transfer by which it was paid after it had been given back.
    pub paid_late_by: Option<TransferId>,
}

impl Payout {
    /// The amount as a type. Not read with the row, nor is where it stands: one that this version does not know holds up no other.
    pub fn money(&self) -> Result<Money, Error> {
        let unknown = diesel::result::Error::DeserializationError("a currency that this version does not know".into());
        let currency = self.currency.parse().map_err(|_| Error::Storage(unknown.into()))?;
        Ok(Money::new(self.amount, currency))
    }

    /// Where it stands.
    pub fn standing(&self) -> Result<Standing, Error> {
        self.status.parse().map_err(|_| Error::Invariant("a payout's status is none that this version knows"))
    }

    /// As it travels. From the second attempt on, what may have reached the partner is called unknown.
    pub fn wire(self) -> Result<api::payouts::Payout, Error> {
        let status = match self.standing()? {
            Standing::Pending if self.unsure_since.is_some() && self.attempts > 1 => PayoutStatus::Unknown,
            Standing::Pending => PayoutStatus::Pending,
            Standing::Submitted => PayoutStatus::Submitted,
            Standing::Paid => PayoutStatus::Paid,
            Standing::Failed => PayoutStatus::Failed,
            Standing::Returned => PayoutStatus::Returned,
        };
        Ok(api::payouts::Payout {
            id: self.id.into(),
            from_account: self.account_id.into(),
            amount: wire(self.money()?),
            creditor: Creditor { name: self.creditor_name, iban: MaskedIban::of(&self.creditor_iban) },
            reference: self.reference,
            status,
            created_at: time(self.created_at),
        })
    }
}

/// A payout that was taken to be worked on.
#[derive(Debug, QueryableByName)]
pub struct Claimed {
    #[diesel(embed)]
    pub(super) payout: Payout,
    /// Whether an earlier attempt may have reached the partner.
    #[diesel(sql_type = Bool)]
    pub(super) unsure_before: bool,
}

/// One payout of this owner.
pub(super) async fn find(db: &mut Connection, owner: &Subject, id: PayoutId) -> Result<Option<Payout>, StorageError> {
    let query = payouts::table.find(id).filter(payouts::owner.eq(owner));
    Ok(query.select(Payout::as_select()).first(db).await.optional()?)
}

const ROOM: &str = "
    select coalesce((select o.open_payouts < o.payout_ceiling from owners o where o.owner = $1), true)
        or exists (select from idempotency i where i.owner = $1 and i.operation = 'payout' and i.key = $2) as room";

#[derive(QueryableByName)]
struct Room {
    #[diesel(sql_type = Bool)]
    room: bool,
}

/// Whether this owner may order one more, or has ordered this one already. The database counts again when it is written.
pub(super) async fn has_room(db: &mut Connection, owner: &Subject, key: &IdempotencyKey) -> Result<bool, StorageError> {
    let query = diesel::sql_query(ROOM).bind::<Text, _>(owner).bind::<Text, _>(key);
    Ok(query.get_result::<Room>(db).await?.room)
}

/// One payout, whosever it is. For the house itself.
pub(super) async fn find_any(db: &mut Connection, id: PayoutId) -> Result<Option<Payout>, StorageError> {
    Ok(payouts::table.find(id).select(Payout::as_select()).first(db).await.optional()?)
}

/// Payouts as work to do. An order counts as one that the partner may have from its claim on, before its first byte leaves: if this process
/// dies, the next one must not take a refusal for the whole truth.
pub(super) const QUEUE: Queue = Queue {
    name: "payouts.claim",
    table: "payouts",
    waiting: "status in ('pending', 'submitted')",
    changes: ", unsure_since = case q.status when 'pending' then coalesce(q.unsure_since, $1) else q.unsure_since end,
        unsure_by = case q.status when 'pending' then coalesce(q.unsure_by, q.attempts + 1) else q.unsure_by end",
    answers: ", due.unsure_since is not null as unsure_before",
};

/// The partner has the order. It may have said more in the meantime, so only a pending payout moves.
pub(super) async fn submitted(
    db: &mut Connection,
    id: PayoutId,
    partner_id: &str, // Text: as it came.
    ask_at: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::sql_query(
        "update payouts set status = 'submitted', partner_id = $2, next_attempt_at = $3 where id = $1 and status = 'pending'",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(partner_id)
    .bind::<Timestamptz, _>(ask_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Certainly no attempt so far has reached the partner. Nothing changes if another attempt was begun in the meantime.
pub(super) async fn untouched(db: &mut Connection, id: PayoutId, attempt: i32) -> Result<(), StorageError> {
    diesel::sql_query(
        "update payouts set unsure_since = null, unsure_by = null \
         where id = $1 and status = 'pending' and attempts = $2 and unsure_by = $2",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Integer, _>(attempt)
    .execute(db)
    .await?;
    Ok(())
}

/// To be looked at again then, unless it has ended.
pub(super) async fn postpone(db: &mut Connection, id: PayoutId, at: DateTime<Utc>) -> Result<(), StorageError> {
    diesel::sql_query("update payouts set next_attempt_at = $2 where id = $1 and status in ('pending', 'submitted')")
        .bind::<SqlUuid, _>(id)
        .bind::<Timestamptz, _>(at)
        .execute(db)
        .await?;
    Ok(())
}

/// Payouts that need a person.
#[derive(Debug, QueryableByName)]
pub(super) struct Stuck {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: PayoutId,
    #[diesel(sql_type = Text)]
    pub(super) provider: String,
    #[diesel(sql_type = Text)]
    pub(super) currency: String,
    /// Of all that are stuck in this currency, in minor units.
    #[diesel(sql_type = BigInt)]
    pub(super) sum: i64,
}

/// Each with the sum of all in its currency, so that a limit hides none of the money; those that may be paid twice or never come first.
const STUCK: &str = "
    select id, provider, currency, (sum(amount) over (partition by currency))::bigint as sum from payouts
    where status = 'pending' and (unsure_since < $1 or created_at < $1)
       or status = 'submitted' and created_at < $2
    order by status = 'submitted', created_at limit $3";

/// At most `limit` of them: pending or unknown since before `unknown`, or submitted and without an end since before `open`.
pub(super) async fn stuck(
    db: &mut Connection,
    unknown: DateTime<Utc>,
    open: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Stuck>, StorageError> {
    let query = diesel::sql_query(STUCK).bind::<Timestamptz, _>(unknown).bind::<Timestamptz, _>(open);
    Ok(query.bind::<BigInt, _>(limit).load(db).await?)
}

/// Money that waits for a person.
#[derive(Debug, QueryableByName)]
pub(super) struct Suspended {
    /// As the payout and the item are called.
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: TransferId,
    #[diesel(sql_type = Text)]
    pub(super) provider: String,
    /// The house's loss, and not somebody's money.
    #[diesel(sql_type = Bool)]
    pub(super) lost: bool,
}

const SUSPENDED: &str = "
    (select id, provider, true as lost from payouts where paid_late_by is not null and returned_by is null order by id limit $1)
    union all
    (select id, provider, false from suspense_items where allocated_by is null order by id limit $1)";

/// At most `limit` payouts that were paid after they had been given back, and as many items in suspense that nobody has allocated.
pub(super) async fn suspended(db: &mut Connection, limit: i64) -> Result<Vec<Suspended>, StorageError> {
    Ok(diesel::sql_query(SUSPENDED).bind::<BigInt, _>(limit).load(db).await?)
}

/// A payout that is to be submitted.
#[derive(Debug)]
pub(super) struct Ordered {
    /// Who carries it out.
    pub(super) provider: String,
    pub(super) creditor_name: String,
    /// Without spaces.
    pub(super) creditor_iban: String,
    /// W3C trace context of the request, continued when the order is submitted.
    pub(super) traceparent: Option<String>,
}

/// The word for having as many payouts on their way as one may have.
pub(super) const LIMIT_REACHED: &str = "payout_limit";

row! {
    /// An order to the partner, beside the transfer that took the money.
    NewPayout at 20: "insert into payouts (created_at, next_attempt_at, id, account_id, owner, amount, currency, creditor_name, creditor_iban, \
                    reference, traceparent, provider) \
                select t.posted_at, t.posted_at, t.id, t.from_account, r.owner, t.amount, t.currency, r.creditor_name, r.creditor_iban, \
                    t.reference, r.traceparent, r.provider from" {
        id: PayoutId, owner: Subject, creditor_name: String, creditor_iban: String, traceparent: Option<String>, provider: String,
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
            creditor_name: self.creditor_name.clone(),
            creditor_iban: self.creditor_iban.clone(),
            traceparent: self.traceparent.clone(),
            provider: self.provider.clone(),
        })
    }

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        (constraint == "open_payouts_within_the_ceiling").then_some(LIMIT_REACHED)
    }
}

/// The step that the partner's word asks for, as it is stored.
#[derive(Debug)]
pub(super) struct PartnerStep {
    pub(super) payout: PayoutId,
    pub(super) step: Step,
    pub(super) word: Word,
    /// The provider, and the payout's id as text: with the money if it goes to suspense.
    pub(super) arrival: Arrival,
}

row! {
    /// The end of a payout.
    End at 21: "update payouts p set status = r.status, closed_by = r.closed_by, word = r.word from" {
        id: PayoutId, status: &'static str, closed_by: TransferId, word: &'static str,
    } "where p.id = r.id and p.status in ('pending', 'submitted') \
       and (r.word <> 'refusal' or p.status = 'pending' and p.unsure_by = p.attempts)"
}

row! {
    /// A payout that was paid although it had been given back.
    LatePayment at 22: "update payouts p set paid_late_by = r.paid_late_by from" {
        id: PayoutId, paid_late_by: TransferId,
    } "where p.id = r.id and p.status = 'failed' and p.paid_late_by is null"
}

row! {
    /// A paid payout that came back; one that had been given back before only gets the note.
    Return at 23: "update payouts p set returned_by = r.returned_by, status = case p.status when 'paid' then 'returned' else p.status end from" {
        id: PayoutId, returned_by: TransferId,
    } "where p.id = r.id and p.status in ('paid', 'failed') and p.returned_by is null"
}

impl Beside for PartnerStep {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        let (id, by) = (self.payout, posting.id);
        let end = |status| End { id, status, closed_by: by, word: self.word.into() };
        match self.step {
            Step::Settle => rows.add(end("paid")),
            Step::GiveBack => rows.add(end("failed")),
            Step::PayLate => rows.add(LatePayment { id, paid_late_by: by }),
            Step::Return | Step::ReturnLate => rows.add(Return { id, returned_by: by }),
        }
    }

    fn suspended(&self, posting: &Posting<'_>, why: Reason, rows: &mut Rows) -> Result<(), Broken> {
        self.arrival.suspended(posting, why, rows)
    }
}

#[cfg(test)]
mod tests {
    use money::Currency;

    use super::*;
    use crate::ids::Owner;
    use crate::posting::{Command, Extra, Fingerprint, Kind, Order};

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
        let (creditor_name, creditor_iban) = ("Carol".to_owned(), "DE".to_owned());
        let ordered = Ordered { provider: "bank".to_owned(), creditor_name, creditor_iban, traceparent: None };
        let rows = |order: &Order| {
            let posting = Posting { order, id: TransferId::from_bytes([0; 16]), entries: Vec::new(), suspended: None };
            ordered.rows(&posting, &mut Rows::default())
        };
        assert!(rows(&order(Actor::Customer(Subject::of("alice")))).is_ok());
        assert!(rows(&order(Actor::House)).is_err());
    }
}
