//! `/v1/payees`.

use actix_web::web;
use api::Id;
use api::page::PageQuery;
use api::payees::{Payee, PayeePage, PostSealedPayee};
use api::scope::{AccountsRead, PayoutsWrite};
use defense::{Answer, Caller, Created, IdempotencyKey};
use runtime::ApiJson;

use super::{add, list, remove, store, unseal};
use crate::error::{Error, Resource};
use crate::idempotent::Idempotent;
use crate::ids::Subject;
use crate::state::State;

/// `POST /v1/payees`.
pub async fn post(
    caller: Caller<PayoutsWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<PostSealedPayee>,
    state: web::Data<State>,
) -> Result<Created<Payee>, Error> {
    let request = unseal::unseal(&state.opening_keys, &caller, &key, request)?;
    let Idempotent { result, replayed } = add::add(&state, &Subject::from(&*caller), &key.into(), &request).await?;
    Ok(Created::new(result.wire(), replayed).made(|payee| payee.id))
}

/// `GET /v1/payees`.
pub async fn list(
    caller: Caller<AccountsRead>,
    query: web::Query<PageQuery>,
    state: web::Data<State>,
) -> Result<web::Json<PayeePage>, Error> {
    Ok(web::Json(list::list(&state, &Subject::from(&*caller), &query).await?))
}

/// `GET /v1/payees/{id}`: also one that is removed, for payouts went to it.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Payee>, Error> {
    let (owner, id) = (&Subject::from(&*caller), path.into_inner().into());
    let row = storage::subject_transaction(&state.pool, "payees.get", owner.as_str(), async |db| {
        store::find(db, owner, id).await?.ok_or(Error::Missing(Resource::Payee))
    })
    .await?;
    Ok(web::Json(row.wire()))
}

/// `POST /v1/payees/{id}/removal`. Asked again, it is the same.
pub async fn remove(
    caller: Caller<PayoutsWrite>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<Answer<Payee>, Error> {
    let Idempotent { result, replayed } =
        remove::remove(&state, &Subject::from(&*caller), path.into_inner().into()).await?;
    Ok(Answer::new(result.wire(), replayed))
}
