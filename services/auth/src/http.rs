//! Between actix and the slices: what a request says, and how an outcome is sent.
//!
//! Protocol endpoints answer JSON in OAuth's form (RFC 6749 §5.2), pages answer HTML; a refusal's record is written here, once.

mod described;

use std::future::Future;
use std::sync::Arc;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::HeaderMap;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use api::header as name;
use defense::KeyedApp;
use runtime::extract::BodyError;
use runtime::pages::{Refused, Sender, Words};
use runtime::{Record, Single};
use serde::Serialize;
use serde_json::json;

use crate::authorizations::{Handle, LIFETIME};
use crate::client_auth::ProtocolRequest;
use crate::dpop::Field;
use crate::error::{ErrorCode, PageRefusal, Refusal, Why};
use crate::form::{FormError, Parameters};
use crate::forms::Form;
use crate::pages::{self, OnwardPage};
use crate::provider::Provider;

pub(crate) use described::{
    Cached, ClientRequest, Opened, Page, Picture, Posted, Protocol, PublicKeys, Resource, Script, StyleSheet,
    Submitted, Visit,
};

/// A header field, if it is there exactly once.
pub(crate) fn field(headers: &HeaderMap, name: &str) -> Field {
    match Single::of(headers, name) {
        Single::Absent => Field::Absent,
        Single::One(value) => Field::One(value.to_owned()),
        Single::Ambiguous => Field::Ambiguous,
    }
}

/// Why a form could not be read, and in which words the client is told.
pub(crate) struct Unreadable(Why, &'static str);

impl Unreadable {
    const fn form(description: &'static str) -> Self {
        Self(Why::FormUnreadable, description)
    }
}

impl From<FormError> for Unreadable {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Duplicate => Self::form("a parameter appears more than once"),
            FormError::NotText => Self(Why::NotText, Why::NotText.row().description),
            FormError::TooLarge | FormError::MediaType => Self::form("the form is too large"),
        }
    }
}

impl From<BodyError> for Unreadable {
    fn from(error: BodyError) -> Self {
        Self(Why::Body(error), Why::Body(error).row().description)
    }
}

impl From<Unreadable> for Refusal {
    fn from(Unreadable(why, description): Unreadable) -> Self {
        why.with_description(description)
    }
}

impl From<Unreadable> for PageRefusal {
    fn from(Unreadable(why, _): Unreadable) -> Self {
        match why {
            Why::NotText => Self::NotText,
            Why::Body(error) => Self::Body(error),
            _ => Self::Form,
        }
    }
}

/// The parameters in a page's address.
pub(crate) fn query<F: Form>(request: &HttpRequest) -> Result<Parameters, PageRefusal> {
    Ok(Parameters::read::<F>(request.query_string().as_bytes()).map_err(Unreadable::from)?)
}

/// A request to a protocol endpoint.
pub(crate) async fn protocol_request<F: Form>(
    provider: &Provider,
    path: &'static str,
    ClientRequest(mut posted): ClientRequest<F>,
) -> Result<ProtocolRequest, Refusal> {
    let parameters = posted.parameters().await?;
    let headers = posted.request.headers();
    Ok(ProtocolRequest {
        path,
        dpop: field(headers, name::DPOP),
        attestation: field(headers, name::CLIENT_ATTESTATION),
        attestation_pop: field(headers, name::CLIENT_ATTESTATION_POP),
        authorization: field(headers, name::AUTHORIZATION),
        parameters,
        keyed_app: posted.request.extensions().get::<Arc<KeyedApp>>().cloned(),
        now: provider.clock.unix(),
    })
}

/// Sends the outcome of a protocol endpoint, always with a fresh nonce (RFC 9449 §8.2).
pub(crate) async fn protocol<T: Serialize, const STATUS: u16>(
    provider: &Provider,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Protocol<T, STATUS> {
    match work.await {
        Ok(body) => Protocol::answer(builder(provider, STATUS), &body),
        Err(refusal) => Protocol::refused(refused(provider, &refusal, refusal.status)),
    }
}

/// An answer in the making, with a nonce.
pub(crate) fn builder(provider: &Provider, status: u16) -> HttpResponseBuilder {
    let mut builder = HttpResponse::build(status_of(status));
    builder.insert_header((name::DPOP_NONCE, provider.proofs.nonce(provider.clock.unix())));
    builder
}

fn status_of(code: u16) -> StatusCode {
    // Default: a status that is none is a fault of ours, and that is what 500 says.
    StatusCode::from_u16(code).unwrap_or_else(|error| {
        tracing::error!(code, cause = %error, "no status");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

/// A refusal in OAuth's form; this writes its record.
pub(crate) fn refused(provider: &Provider, refusal: &Refusal, status: u16) -> HttpResponse {
    refusal.record().write();
    let mut builder = builder(provider, status);
    if refusal.code == ErrorCode::TemporarilyUnavailable {
        builder.insert_header((header::RETRY_AFTER, "1"));
    }
    builder.json(json!({ "error": refusal.code.as_str(), "error_description": refusal.description }))
}

/// Sends the outcome of a page; a refusal is recorded, and becomes a page on its way out ([`refusal_page`]).
pub(crate) async fn page(work: impl Future<Output = Result<HttpResponse, PageRefusal>>) -> Page {
    let refusal = match work.await {
        Ok(response) => return Page(response),
        Err(refusal) => refusal,
    };
    let row = refusal.row();
    Record::new(row.layer, row.reason).write();
    let mut builder = HttpResponse::build(status_of(row.status));
    if row.status == 503 {
        builder.insert_header((header::RETRY_AFTER, "1"));
    }
    let mut response = builder.finish();
    response.extensions_mut().insert(Words(row.description));
    Page(response)
}

/// How a refusal looks that people read, whoever refused.
pub(crate) fn refusal_page(refused: &Refused<'_>) -> HttpResponse {
    html_under(&pages::REFUSAL_POLICY, refused.status.as_u16(), &pages::refusal(refused))
}

/// A page under the policy of all pages but refusals and those with a captcha.
pub(crate) fn html(status: u16, body: &str) -> HttpResponse {
    html_under(pages::POLICY, status, body)
}

/// A page under this policy.
pub(crate) fn html_under(policy: &str, status: u16, body: &str) -> HttpResponse {
    runtime::pages::html(policy, status_of(status), body.to_owned())
}

/// What happens to a cookie of the browser's.
#[derive(Clone, Copy)]
pub(crate) enum SetCookie<'a> {
    /// It has this value from now on.
    Keep(&'a Handle, &'a str),
    Remove(&'a Handle),
}

impl SetCookie<'_> {
    fn build(self) -> Cookie<'static> {
        let (handle, value, seconds) = match self {
            Self::Keep(handle, value) => (handle, value, LIFETIME),
            Self::Remove(handle) => (handle, "", 0),
        };
        Cookie::build(handle.cookie_name(), value.to_owned())
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(actix_web::cookie::time::Duration::seconds(seconds))
            .finish()
    }
}

/// 303: the next request is a GET, and no form travels along (FAPI 2.0 §5.3.2.2, item 11).
pub(crate) fn see_other(location: &str, cookies: &[SetCookie<'_>]) -> HttpResponse {
    let mut builder = HttpResponse::SeeOther();
    builder.insert_header((header::LOCATION, location)).insert_header((header::REFERRER_POLICY, "no-referrer"));
    for cookie in cookies {
        builder.cookie(cookie.build());
    }
    builder.finish()
}

/// The end of an interaction: its cookie goes, and the browser goes on to the client by way of a page.
pub(crate) fn onward(page: &OnwardPage<'_>, handle: &Handle) -> Result<HttpResponse, PageRefusal> {
    with_cookie(html(200, &pages::render(page)?), SetCookie::Remove(handle))
}

/// A page with which a cookie changes.
pub(crate) fn with_cookie(mut page: HttpResponse, cookie: SetCookie<'_>) -> Result<HttpResponse, PageRefusal> {
    page.add_cookie(&cookie.build()).map_err(|error| PageRefusal::internal(&error))?;
    Ok(page)
}

/// Refuses a form that another site sent. Of what does not come from a browser the form's token decides alone.
pub(crate) fn from_our_page(provider: &Provider, headers: &HeaderMap) -> Result<(), PageRefusal> {
    if Sender::of(headers, provider.issuer()) == Sender::Foreign { Err(PageRefusal::Origin) } else { Ok(()) }
}
