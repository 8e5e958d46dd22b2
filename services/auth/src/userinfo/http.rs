//! `/userinfo`, by GET and POST (OpenID Connect Core §5.3.1).

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, web};
use defense::Public;

use super::{ResourceRequest, userinfo};
use crate::error::{ErrorCode, Refusal};
use crate::http::{Opened, Resource, builder, field, refused};
use crate::paths;
use crate::people::Released;
use crate::provider::Provider;

/// Public in the table of routes: any client's user may ask, attested or not, so the token layers of the APIs do not fit;
/// the access token and its proof are checked by [`userinfo`].
pub async fn userinfo_endpoint(
    _: Public,
    provider: web::Data<Provider>,
    Opened(request): Opened,
) -> Resource<Released> {
    let request = ResourceRequest {
        method: request.method().as_str().to_owned(),
        path: paths::USERINFO,
        authorization: field(request.headers(), api::header::AUTHORIZATION),
        dpop: field(request.headers(), api::header::DPOP),
        now: provider.clock.unix(),
    };
    match userinfo(&provider, &request).await {
        Ok(released) => Resource::opened(builder(&provider, 200), &released),
        Err(refusal) => Resource::refused(challenge(&provider, &refusal)),
    }
}

/// RFC 9449 §7.1: at a resource every proof problem is a 401, and says how to do better.
fn challenge(provider: &Provider, refusal: &Refusal) -> HttpResponse {
    let status = match refusal.code {
        ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce => 401,
        _ => refusal.status,
    };
    let Ok(value) = HeaderValue::try_from(format!("DPoP error=\"{}\", algs=\"ES256\"", refusal.code.as_str())) else {
        return refused(provider, &Refusal::internal(&"an error code that no header can hold"), 500);
    };
    let mut response = refused(provider, refusal, status);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    response
}
