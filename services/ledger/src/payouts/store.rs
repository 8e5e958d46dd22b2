//! Queries on `payouts`: a customer's as `ledger_app`, everybody's as `ledger_poster`.

use api::payouts::{Creditor, PayoutStatus};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, StorageError};
use uuid::Uuid;

use crate::accounts::store::currency;
use crate::error::Error;
use crate::input::{time, wire};
use crate::schema::payouts;

/// A row of `payouts`.
#[derive(Debug, Clone, Queryable, Selectable)]
pub struct Payout {
    /// Also the id of the transfer that took the money.
    pub id: Uuid,
    /// The debited account.
    pub account_id: Uuid,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Who gets it.
    pub creditor_name: String,
    /// Where.
    pub creditor_iban: String,
    /// Shown to the creditor.
    pub reference: String,
    /// The trace of the request.
    pub traceparent: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Submissions so far.
    pub attempts: i32,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
}

impl Payout {
    /// The amount as a type.
    pub fn money(&self) -> Result<Money, Error> {
        Ok(Money::new(self.amount, currency(&self.currency)?))
    }

    /// The same, ended.
    pub fn closed(mut self, paid: bool) -> Self {
        (if paid { "paid" } else { "failed" }).clone_into(&mut self.status);
        self
    }

    /// As it travels.
    pub fn wire(self) -> Result<api::payouts::Payout, Error> {
        Ok(api::payouts::Payout {
            id: self.id.into(),
            from_account: self.account_id.into(),
            amount: wire(self.money()?),
            creditor: Creditor { name: self.creditor_name, iban: self.creditor_iban },
            reference: self.reference,
            status: match self.status.as_str() {
                "submitted" => PayoutStatus::Submitted,
                "paid" => PayoutStatus::Paid,
                "failed" => PayoutStatus::Failed,
                _ => PayoutStatus::Pending,
            },
            created_at: time(self.created_at),
        })
    }
}

/// One payout of this owner.
pub(super) async fn find(db: &mut Connection, owner: &str, id: Uuid) -> Result<Option<Payout>, StorageError> {
    let query = payouts::table.find(id).filter(payouts::owner.eq(owner));
    Ok(query.select(Payout::as_select()).first(db).await.optional()?)
}

/// One payout, whosever it is. For the house itself.
pub(super) async fn find_any(db: &mut Connection, id: Uuid) -> Result<Option<Payout>, StorageError> {
    Ok(payouts::table.find(id).select(Payout::as_select()).first(db).await.optional()?)
}

/// Takes payouts that are due, for the length of a lease. Two processes take different ones.
pub(super) async fn claim(
    db: &mut Connection,
    limit: i64,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Vec<Payout>, StorageError> {
    let due: Vec<Uuid> = payouts::table
        .filter(payouts::status.eq("pending"))
        .filter(payouts::next_attempt_at.le(now))
        .order(payouts::next_attempt_at)
        .limit(limit)
        .select(payouts::id)
        .for_update()
        .skip_locked()
        .load(db)
        .await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let claimed = diesel::update(payouts::table.filter(payouts::id.eq_any(due)))
        .set((payouts::attempts.eq(payouts::attempts + 1), payouts::next_attempt_at.eq(now + lease)))
        .returning(Payout::as_select());
    Ok(claimed.get_results(db).await?)
}

/// The partner has the order. It may have said more in the meantime, so only a pending payout moves.
pub(super) async fn submitted(db: &mut Connection, id: Uuid, partner_id: &str) -> Result<(), StorageError> {
    diesel::update(payouts::table.find(id).filter(payouts::status.eq("pending")))
        .set((payouts::status.eq("submitted"), payouts::partner_id.eq(partner_id)))
        .execute(db)
        .await?;
    Ok(())
}

/// To be tried again then.
pub(super) async fn postpone(db: &mut Connection, id: Uuid, at: DateTime<Utc>) -> Result<(), StorageError> {
    diesel::update(payouts::table.find(id).filter(payouts::status.eq("pending")))
        .set(payouts::next_attempt_at.eq(at))
        .execute(db)
        .await?;
    Ok(())
}
