//! Sells an amount of one account's currency for the other's.

use api::exchanges::PostExchange;
use chrono::NaiveDate;
use money::{Currency, Decimal, Money, Rounding};
use uuid::Uuid;

use super::quote::quote;
use super::rates::SOURCE;
use super::store::{self, Known};
use crate::accounts;
use crate::error::{AmountError, Error, Resource};
use crate::input::{self, time, wire};
use crate::posting::{
    Actor, Command, Extra, Fingerprint, Key, Kind, Leg, Order, Posted, Purpose, Rejection, system_account,
};
use crate::state::State;

/// What was agreed: stored with the transfer and never computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// What the customer gives.
    pub sold: Money,
    /// What the customer gets.
    pub bought: Money,
    /// Units of the bought currency for one of the sold.
    pub rate: Decimal,
    /// The day of the rate.
    pub rate_date: NaiveDate,
}

/// The exchange, and whether it was there before.
pub async fn exchange(
    state: &State,
    subject: &str,
    key: &str,
    request: &PostExchange,
) -> Result<(api::exchanges::Exchange, bool), Error> {
    let sold = input::positive(&request.amount)?;
    let fingerprint = fingerprint(request, sold);
    // A repetition needs no rate, and today's would be another one.
    if let Some(known) = known(state, subject, key, fingerprint).await? {
        return Ok((known, true));
    }
    let deal = deal(state, subject, request.to_account, sold).await?;
    let order = order(subject, key, fingerprint, request, &deal);
    let receipt = state.post(order).await?;
    if receipt.replayed {
        // The other one was faster, at the rate that it was given.
        let known = known(state, subject, key, fingerprint).await?;
        return Ok((known.ok_or(Error::KeyReused)?, true));
    }
    Ok((shown(&deal, receipt.posted), false))
}

async fn known(
    state: &State,
    subject: &str,
    key: &str,
    fingerprint: Fingerprint,
) -> Result<Option<api::exchanges::Exchange>, Error> {
    let known = storage::subject_transaction(&state.pool, "exchanges.known", subject, async |db| {
        store::known(db, subject, key).await
    });
    match known.await? {
        None => Ok(None),
        Some(known) if known.fingerprint != fingerprint.0 => Err(Error::KeyReused),
        Some(Known { rejection: Some((reason, leg)), .. }) => {
            let rejection = Rejection { reason, leg };
            Err(Error::Rejected { rejection, kind: Kind::Exchange, replayed: true })
        }
        Some(Known { deal, .. }) => Ok(deal.map(|(deal, posted)| shown(&deal, posted))),
    }
}

async fn deal(state: &State, subject: &str, to: Uuid, sold: Money) -> Result<Deal, Error> {
    let account = storage::subject_transaction(&state.pool, "exchanges.account", subject, async |db| {
        accounts::store::find(db, subject, to).await?.ok_or(Error::Missing(Resource::Account))
    })
    .await?;
    let target: Currency = account.money()?.currency();
    if target == sold.currency() {
        return Err(Error::Currency("to_account"));
    }
    let quote = quote(&state.rates.latest().await?, sold.currency(), target)?;
    state.rates.check_age(quote.date, state.clock.unix())?;
    let wrong = |cause| Error::Amount { field: "amount.amount", cause };
    let bought = sold.convert(quote.rate, target, Rounding::Down).map_err(|cause| wrong(cause.into()))?;
    if !bought.is_positive() {
        return Err(wrong(AmountError::NotPositive));
    }
    Ok(Deal { sold, bought, rate: quote.rate, rate_date: quote.date })
}

fn order(subject: &str, key: &str, fingerprint: Fingerprint, request: &PostExchange, deal: &Deal) -> Order {
    let fx = |money: Money| system_account(Purpose::Fx, money.currency());
    let leg = |account, minor, of: Money| Leg { account, amount: Money::new(minor, of.currency()) };
    // Both amounts are positive, so neither negation can overflow.
    let (sold, bought) = (deal.sold, deal.bought);
    let legs = vec![
        leg(request.from_account, -sold.minor(), sold),
        leg(fx(sold), sold.minor(), sold),
        leg(fx(bought), -bought.minor(), bought),
        leg(request.to_account, bought.minor(), bought),
    ];
    Order {
        key: Key { owner: subject.to_owned(), operation: Kind::Exchange.operation(), key: key.to_owned() },
        fingerprint,
        command: Command { kind: Kind::Exchange, actor: Actor::Customer(subject.to_owned()), legs },
        reference: String::new(),
        counterparty: String::new(),
        extra: Extra::Exchange { bought, rate: deal.rate, rate_date: deal.rate_date, rate_source: SOURCE },
    }
}

/// Of what was asked. The rate is not part of it: it is ours.
fn fingerprint(request: &PostExchange, sold: Money) -> Fingerprint {
    Fingerprint::of(&[
        request.from_account.as_bytes(),
        request.to_account.as_bytes(),
        &sold.minor().to_be_bytes(),
        sold.currency().code().as_bytes(),
    ])
}

fn shown(deal: &Deal, posted: Posted) -> api::exchanges::Exchange {
    api::exchanges::Exchange {
        id: posted.id,
        sequence: posted.sequence,
        sold: wire(deal.sold),
        bought: wire(deal.bought),
        rate: deal.rate.to_string(),
        rate_date: deal.rate_date.to_string(),
        rate_source: SOURCE.to_owned(),
        posted_at: time(posted.at),
    }
}
