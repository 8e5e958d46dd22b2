//! `/authorize`.

use actix_web::{HttpRequest, HttpResponse, web};
use defense::Public;
use runtime::Cookies;

use crate::authorizations::{Begun, Handle, begin};
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::forms::AuthorizeForm;
use crate::http::{Page, Posted, SetCookie, Visit, page, query, see_other};
use crate::paths;
use crate::provider::Provider;

/// Public: the request was pushed by an authenticated client, and the person has yet to log in.
pub async fn get_authorize(_: Public, provider: web::Data<Provider>, visit: Visit<AuthorizeForm>) -> Page {
    page(async { answer(&provider, &visit.request, &query::<AuthorizeForm>(&visit.request)?).await }).await
}

/// Public: as with GET (OpenID Connect Core §3.1.2.1 wants both).
pub async fn post_authorize(_: Public, provider: web::Data<Provider>, mut posted: Posted<AuthorizeForm>) -> Page {
    page(async {
        let parameters = posted.parameters().await?;
        answer(&provider, &posted.request, &parameters).await
    })
    .await
}

/// Only `client_id` and `request_uri` count; whatever else is in the URL was not pushed (RFC 9126 §4).
async fn answer(
    provider: &Provider,
    request: &HttpRequest,
    parameters: &Parameters,
) -> Result<HttpResponse, PageRefusal> {
    let (Some(client_id), Some(request_uri)) = (parameters.get("client_id"), parameters.get("request_uri")) else {
        return Err(PageRefusal::Request);
    };
    let too_many = Handle::too_many(&Cookies::of(request)?);
    Ok(match begin(provider, &client_id.into(), request_uri, provider.clock.unix()).await? {
        Begun::Interaction(cookie) => {
            let handle = Handle::mint();
            let mut cookies: Vec<_> = too_many.iter().map(SetCookie::Remove).collect();
            cookies.push(SetCookie::Keep(&handle, &cookie));
            see_other(&handle.page(paths::LOGIN), &cookies)
        }
        Begun::Redirect(url) => see_other(url.as_str(), &[]),
    })
}
