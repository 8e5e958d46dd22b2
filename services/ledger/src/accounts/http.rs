//! `/v1/accounts`.

use actix_web::{HttpResponse, web};
use api::Id;
use api::accounts::{Account, AccountPage, EntryPage, OpenAccount};
use api::page::PageQuery;
use api::scope::{AccountsRead, AccountsWrite};
use defense::{Caller, IdempotencyKey, created};
use runtime::{ApiJson, Problem};

use super::{list, open, statement, store};
use crate::error::{Error, Resource};
use crate::state::State;

/// `POST /v1/accounts`.
pub async fn post(
    caller: Caller<AccountsWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<OpenAccount>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (account, replayed) =
        open::open(&state, &caller.subject, key.as_str(), &request).await.map_err(|error| error.told(&caller))?;
    Ok(created(&account.wire()?, replayed))
}

/// `GET /v1/accounts`.
pub async fn list(
    caller: Caller<AccountsRead>,
    query: web::Query<PageQuery>,
    state: web::Data<State>,
) -> Result<web::Json<AccountPage>, Problem> {
    Ok(web::Json(list::list(&state, &caller.subject, &query).await.map_err(|error| error.told(&caller))?))
}

/// `GET /v1/accounts/{id}`.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Account>, Problem> {
    let (owner, id) = (caller.subject.as_str(), path.uuid());
    let row = storage::subject_transaction(&state.pool, "accounts.get", owner, async |db| {
        store::find(db, owner, id).await?.ok_or(Error::Missing(Resource::Account))
    })
    .await
    .map_err(|error| error.told(&caller))?;
    Ok(web::Json(row.wire()?))
}

/// `GET /v1/accounts/{id}/entries`.
pub async fn entries(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    query: web::Query<PageQuery>,
    state: web::Data<State>,
) -> Result<web::Json<EntryPage>, Problem> {
    let page = statement::page(&state, &caller.subject, path.uuid(), &query);
    Ok(web::Json(page.await.map_err(|error| error.told(&caller))?))
}
