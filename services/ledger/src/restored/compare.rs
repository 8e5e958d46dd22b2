//! What partners have, and the books do not.

use anyhow::{Result, bail, ensure};
use api::broker::{ListedOrder, OrderOutcome};
use chrono::{DateTime, Utc};
use money::Money;
use storage::Pool;

use super::store;
use crate::ids::{PayoutId, TransferId};
use crate::payouts::partner::Partner;

/// More pages than a partner has in any time that a database is restored over.
const MOST_PAGES: usize = 10_000;

/// An order that a partner has and will not give back.
pub(super) struct Found {
    pub(super) provider: String,
    pub(super) id: TransferId,
    pub(super) amount: Money,
    pub(super) creditor_name: String,
    pub(super) reference: String,
    /// It has paid it.
    pub(super) paid: bool,
}

/// The orders since then that the books do not know, those that they know, and the partners that nobody can ask.
pub(super) struct Comparison {
    pub(super) found: Vec<Found>,
    pub(super) known: Vec<TransferId>,
    pub(super) unlisted: Vec<String>,
}

pub(super) async fn compare(partner: &Partner, poster: &Pool, since: DateTime<Utc>) -> Result<Comparison> {
    let mut comparison = Comparison { found: Vec::new(), known: Vec::new(), unlisted: Vec::new() };
    for provider in partner.providers.names() {
        if partner.providers.of(provider).is_some_and(|places| places.list.is_none()) {
            comparison.unlisted.push(provider.to_owned());
            continue;
        }
        let mut after = None;
        for page in 0.. {
            ensure!(page < MOST_PAGES, "`{provider}` does not come to an end with its orders");
            let orders = match partner.list(provider, since.timestamp(), after).await? {
                Ok(orders) => orders,
                Err(why) => bail!("`{provider}` does not say what it has: {why}"),
            };
            let Some(last) = orders.last() else { break };
            after = Some(last.payout_id);
            let (known, unknown) = part(poster, orders).await?;
            comparison.known.extend(known.into_iter().map(|order| TransferId::from(order.payout_id)));
            for order in unknown {
                comparison.found.extend(look(partner, provider, order).await?);
            }
        }
    }
    Ok(comparison)
}

/// Those that the books know, and the others.
async fn part(poster: &Pool, orders: Vec<ListedOrder>) -> Result<(Vec<ListedOrder>, Vec<ListedOrder>)> {
    let ids: Vec<TransferId> = orders.iter().map(|order| order.payout_id.into()).collect();
    let mut db = storage::connection(poster).await?;
    let known = store::known(&mut db, &ids).await?;
    Ok(orders.into_iter().partition(|order| known.contains(&order.payout_id.into())))
}

/// Where an unknown order stands: what the partner has not paid, or what has come back, is nothing that the books lack.
async fn look(partner: &Partner, provider: &str, order: ListedOrder) -> Result<Option<Found>> {
    let outcome = match partner.ask(provider, PayoutId::from(order.payout_id)).await? {
        Ok((outcome, _)) => outcome,
        Err(why) => bail!("`{provider}` does not say where {} stands: {why}", order.payout_id),
    };
    let paid = match outcome {
        OrderOutcome::Failed | OrderOutcome::Returned => return Ok(None),
        OrderOutcome::Accepted => false,
        OrderOutcome::Paid => true,
    };
    Ok(Some(Found {
        provider: provider.to_owned(),
        id: order.payout_id.into(),
        amount: Money::parse(&order.amount, order.currency.parse()?)?,
        creditor_name: order.creditor_name,
        reference: order.reference,
        paid,
    }))
}
