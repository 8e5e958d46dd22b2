//! `/v1/payouts`, and what the partner says of them.

use actix_web::web;
use api::Id;
use api::internal::PayoutEvent;
use api::payouts::{Payout, PostPayout};
use api::scope::{AccountsRead, PayoutsWrite};
use api::service::{Broker, Operator};
use defense::{Answer, Caller, Created, IdempotencyKey, Notes, Peer};
use runtime::ApiJson;

use super::history::Word;
use super::read::read;
use super::{cancel, events, order};
use crate::deposits::post::event_id;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::Subject;
use crate::state::State;

/// `POST /v1/payouts`.
pub async fn post(
    caller: Caller<PayoutsWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<PostPayout>,
    notes: Notes,
    state: web::Data<State>,
) -> Result<Created<Payout>, Error> {
    let Idempotent { result, replayed } = order::order(&state, &caller, &notes, &key.into(), request).await?;
    Ok(Created::new(result, replayed).made(|payout| payout.id))
}

/// `GET /v1/payouts/{id}`.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Payout>, Error> {
    let row = read(&state, &Subject::from(&*caller), path.into_inner().into()).await?;
    Ok(web::Json(row.wire()?))
}

/// `POST /v1/payouts/{id}/cancellation`: the payer takes back what is held. Asked again, it is the same.
pub async fn cancel(
    caller: Caller<PayoutsWrite>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<Answer<Payout>, Error> {
    let owner = Subject::from(&*caller);
    let Idempotent { result, replayed } = cancel::cancel(&state, &owner, path.into_inner().into()).await?;
    Ok(Answer::new(result, replayed))
}

/// `POST /internal/v1/payouts/{id}/withdrawal`: an operator takes back what nobody has begun to send.
pub async fn withdraw(
    _operator: Peer<Operator>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<Answer<Payout>, Error> {
    let Idempotent { result, replayed } = cancel::withdraw(&state, path.into_inner().into()).await?;
    Ok(Answer::new(result, replayed))
}

/// `POST /internal/v1/payout-events`.
pub async fn post_event(
    _broker: Peer<Broker>,
    ApiJson(event): ApiJson<PayoutEvent>,
    state: web::Data<State>,
) -> Result<Answer<Payout>, Error> {
    event_id(&event.event_id)?;
    let Idempotent { result, replayed } =
        events::apply(&state, &event.provider, event.payout_id.into(), event.status, Word::Event).await?;
    Ok(Answer::new(result.wire()?, replayed))
}
