//! `/internal/v1/stops`, for the operator.

use actix_web::web;
use api::Id;
use api::internal::{EndStop, NewStop, Stop, StopPage, StopsQuery};
use api::page::PageQuery;
use api::service::{Operator, Workload as _};
use api::text::REFERENCE;
use defense::{Answer, Created, Peer};
use runtime::ApiJson;
use storage::{StorageError, transaction};

use super::store::{self, Row};
use crate::error::{Error, Resource};
use crate::ids::{StopId, Subject};
use crate::input;
use crate::page::PageRequest;
use crate::state::State;

/// `GET /internal/v1/stops`.
pub async fn list(
    _operator: Peer<Operator>,
    query: web::Query<StopsQuery>,
    state: web::Data<State>,
) -> Result<web::Json<StopPage>, Error> {
    let wanted = PageRequest::read(&PageQuery { limit: query.limit, after: query.after.clone() })?;
    let mut db = storage::connection(&state.poster).await?;
    // Default: after the nil id: the first page.
    let after = StopId::from_bytes(wanted.after.unwrap_or_default());
    let mut rows = store::list(&mut db, query.state, after, wanted.rows()).await?;
    let next = wanted.cut(&mut rows, |row| *row.id.as_bytes());
    Ok(web::Json(StopPage { stops: rows.into_iter().map(Row::wire).collect(), next }))
}

/// `POST /internal/v1/stops`.
pub async fn begin(
    _operator: Peer<Operator>,
    ApiJson(request): ApiJson<NewStop>,
    state: web::Data<State>,
) -> Result<Created<Stop>, Error> {
    let reason = input::text("reason", &request.reason, 1, REFERENCE)?;
    let customer = Subject::of(&request.customer);
    let id = StopId::from(storage::ids::new(state.clock.unix_millis()));
    let (row, replayed) = transaction(&state.poster, "stops.begin", async |db| {
        if !store::is_customer(db, &customer).await? {
            return Ok::<_, StorageError>(None);
        }
        // One that another operator has begun in the same moment is the one that holds.
        let begun = store::begin(db, id, &customer, reason, Operator::NAME).await?;
        let replayed = begun.is_none();
        let row = if replayed { store::open(db, &customer).await? } else { begun };
        Ok(Some((row, replayed)))
    })
    .await?
    .ok_or(Error::Missing(Resource::Customer))?;
    let row = row.ok_or(Error::Invariant("a stop was there and is not"))?;
    runtime::audit!("stop", outcome = "begun", peer = Operator::NAME, stop = %row.id, subject = %customer, replayed);
    Ok(Created::new(row.wire(), replayed).made(|stop| stop.id))
}

/// `POST /internal/v1/stops/{id}/end`. Asked again, it is the same.
pub async fn end(
    _operator: Peer<Operator>,
    path: web::Path<Id>,
    ApiJson(request): ApiJson<EndStop>,
    state: web::Data<State>,
) -> Result<Answer<Stop>, Error> {
    let (id, reason) = (StopId::from(path.into_inner()), input::text("reason", &request.reason, 1, REFERENCE)?);
    let ended = transaction(&state.poster, "stops.end", async |db| {
        let ended = store::end(db, id, reason, Operator::NAME).await?;
        let replayed = ended.is_none();
        Ok::<_, StorageError>((if replayed { store::find(db, id).await? } else { ended }, replayed))
    });
    let (row, replayed) = ended.await?;
    let row = row.ok_or(Error::Missing(Resource::Stop))?;
    runtime::audit!("stop", outcome = "ended", peer = Operator::NAME, stop = %row.id, replayed);
    state.payouts.notify_one();
    Ok(Answer::new(row.wire(), replayed))
}
