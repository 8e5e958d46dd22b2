//! `PUT` and `GET /internal/v1/notes/{id}`, for the operator.

use actix_web::web;
use api::Id;
use api::__name__::{NewNote, Note};
use api::service::{Operator, Workload as _};
use defense::Peer;
use runtime::ApiJson;

use super::read::read;
use super::write::write;
use crate::error::Error;
use crate::state::State;

pub(crate) async fn put(
    _operator: Peer<Operator>,
    id: web::Path<Id>,
    ApiJson(new): ApiJson<NewNote>,
    state: web::Data<State>,
) -> Result<web::Json<Note>, Error> {
    let note = write(&state, id.into_inner().into(), &new.text, Operator::NAME).await?;
    Ok(web::Json(note.wire()))
}

pub(crate) async fn get(
    _operator: Peer<Operator>,
    id: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Note>, Error> {
    Ok(web::Json(read(&state, id.into_inner().into()).await?.wire()))
}
