//! `POST /token`.

use actix_web::web;
use defense::Public;

use super::{TokenResponse, exchange};
use crate::client_auth;
use crate::forms::TokenForm;
use crate::http::{ClientRequest, Protocol, protocol, protocol_request};
use crate::paths;
use crate::provider::Provider;

/// Public: the client authenticates in the request itself.
pub async fn post_token(
    _: Public,
    provider: web::Data<Provider>,
    request: ClientRequest<TokenForm>,
) -> Protocol<TokenResponse, 200> {
    let work = async {
        let place = provider.places.of(defense::address(&request.0.request));
        let request = protocol_request(&provider, paths::TOKEN, request).await?;
        let admitted = client_auth::admit(&provider, &request).await?;
        exchange(&provider, admitted, &request.parameters, place.as_ref(), request.now).await
    };
    protocol(&provider, work).await
}
