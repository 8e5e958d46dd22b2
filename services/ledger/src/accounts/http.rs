//! `/v1/accounts`.

use actix_web::web;
use api::Id;
use api::accounts::{Account, AccountPage, EntryPage, OpenAccount};
use api::page::PageQuery;
use api::scope::{AccountsRead, AccountsWrite};
use defense::{Caller, Created, IdempotencyKey};
use runtime::ApiJson;

use super::{list, open, statement, store};
use crate::error::{Error, Resource};
use crate::idempotent::Idempotent;
use crate::ids::Subject;
use crate::state::State;

/// `POST /v1/accounts`.
pub async fn post(
    caller: Caller<AccountsWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<OpenAccount>,
    state: web::Data<State>,
) -> Result<Created<Account>, Error> {
    let Idempotent { result, replayed } = open::open(&state, &Subject::from(&*caller), &key.into(), &request).await?;
    let account = result.wire();
    Ok(Created::new(account, replayed).made(|account| account.id))
}

/// `GET /v1/accounts`.
pub async fn list(
    caller: Caller<AccountsRead>,
    query: web::Query<PageQuery>,
    state: web::Data<State>,
) -> Result<web::Json<AccountPage>, Error> {
    Ok(web::Json(list::list(&state, &Subject::from(&*caller), &query).await?))
}

/// `GET /v1/accounts/{id}`.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Account>, Error> {
    let (owner, id) = (&Subject::from(&*caller), path.into_inner().into());
    let row = storage::subject_transaction(&state.pool, "accounts.get", owner.as_str(), async |db| {
        store::find(db, owner, id).await?.ok_or(Error::Missing(Resource::Account))
    })
    .await?;
    Ok(web::Json(row.wire()))
}

/// `GET /v1/accounts/{id}/entries`.
pub async fn entries(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    query: web::Query<PageQuery>,
    state: web::Data<State>,
) -> Result<web::Json<EntryPage>, Error> {
    Ok(web::Json(statement::page(&state, &Subject::from(&*caller), path.into_inner().into(), &query).await?))
}
