//! Queries on `payouts`: a customer's as `ledger_app`, everybody's as `ledger_poster`; and what is written there beside a posting.

use api::payouts::{Creditor, MaskedIban, PayoutStatus};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, Queue, StorageError, row};

use super::history::{Standing, Step, Word};
use crate::error::Error;
use crate::ids::{AccountId, IdempotencyKey, PayeeId, PayoutId, Subject, TransferId};
use crate::input::{time, wire};
use crate::posting::{Beside, Broken, Posting, Reason, Rows};
use crate::suspense::Arrival;

mod ordered;
mod stuck;

pub(crate) use self::ordered::claim_of;
pub(super) use self::ordered::{LIMIT_REACHED, Ordered, PAYEE_GONE, PAYEE_IS_NEW};
pub(super) use self::stuck::{Stuck, Suspended, stuck, suspended};

/// A row of `payouts`.
#[derive(Debug, Clone, QueryableByName)]
pub struct Payout {
    /// Also the id of the transfer that took the money.
    #[diesel(sql_type = SqlUuid)]
    pub id: PayoutId,
    /// The debited account.
    #[diesel(sql_type = SqlUuid)]
    pub account_id: AccountId,
    /// Minor units.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// ISO 4217.
    #[diesel(sql_type = Text)]
    pub currency: String,
    #[diesel(sql_type = Text)]
    pub creditor_name: String,
    #[diesel(sql_type = Text)]
    pub creditor_iban: String,
    /// Shown to the creditor.
    #[diesel(sql_type = Text)]
    pub reference: String,
    /// The trace of the request.
    #[diesel(sql_type = Nullable<Text>)]
    pub traceparent: Option<String>,
    /// Where it stands, as text.
    #[diesel(sql_type = Text)]
    status: String,
    /// Attempts so far: orders and questions.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// When it was ordered.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// Who carries it out.
    #[diesel(sql_type = Text)]
    pub provider: String,
    /// Since when the partner may have it without our knowing.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub unsure_since: Option<DateTime<Utc>>,
    /// The transfer by which it came back.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub returned_by: Option<TransferId>,
    /// The transfer by which it was paid after it had been given back.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub paid_late_by: Option<TransferId>,
    /// Until when its payer can take it back, if it was held.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub held_until: Option<DateTime<Utc>>,
    /// Whose word ended it ([`Word`]).
    #[diesel(sql_type = Nullable<Text>)]
    word: Option<String>,
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

    /// Whether it was held and nobody has begun to send it.
    pub fn is_unsent_hold(&self) -> Result<bool, Error> {
        Ok(self.held_until.is_some() && self.attempts == 0 && self.standing()? == Standing::Pending)
    }

    /// Since when it can have been sent.
    pub fn released_at(&self) -> DateTime<Utc> {
        self.held_until.unwrap_or(self.created_at) // Default: it was not held.
    }

    /// Whether its payer has taken it back, or an operator for them.
    pub fn is_taken_back(&self) -> bool {
        [Word::Cancelled, Word::Withdrawn].into_iter().any(|word| self.word.as_deref() == Some(word.into()))
    }

    /// As it travels. From the second attempt on, what may have reached the partner is called unknown.
    pub fn wire(self) -> Result<api::payouts::Payout, Error> {
        let status = match self.standing()? {
            Standing::Failed if self.is_taken_back() => PayoutStatus::Cancelled,
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
            held_until: None,
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

/// A payout as its owner sees it now.
#[derive(Debug, QueryableByName)]
pub(super) struct Seen {
    #[diesel(embed)]
    pub(super) payout: Payout,
    /// Its payer can take it back: by the database's clock, as the guard will say.
    #[diesel(sql_type = Bool)]
    pub(super) held: bool,
}

impl Seen {
    /// As it travels.
    pub(super) fn wire(self) -> Result<api::payouts::Payout, Error> {
        let held_until = self.payout.held_until.filter(|_| self.held).map(time);
        let payout = self.payout.wire()?;
        let status = if self.held { PayoutStatus::Held } else { payout.status };
        Ok(api::payouts::Payout { status, held_until, ..payout })
    }
}

const SEEN: &str = "
    select p.*, p.status = 'pending' and p.attempts = 0 and coalesce(p.held_until > clock_timestamp(), false) as held
    from payouts p where p.id = $1 and p.owner = $2";

/// One payout of this owner.
pub(super) async fn find(db: &mut Connection, owner: &Subject, id: PayoutId) -> Result<Option<Seen>, StorageError> {
    let query = diesel::sql_query(SEEN).bind::<SqlUuid, _>(id).bind::<Text, _>(owner);
    Ok(query.get_result(db).await.optional()?)
}

const PAST: &str = "
    select d.decided or coalesce((select o.open_payouts < o.payout_ceiling from owners o where o.owner = $1), true) as room,
        not d.decided and coalesce((
            select $5 + coalesce((
                select sum(p.amount) from payouts p
                where p.owner = $1 and p.creditor_iban = y.iban and p.currency = $7
                  and p.created_at > clock_timestamp() - (y.cools_off_at - y.created_at)), 0) > $6
            from payees y where y.id = $4 and y.cools_off_at > clock_timestamp()), false) as above_cap,
        f.posted_at as found_at, f.counterparty as found_name,
        exists (select from payouts p where p.owner = $1 and p.word = 'cancelled' and p.creditor_iban = $3
            and p.created_at > statement_timestamp() - interval '90 days') as taken_back
    from (select exists (select from idempotency i where i.owner = $1 and i.operation = 'payout' and i.key = $2) as decided) d
    left join transfers f on f.id in ($8, $9) and f.kind = 'payout_found'";

/// What an owner's payouts say of one more.
#[derive(QueryableByName)]
pub(super) struct Past {
    /// There may be one more, or it was decided already. The database counts again when it is written.
    #[diesel(sql_type = Bool)]
    pub(super) room: bool,
    /// It was not decided, and with it those to its payee would be more than may be paid while that is new. The database adds up again when it is written.
    #[diesel(sql_type = Bool)]
    pub(super) above_cap: bool,
    /// It was found at its partner after the books were restored, and taken off the owner's account then.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(super) found_at: Option<DateTime<Utc>>,
    /// To whom, as its partner says.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) found_name: Option<String>,
    /// One to the same creditor was taken back while it was held.
    #[diesel(sql_type = Bool)]
    pub(super) taken_back: bool,
}

/// What is asked about one more.
pub(super) struct OneMore<'a> {
    pub(super) key: &'a IdempotencyKey,
    pub(super) payee: PayeeId,
    pub(super) iban: Option<&'a str>, // Text: of the payee, as it was read.
    pub(super) amount: Money,
    /// How much all to a payee who is new may be together.
    pub(super) cap: Money,
    /// What it will be called.
    pub(super) posted_as: TransferId,
}

pub(super) async fn past(db: &mut Connection, owner: &Subject, more: &OneMore<'_>) -> Result<Past, StorageError> {
    let query = diesel::sql_query(PAST).bind::<Text, _>(owner).bind::<Text, _>(more.key);
    let query = query.bind::<Nullable<Text>, _>(more.iban).bind::<SqlUuid, _>(more.payee);
    let query = query.bind::<BigInt, _>(more.amount.minor()).bind::<BigInt, _>(more.cap.minor());
    let query = query.bind::<Text, _>(more.amount.currency().code()).bind::<SqlUuid, _>(more.posted_as);
    let query = query.bind::<SqlUuid, _>(claim_of(more.posted_as));
    Ok(query.get_result(db).await?)
}

/// One payout, whosever it is. For the house itself.
pub(super) async fn find_any(db: &mut Connection, id: PayoutId) -> Result<Option<Payout>, StorageError> {
    let query = diesel::sql_query("select * from payouts where id = $1").bind::<SqlUuid, _>(id);
    Ok(query.get_result(db).await.optional()?)
}

/// Payouts as work to do. An order counts as one that the partner may have from its claim on, before its first byte leaves: if this process
/// dies, the next one must not take a refusal for the whole truth. Restored books send nothing before somebody has opened them: what was taken back
/// since then looks as if it were still to be paid.
pub(super) const QUEUE: Queue = Queue {
    name: "payouts.claim",
    table: "payouts",
    waiting: "status in ('pending', 'submitted') and (held_until is null or held_until <= clock_timestamp()) \
        and (status = 'submitted' or (select books_are_open())) \
        and (status = 'submitted' or unsure_since is not null or not exists (select from accounts a where a.id = account_id and a.stopped))",
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

/// The word for a payout that its payer cannot take back, or not any more.
pub(super) const NOT_HELD: &str = "payout_not_held";

/// The step that a word asks for, as it is stored.
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

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        (constraint == "payout_is_held").then_some(NOT_HELD)
    }
}
