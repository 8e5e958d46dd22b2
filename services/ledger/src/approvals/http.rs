//! `/internal/v1/approvals`, for `auth`.

use actix_web::web;
use api::Id;
use api::approvals::{ApprovalQuery, PaymentShown};
use api::payees::NameCheck;
use api::service::Auth;
use defense::Peer;

use super::store;
use crate::error::{Error, Resource};
use crate::payees::store as payees;
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
        let open = store::open(db, id).await?.ok_or(Error::Missing(Resource::Approval))?;
        let Some((name, iban)) = open.payee() else { return Ok::<_, Error>((open, None)) };
        let payee = payees::find_named(db, name, iban).await?;
        // Default: of a payee who was removed meanwhile nothing is known any more, and nothing is paid to it.
        let check = payee.map_or(NameCheck::NotChecked, |payee| payee.name_check());
        Ok((open, Some(check)))
    });
    let (open, check) = row.await?;
    Ok(web::Json(open.wire(check)))
}
