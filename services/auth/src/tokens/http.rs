//! `POST /token`.

use actix_web::{HttpRequest, HttpResponse, web};
use defense::Public;

use super::exchange;
use crate::client_auth;
use crate::http::{protocol, protocol_request};
use crate::paths;
use crate::provider::Provider;

/// Public: the client authenticates in the request itself.
pub async fn post_token(
    _: Public,
    provider: web::Data<Provider>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let work = async {
        let request = protocol_request(&provider, paths::TOKEN, &request, payload).await?;
        let admitted = client_auth::admit(&provider, &request).await?;
        exchange(&provider, admitted, &request.parameters, request.now).await
    };
    protocol(&provider, 200, work).await
}
