//! `/v1/payouts`, and what the partner says of them.

use actix_web::web;
use api::Id;
use api::internal::PayoutEvent;
use api::payouts::{Payout, PostSealedPayout};
use api::scope::{AccountsRead, PayoutsWrite};
use api::service::Broker;
use defense::{Answer, Caller, Created, IdempotencyKey, Notes, Peer};
use runtime::ApiJson;

use super::history::Word;
use super::{events, order, store, unseal};
use crate::deposits::post::event_id;
use crate::error::{Error, Resource};
use crate::idempotent::Idempotent;
use crate::ids::Subject;
use crate::state::State;

/// `POST /v1/payouts`.
pub async fn post(
    caller: Caller<PayoutsWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<PostSealedPayout>,
    notes: Notes,
    state: web::Data<State>,
) -> Result<Created<Payout>, Error> {
    let request = unseal::unseal(&state.opening_keys, &caller, &key, request)?;
    let Idempotent { result, replayed } = order::order(&state, &caller, &notes, &key.into(), request).await?;
    Ok(Created::new(result, replayed).made(|payout| payout.id))
}

/// `GET /v1/payouts/{id}`.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Payout>, Error> {
    let (owner, id) = (&Subject::from(&*caller), path.into_inner().into());
    let row = storage::subject_transaction(&state.pool, "payouts.get", owner.as_str(), async |db| {
        store::find(db, owner, id).await?.ok_or(Error::Missing(Resource::Payout))
    })
    .await?;
    Ok(web::Json(row.wire()?))
}

/// `POST /v1/payouts/{id}/cancellation`: the payer takes back what is held. Asked again, it is the same.
pub async fn cancel(
    caller: Caller<PayoutsWrite>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<Answer<Payout>, Error> {
    let (owner, id) = (&Subject::from(&*caller), path.into_inner().into());
    let read = async || {
        storage::subject_transaction(&state.pool, "payouts.get", owner.as_str(), async |db| {
            store::find(db, owner, id).await?.ok_or(Error::Missing(Resource::Payout))
        })
        .await
    };
    let before = read().await?;
    let mut replayed = before.payout.is_cancelled();
    if !replayed {
        // Looked at before it is queued: what cannot be taken back takes nobody else's posting with it. The database decides all the same.
        if !before.held {
            return Err(Error::NotHeld);
        }
        replayed = events::cancel(&state, &before.payout).await?;
        if !replayed {
            runtime::audit!("payout", outcome = "cancelled", payout = %before.payout.id);
        }
    }
    let after = read().await?;
    if !after.payout.is_cancelled() {
        return Err(Error::NotHeld);
    }
    Ok(Answer::new(after.wire()?, replayed))
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
