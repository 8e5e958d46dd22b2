//! A plan as columns, which is how it is written: one statement per table, whatever the size of the batch.

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use money::Money;
use storage::{Connection, StorageError};
use uuid::Uuid;

use super::Failure;
use super::statements::{
    AllocateItems, ClosePayouts, PaidLatePayouts, RecordOutcomes, ReturnPayouts, WriteExchanges, WriteItems,
    WritePayouts, WritePostings,
};
use crate::posting::batch::{Numbered, Plan, Posting};
use crate::posting::model::{Actor, Entry, Reason, Rejection};
use crate::posting::order::{Extra, Order};

/// These rows are waited for with every account of the batch and the head in hand, so not for long: then the batch is tried in halves, and only the
/// order whose row is held is told to come back.
const PATIENCE: &str = "set local lock_timeout = '200ms'";

/// Everything that a batch writes.
#[derive(Default)]
pub(super) struct Rows<'a> {
    postings: WritePostings<'a>,
    outcomes: RecordOutcomes<'a>,
    exchanges: WriteExchanges<'a>,
    payouts: WritePayouts<'a>,
    closings: ClosePayouts<'a>,
    returns: ReturnPayouts<'a>,
    late: PaidLatePayouts<'a>,
    items: WriteItems<'a>,
    allocations: AllocateItems<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(plan: &Plan<'a>) -> Result<Self, Failure> {
        let mut rows = Self::default();
        for posting in &plan.postings {
            rows.add_transfer(posting)?;
            rows.add_outcome(posting.order, Some(posting.id), None);
            rows.add_extra(posting.id, posting.order)?;
            if let Some(reason) = posting.suspended {
                rows.add_item(posting.id, posting.order, reason)?;
            }
        }
        for (order, rejection) in &plan.rejections {
            rows.add_outcome(order, None, Some(*rejection));
        }
        rows.add_entries(&plan.postings);
        Ok(rows)
    }

    /// Writes them; answers what the postings were given, if there are any.
    pub(super) async fn write(mut self, db: &mut Connection) -> Result<Option<Numbered>, Failure> {
        let waits_for_rows = self.waits_for_rows();
        let numbered = write_main(self.postings, self.outcomes, db).await?;
        if !self.exchanges.transfers.is_empty() {
            self.exchanges.execute(db).await?;
        }
        if waits_for_rows {
            db.batch_execute(PATIENCE).await?;
        }
        if !self.payouts.ids.is_empty() {
            self.payouts.at = numbered.ok_or(Failure::Invariant("a payout without its posting"))?.at;
            self.payouts.execute(db).await?;
        }
        if !self.closings.ids.is_empty() {
            all(self.closings.ids.len(), self.closings.execute(db).await?)?;
        }
        if !self.late.ids.is_empty() {
            all(self.late.ids.len(), self.late.execute(db).await?)?;
        }
        if !self.returns.ids.is_empty() {
            all(self.returns.ids.len(), self.returns.execute(db).await?)?;
        }
        let items = self.items.ids.len();
        if items > 0 && self.items.execute(db).await? != items {
            return Err(Failure::Unexpected("a transfer into suspense"));
        }
        if !self.allocations.items.is_empty() {
            all(self.allocations.items.len(), self.allocations.execute(db).await?)?;
        }
        Ok(numbered)
    }

    /// Whether it writes to rows that others may hold: those of payouts, of their owners, of items in suspense.
    fn waits_for_rows(&self) -> bool {
        let Self { payouts, closings, returns, late, items, allocations, .. } = self;
        let counts = [
            payouts.ids.len(),
            closings.ids.len(),
            returns.ids.len(),
            late.ids.len(),
            items.ids.len(),
            allocations.items.len(),
        ];
        counts.iter().any(|count| *count > 0)
    }

    fn add_transfer(&mut self, posting: &Posting<'a>) -> Result<(), Failure> {
        let rows = &mut self.postings;
        // What was posted, which is not always what was ordered: a payee may have been replaced by suspense.
        let [from, .., to] = posting.entries.as_slice() else {
            return Err(Failure::Invariant("a posting without two entries"));
        };
        rows.count += 1;
        rows.ids.push(posting.id);
        rows.amounts.push(taken(from.amount)?);
        rows.from_accounts.push(from.account);
        rows.to_accounts.push(to.account);
        rows.currencies.push(from.amount.currency().code());
        rows.kinds.push(posting.order.command.kind.as_str());
        rows.references.push(&posting.order.reference);
        rows.counterparties.push(&posting.order.counterparty);
        Ok(())
    }

    /// In the order of the primary key, so that neighbors go to the same page of its index.
    fn add_entries(&mut self, postings: &[Posting<'a>]) {
        let mut entries: Vec<(Uuid, &Entry)> =
            postings.iter().flat_map(|posting| posting.entries.iter().map(move |entry| (posting.id, entry))).collect();
        entries.sort_unstable_by_key(|(_, entry)| (entry.account, entry.version));
        let rows = &mut self.postings;
        for (transfer, entry) in entries {
            rows.entry_accounts.push(entry.account);
            rows.entry_versions.push(entry.version);
            rows.entry_transfers.push(transfer);
            rows.entry_amounts.push(entry.amount.minor());
            rows.entry_balances.push(entry.balance.minor());
            rows.entry_currencies.push(entry.amount.currency().code());
        }
    }

    fn add_outcome(&mut self, order: &'a Order, transfer: Option<Uuid>, rejection: Option<Rejection>) {
        let rows = &mut self.outcomes;
        rows.owners.push(&order.key.owner);
        rows.operations.push(order.key.operation);
        rows.keys.push(&order.key.key);
        rows.fingerprints.push(&order.fingerprint.0);
        rows.transfers.push(transfer);
        rows.rejections.push(rejection.map(|rejection| rejection.reason.as_str()));
        rows.rejected_legs.push(rejection.map(|rejection| rejection.leg));
    }

    fn add_extra(&mut self, transfer: Uuid, order: &'a Order) -> Result<(), Failure> {
        match &order.extra {
            // An arrival is kept only if it goes to suspense.
            Extra::Nothing | Extra::Refused(_) | Extra::Arrival { .. } => (),
            Extra::Allocation { item } => {
                self.allocations.items.push(*item);
                self.allocations.transfers.push(transfer);
            }
            Extra::Exchange { bought, rate, rate_date, rate_source } => {
                let rows = &mut self.exchanges;
                rows.transfers.push(transfer);
                rows.bought.push(bought.minor());
                rows.bought_currencies.push(bought.currency().code());
                rows.rates.push(rate.to_string());
                rows.rate_dates.push(*rate_date);
                rows.rate_sources.push(rate_source);
            }
            Extra::Payout { provider, creditor_name, creditor_iban, traceparent } => {
                let (Actor::Customer(owner), Some(from)) = (&order.command.actor, order.command.from()) else {
                    return Err(Failure::Invariant("a payout that no customer ordered"));
                };
                let rows = &mut self.payouts;
                rows.ids.push(transfer);
                rows.accounts.push(from.account);
                rows.owners.push(owner);
                rows.amounts.push(taken(from.amount)?);
                rows.currencies.push(from.amount.currency().code());
                rows.creditor_names.push(creditor_name);
                rows.creditor_ibans.push(creditor_iban);
                rows.references.push(&order.reference);
                rows.traceparents.push(traceparent.as_deref());
                rows.providers.push(provider);
            }
            Extra::PayoutClosed { payout, paid, word, .. } => {
                self.closings.ids.push(*payout);
                self.closings.statuses.push(if *paid { "paid" } else { "failed" });
                self.closings.closed_by.push(transfer);
                self.closings.words.push(word.as_str());
            }
            Extra::PayoutReturned { payout, .. } | Extra::PayoutReturnedLate { payout } => {
                self.returns.ids.push(*payout);
                self.returns.returned_by.push(transfer);
            }
            Extra::PayoutPaidLate { payout } => {
                self.late.ids.push(*payout);
                self.late.paid_late_by.push(transfer);
            }
        }
        Ok(())
    }

    fn add_item(&mut self, transfer: Uuid, order: &'a Order, reason: Reason) -> Result<(), Failure> {
        let (Some((provider, event_id)), Some(wanted)) = (order.extra.event(), order.command.to()) else {
            return Err(Failure::Invariant("money for suspense without the event that told of it"));
        };
        let rows = &mut self.items;
        rows.ids.push(transfer);
        rows.providers.push(provider);
        rows.event_ids.push(event_id);
        rows.wanted_accounts.push(wanted.account);
        rows.reasons.push(reason.as_str());
        Ok(())
    }
}

/// What the debited account gave, as a positive number.
fn taken(amount: Money) -> Result<i64, Failure> {
    amount.minor().checked_neg().ok_or(Failure::Invariant("an amount without an opposite"))
}

/// A posting whose key is free although its payout, or its item in suspense, has already gone that way: better no posting than a second one.
fn all(named: usize, changed: usize) -> Result<(), Failure> {
    if changed == named { Ok(()) } else { Err(Failure::Refused(StorageError::Query(DieselError::NotFound))) }
}

/// Both are on their way before the first answers, and both answers are awaited: one that is left behind would cost the connection.
async fn write_main(
    postings: WritePostings<'_>,
    outcomes: RecordOutcomes<'_>,
    db: &Connection,
) -> Result<Option<Numbered>, DieselError> {
    let (mut first, mut second) = (db, db);
    let posting = async {
        if postings.ids.is_empty() {
            return Ok::<_, DieselError>(None);
        }
        let (base, at) = postings.get_result::<(i64, DateTime<Utc>)>(&mut first).await?;
        Ok(Some(Numbered { base, at }))
    };
    let recording = async {
        if outcomes.keys.is_empty() {
            return Ok(0);
        }
        outcomes.execute(&mut second).await
    };
    let (numbered, recorded) = futures_util::join!(posting, recording);
    let numbered = numbered?;
    recorded?;
    Ok(numbered)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use money::Currency;

    use super::*;
    use crate::posting::fold::State;
    use crate::posting::model::{Account, Command, Kind, Purpose};
    use crate::posting::order::{Fingerprint, Key};

    fn account(number: u128) -> Account {
        let (purpose, balance) = (Purpose::Customer, Money::new(100, Currency::EUR));
        let owner = Some("alice".to_owned());
        Account { id: Uuid::from_u128(number), owner, purpose, balance, floor: 0, version: 0, closed: false }
    }

    fn order(key: &str, minor: i64) -> Order {
        let (from, to) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let actor = Actor::Customer("alice".to_owned());
        Order {
            key: Key { owner: "alice".to_owned(), operation: "transfer", key: key.to_owned() },
            fingerprint: Fingerprint::of(&[&minor.to_be_bytes()]),
            command: Command::between(Kind::Transfer, actor, from, to, Money::new(minor, Currency::EUR)).unwrap(),
            reference: String::new(),
            counterparty: String::new(),
            extra: Extra::Nothing,
        }
    }

    fn plan(orders: &[Order]) -> Plan<'_> {
        let mut state = State::new([account(1), account(2)]);
        Plan::make(orders, &mut state, &HashMap::new(), &HashSet::new(), Uuid::nil).unwrap()
    }

    #[test]
    fn a_posting_without_two_entries_is_a_fault_and_not_left_out() {
        let orders = [order("a", 60)];
        for left in [0, 1] {
            let mut plan = plan(&orders);
            plan.postings[0].entries.truncate(left);
            assert!(Rows::of(&plan).is_err(), "{left} entries");
        }
    }

    #[test]
    fn a_payout_that_nobody_ordered_is_a_fault_and_not_left_out() {
        let (provider, creditor_name, creditor_iban) = ("bank".to_owned(), "Carol".to_owned(), "DE".to_owned());
        let extra = Extra::Payout { provider, creditor_name, creditor_iban, traceparent: None };
        let orders = [Order { extra, ..order("a", 60) }];
        let mut plan = plan(&orders);
        assert!(Rows::of(&plan).is_ok());
        let mut houses = orders[0].clone();
        houses.command.actor = Actor::House;
        plan.postings[0].order = &houses;
        assert!(Rows::of(&plan).is_err());
    }
}
