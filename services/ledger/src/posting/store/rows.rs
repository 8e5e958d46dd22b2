//! What a batch writes: a plan as columns, one statement per table, whatever the size of the batch.

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use money::Money;
use storage::Connection;
use uuid::Uuid;

use super::Failure;
use super::statements::{RecordOutcomes, WritePostings};
use crate::posting::batch::Posting;
use crate::posting::batch::{Numbered, Plan};
use crate::posting::model::Entry;

/// These rows are waited for with every account of the batch and the head in hand, so not for long: then the batch is tried in halves, and only the
/// order whose row is held is told to come back.
const PATIENCE: &str = "set local lock_timeout = '200ms'";

/// Writes what was posted, what was refused, and what goes beside; answers what the postings were given, if there are any.
pub(super) async fn write(plan: &mut Plan<'_>, db: &mut Connection) -> Result<Option<Numbered>, Failure> {
    let numbered = write_main(transfers(&plan.postings)?, outcomes(plan), db).await?;
    let mut waits = false;
    for table in plan.beside.tables() {
        if table.waits() && !waits {
            db.batch_execute(PATIENCE).await?;
            waits = true;
        }
        table.write(db).await?;
    }
    Ok(numbered)
}

/// Transfers in the order of the postings, entries in that of their primary key, so that neighbors go to the same page of its index.
fn transfers<'a>(postings: &[Posting<'a>]) -> Result<WritePostings<'a>, Failure> {
    let mut rows = WritePostings::default();
    for Posting { order, id, entries, .. } in postings {
        // What was posted, which is not always what was ordered: a payee may have been replaced by suspense.
        let [from, .., to] = entries.as_slice() else {
            return Err(Failure::Invariant("a posting without two entries"));
        };
        rows.count += 1;
        rows.ids.push(*id);
        rows.amounts.push(taken(from.amount)?);
        rows.from_accounts.push(from.account);
        rows.to_accounts.push(to.account);
        rows.currencies.push(from.amount.currency().code());
        rows.kinds.push(order.command.kind.as_str());
        rows.references.push(&order.reference);
        rows.counterparties.push(&order.counterparty);
    }
    let mut entries: Vec<(Uuid, &Entry)> =
        postings.iter().flat_map(|posting| posting.entries.iter().map(move |entry| (posting.id, entry))).collect();
    entries.sort_unstable_by_key(|(_, entry)| (entry.account, entry.version));
    for (transfer, entry) in entries {
        rows.entry_accounts.push(entry.account);
        rows.entry_versions.push(entry.version);
        rows.entry_transfers.push(transfer);
        rows.entry_amounts.push(entry.amount.minor());
        rows.entry_balances.push(entry.balance.minor());
        rows.entry_currencies.push(entry.amount.currency().code());
    }
    Ok(rows)
}

fn outcomes<'a>(plan: &Plan<'a>) -> RecordOutcomes<'a> {
    let posted = plan.postings.iter().map(|posting| (posting.order, Some(posting.id), None));
    let refused = plan.rejections.iter().map(|(order, rejection)| (*order, None, Some(*rejection)));
    let mut rows = RecordOutcomes::default();
    for (order, transfer, rejection) in posted.chain(refused) {
        rows.owners.push(&order.key.owner);
        rows.operations.push(order.key.operation);
        rows.keys.push(&order.key.key);
        rows.fingerprints.push(&order.fingerprint.0);
        rows.transfers.push(transfer);
        rows.rejections.push(rejection.map(|rejection| rejection.reason.as_str()));
        rows.rejected_legs.push(rejection.map(|rejection| rejection.leg));
    }
    rows
}

/// What the debited account gave, as a positive number.
fn taken(amount: Money) -> Result<i64, Failure> {
    amount.minor().checked_neg().ok_or(Failure::Invariant("an amount without an opposite"))
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
    use crate::posting::batch::{Extra, Fingerprint, Key, Order};
    use crate::posting::fold::State;
    use crate::posting::model::{Account, Actor, Command, Kind, Purpose};

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
            assert!(transfers(&plan.postings).is_err(), "{left} entries");
        }
    }
}
