//! `/desk`, for analysts.

use actix_web::body::BoxBody;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use api::Id;
use api::behavior::{About, Label, NewLabel};
use api::page::{DEFAULT_LIMIT, MAX_LIMIT, PageQuery};
use api::service::{Analyst, Workload as _};
use defense::Peer;
use runtime::contract::{Described, Operation};
use runtime::pages::{Refused, html};
use runtime::{OwnForm, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{pages, store};
use crate::decisions::read;
use crate::dry_run::store as dry_run;
use crate::error::Error;
use crate::ids::DecisionId;
use crate::labels::label;
use crate::state::State;

/// A word on a case, as its buttons say it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Word {
    /// What it was.
    label: Label,
}

/// A page.
pub(crate) struct Page(String);

impl Responder for Page {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        html(&pages::POLICY, StatusCode::OK, self.0)
    }
}

impl Described for Page {
    fn describe(operation: &mut Operation) {
        operation.answers_text(200, "text/html");
    }
}

/// On to a page, by GET: to load it again says nothing again.
pub(crate) struct SeeOther(String);

impl Responder for SeeOther {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::SeeOther().insert_header((header::LOCATION, self.0)).finish()
    }
}

impl Described for SeeOther {
    fn describe(operation: &mut Operation) {
        operation.answers_nothing(303);
        operation.answers_header(303, "Location", "The case, at what was said of it.");
    }
}

pub(crate) async fn alerts(
    _: Peer<Analyst>,
    query: web::Query<PageQuery>,
    state: web::Data<State>,
) -> Result<Page, Error> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT); // Default: a page of the usual length.
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::Invalid { field: "limit", says: "is not between 1 and 100" });
    }
    let after = query.after.as_deref().map(str::parse::<Id>).transpose();
    let after: Option<DecisionId> =
        after.map_err(|_| Error::Invalid { field: "after", says: "is not a cursor of this list" })?.map(Into::into);
    // One more than fits tells whether there is a next page.
    let mut alerts = store::alerts(&state.pool, after, i64::from(limit) + 1).await?;
    let more = alerts.len() > limit as usize;
    alerts.truncate(limit as usize);
    let older = alerts.last().filter(|_| more).map(|last| format!("/desk?limit={limit}&after={}", last.id));
    Ok(Page(pages::alerts(alerts, after.is_some(), older)?))
}

pub(crate) async fn case(_: Peer<Analyst>, id: web::Path<Id>, state: web::Data<State>) -> Result<Page, Error> {
    let id: DecisionId = id.into_inner().into();
    let found = read(&state.pool, id).await?.ok_or(Error::DecisionUnknown)?;
    let paid = found.decision.paid;
    let around = store::around(&state.pool, paid.user, paid.at, id).await?;
    let door = store::door(&state.pool, paid.user, paid.at).await?;
    let said = store::words(&state.pool, id.into()).await?;
    Ok(Page(pages::case(found, said, &around, &door)?))
}

/// Payments among which is counted how often both say the same.
const COUNTED: i32 = 10_000;
/// Payments that are listed on which they differ.
const LISTED: i64 = 50;

pub(crate) async fn dry_run(_: Peer<Analyst>, state: web::Data<State>) -> Result<Page, Error> {
    let Some(tried) = &state.dry_run else { return Ok(Page(pages::no_dry_run()?)) };
    let (model, rules) = tried.names();
    let counts = dry_run::counts(&state.pool, model, rules, COUNTED).await?;
    let differing = dry_run::differing(&state.pool, model, rules, LISTED).await?;
    Ok(Page(pages::dry_run(state.bench.names(), tried.names(), &counts, differing)?))
}

pub(crate) async fn say(
    _: Peer<Analyst>,
    id: web::Path<Id>,
    OwnForm(word): OwnForm<Word>,
    state: web::Data<State>,
) -> Result<SeeOther, Error> {
    let id = id.into_inner();
    let said = NewLabel { about: About::Decision, id, label: word.label };
    label(&state, &said, Analyst::NAME).await?;
    Ok(SeeOther(format!("/desk/cases/{id}#word")))
}

/// The page of a refusal, whoever refused.
pub(crate) fn refusal(refused: &Refused<'_>) -> HttpResponse {
    html(&pages::POLICY, refused.status, pages::refusal(refused))
}
