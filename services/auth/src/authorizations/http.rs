//! `POST /par`.

use actix_web::{HttpRequest, HttpResponse, web};
use defense::Public;
use serde_json::json;

use super::push::{LIFETIME, push};
use crate::client_auth;
use crate::http::{protocol, protocol_request};
use crate::paths;
use crate::provider::Provider;

/// Public: the client authenticates in the request itself.
pub async fn post_par(
    _: Public,
    provider: web::Data<Provider>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let work = async {
        let request = protocol_request(&provider, paths::PAR, &request, payload).await?;
        let admitted = client_auth::admit(&provider, &request).await?;
        let pushed = push(&provider, &admitted, &request.parameters, request.now).await?;
        Ok(json!({ "request_uri": pushed.request_uri, "expires_in": LIFETIME }))
    };
    protocol(&provider, 201, work).await
}
