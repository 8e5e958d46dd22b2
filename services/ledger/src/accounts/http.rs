//! `/v1/accounts`.

use actix_web::{HttpResponse, web};
use api::accounts::{Account, AccountList, EntryPage, EntryQuery, OpenAccount};
use api::scope::{AccountsRead, AccountsWrite};
use defense::{Caller, IdempotencyKey};
use runtime::{ApiJson, Problem};
use uuid::Uuid;

use super::{open, statement, store};
use crate::error::{Error, Resource};
use crate::http::created;
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
pub async fn list(caller: Caller<AccountsRead>, state: web::Data<State>) -> Result<web::Json<AccountList>, Problem> {
    let owner = caller.subject.as_str();
    let rows: Vec<_> = storage::subject_transaction(&state.pool, "accounts.list", owner, async |db| {
        Ok::<_, Error>(store::list(db, owner).await?)
    })
    .await?;
    let accounts = rows.into_iter().map(store::Account::wire).collect::<Result<_, _>>()?;
    Ok(web::Json(AccountList { accounts }))
}

/// `GET /v1/accounts/{id}`.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Uuid>,
    state: web::Data<State>,
) -> Result<web::Json<Account>, Problem> {
    let (owner, id) = (caller.subject.as_str(), path.into_inner());
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
    path: web::Path<Uuid>,
    query: web::Query<EntryQuery>,
    state: web::Data<State>,
) -> Result<web::Json<EntryPage>, Problem> {
    let page = statement::page(&state, &caller.subject, path.into_inner(), &query);
    Ok(web::Json(page.await.map_err(|error| error.told(&caller))?))
}
