//! Sells an amount of one account's currency for the other's.

use api::exchanges::{Exchange, PostExchange};
use money::{Currency, Money, MoneyError, Rounding};

use super::deal::Deal;
use super::quote::quote;
use super::store::{self, Known};
use crate::accounts;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{AccountId, IdempotencyKey, Subject};
use crate::input::{self, time, wire};
use crate::posting::{
    self, Actor, Command, Extra, Fingerprint, Kind, Leg, Order, Posted, Purpose, Reason, Rejection, Unanswered,
    system_account,
};
use crate::state::State;

/// Indexes of the legs that a refusal can be about.
const FROM: i16 = 0;
const TO: i16 = 3;

/// The exchange.
///
/// What is refused for what was asked or for what the books say is recorded under the key, like a rejection of the fold, and never judged
/// again. What could not be judged (no rates, or none of a usable day) is not decided: the same key may come back.
pub async fn exchange(
    state: &State,
    subject: &Subject,
    key: &IdempotencyKey,
    request: &PostExchange,
) -> Result<Idempotent<Exchange>, Error> {
    let sold = input::positive(&request.amount)?;
    let fingerprint = fingerprint(request, sold);
    // A repetition needs no rate, and today's would be another one.
    if let Some(result) = find_decided(state, subject, key, fingerprint).await? {
        return Ok(Idempotent { result, replayed: true });
    }
    let judged = judge(state, subject, request.to_account.into(), sold).await?;
    let receipt = posting::post(&state.committer, order(subject, key, fingerprint, request, &judged)).await?;
    match judged {
        Ok(deal) if !receipt.replayed => Ok(Idempotent { result: shown(&deal, receipt.posted), replayed: false }),
        // The other one was faster, at the rate that it was given.
        _ => match find_decided(state, subject, key, fingerprint).await? {
            Some(result) => Ok(Idempotent { result, replayed: true }),
            None => Err(Unanswered::Unknown.into()),
        },
    }
}

async fn find_decided(
    state: &State,
    subject: &Subject,
    key: &IdempotencyKey,
    fingerprint: Fingerprint,
) -> Result<Option<Exchange>, Error> {
    let known = storage::subject_transaction(&state.pool, "exchanges.known", subject.as_str(), async |db| {
        store::find_decided(db, subject, key).await
    });
    match known.await? {
        None => Ok(None),
        Some(known) if known.fingerprint != fingerprint.0 => Err(Error::KeyReused),
        Some(Known { outcome: Err(rejection), .. }) => {
            Err(Error::Rejected { rejection, kind: Kind::Exchange, replayed: true })
        }
        Some(Known { outcome: Ok((deal, posted)), .. }) => Ok(Some(shown(&deal, posted))),
    }
}

/// What the customer gets, or why never anything under this key.
async fn judge(state: &State, subject: &Subject, to: AccountId, sold: Money) -> Result<Result<Deal, Rejection>, Error> {
    let refused = |reason, leg| Ok(Err(Rejection { reason, leg }));
    let account = storage::subject_transaction(&state.pool, "exchanges.account", subject.as_str(), async |db| {
        Ok::<_, Error>(accounts::store::find(db, subject, to).await?)
    });
    let Some(account) = account.await? else { return refused(Reason::NotFound, TO) };
    let target: Currency = account.money().currency();
    if target == sold.currency() {
        return refused(Reason::CurrencyMismatch, TO);
    }
    let rates = state.rates.latest().await?;
    let rate_date = state.rates.day(&rates, state.clock.unix())?;
    let Some(rate) = quote(&rates, sold.currency(), target)? else { return refused(Reason::NoRate, TO) };
    match sold.convert(rate, target, Rounding::Down) {
        Ok(bought) if bought.is_positive() => {
            let rate_source = state.rates.published_by().to_owned();
            Ok(Ok(Deal { sold, bought, rate, rate_date, rate_source }))
        }
        Ok(_) => refused(Reason::TooSmall, FROM),
        Err(MoneyError::Overflow) => refused(Reason::LimitExceeded, TO),
        Err(cause) => Err(Error::Broker(format!("the rate of {target}: {cause}"))),
    }
}

fn order(
    subject: &Subject,
    key: &IdempotencyKey,
    fingerprint: Fingerprint,
    request: &PostExchange,
    judged: &Result<Deal, Rejection>,
) -> Order {
    let (legs, extra) = match judged {
        Ok(deal) => (legs(request, deal), Extra::beside(deal.clone())),
        Err(rejection) => (Vec::new(), Extra::Refused(*rejection)),
    };
    Order {
        owner: subject.into(),
        key: key.clone(),
        fingerprint,
        command: Command { kind: Kind::Exchange, actor: Actor::Customer(subject.clone()), legs },
        reference: String::new(),
        counterparty: String::new(),
        extra,
    }
}

/// The first is the debited account ([`FROM`]), the last the credited one ([`TO`]).
fn legs(request: &PostExchange, deal: &Deal) -> Vec<Leg> {
    let fx = |money: Money| system_account(Purpose::Fx, money.currency());
    let leg = |account, minor, of: Money| Leg { account, amount: Money::new(minor, of.currency()) };
    // Both amounts are positive, so neither negation can overflow.
    let (sold, bought) = (deal.sold, deal.bought);
    vec![
        leg(request.from_account.into(), -sold.minor(), sold),
        leg(fx(sold), sold.minor(), sold),
        leg(fx(bought), -bought.minor(), bought),
        leg(request.to_account.into(), bought.minor(), bought),
    ]
}

/// Of what was asked. The rate is not part of it: it is ours.
fn fingerprint(request: &PostExchange, sold: Money) -> Fingerprint {
    Fingerprint::of(&[
        AccountId::from(request.from_account).as_bytes(),
        AccountId::from(request.to_account).as_bytes(),
        &sold.minor().to_be_bytes(),
        sold.currency().code().as_bytes(),
    ])
}

fn shown(deal: &Deal, posted: Posted) -> Exchange {
    Exchange {
        id: posted.id.into(),
        sequence: posted.sequence,
        sold: wire(deal.sold),
        bought: wire(deal.bought),
        rate: deal.rate.to_string(),
        rate_date: deal.rate_date.to_string(),
        rate_source: deal.rate_source.clone(),
        posted_at: time(posted.at),
    }
}
