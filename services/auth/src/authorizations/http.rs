//! `POST /par`.

use actix_web::web;
use defense::Public;
use schemars::JsonSchema;
use serde::Serialize;

use super::push::{LIFETIME, push};
use crate::client_auth;
use crate::forms::PushForm;
use crate::http::{ClientRequest, Protocol, protocol, protocol_request};
use crate::paths;
use crate::provider::Provider;

/// The name of a request for the browser to carry (RFC 9126 §2.2).
#[derive(Serialize, JsonSchema)]
pub struct PushedRequest {
    /// What the browser brings.
    #[schemars(extend("examples" = ["urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"]))]
    request_uri: String,
    /// Seconds within which it must.
    expires_in: i64,
}

/// Public: the client authenticates in the request itself.
pub async fn post_par(
    _: Public,
    provider: web::Data<Provider>,
    request: ClientRequest<PushForm>,
) -> Protocol<PushedRequest, 201> {
    let work = async {
        let request = protocol_request(&provider, paths::PAR, request).await?;
        let admitted = client_auth::admit(&provider, &request).await?;
        let pushed = push(&provider, &admitted, &request.parameters, request.now).await?;
        Ok(PushedRequest { request_uri: pushed.request_uri, expires_in: LIFETIME })
    };
    protocol(&provider, work).await
}
