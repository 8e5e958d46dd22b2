//! `/internal/v1/approvals`, for `auth`.

use actix_web::web;
use api::Id;
use api::approvals::{ApprovalQuery, PaymentShown};
use api::service::Auth;
use defense::Peer;

use super::store;
use crate::error::{Error, Resource};
use crate::state::State;

/// `GET /internal/v1/approvals/{id}`: what waits for the approval of this user; another's looks like none.
pub async fn get(
    _auth: Peer<Auth>,
    id: web::Path<Id>,
    query: web::Query<ApprovalQuery>,
    state: web::Data<State>,
) -> Result<web::Json<PaymentShown>, Error> {
    let id = id.into_inner().into();
    let row = storage::subject_transaction(&state.pool, "approvals.get", &query.subject, async |db| {
        store::open(db, id).await?.ok_or(Error::Missing(Resource::Approval))
    });
    Ok(web::Json(row.await?.wire()))
}
