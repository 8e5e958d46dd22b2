//! A proxy on this machine that takes plain requests and sends each as a phone does: with tokens, a proof with the server's nonce and a signature over all of
//! it. For clients that cannot hold a phone's keys, such as a fuzzer or a generated client.
//!
//! What no phone can send, such as a header that is no text, it does not send.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use anyhow::Result;
use reqwest::Method;

use crate::authority::{Plain, SyntheticPhone};
use crate::server::{Configure, Server};

/// Bytes of a body: more than any service takes, so that it is the service that says so.
const MOST: usize = 1024 * 1024;

/// The proxy; it ends with its test.
pub struct SigningProxy(Server);

impl SigningProxy {
    /// Starts it before the service at `target` (`https://host:port`), for the user of this phone.
    pub async fn start(phone: SyntheticPhone, target: &str) -> Result<Self> {
        let to = Arc::new((phone, target.to_owned()));
        let routes: Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let to = Arc::clone(&to);
            let forward = move |request: HttpRequest, body: web::Bytes| {
                let to = Arc::clone(&to);
                async move { forward(&to.0, &to.1, &request, &body).await }
            };
            config.app_data(web::PayloadConfig::new(MOST)).default_service(web::route().to(forward));
        });
        Ok(Self(Server::in_the_clear(routes).await?))
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }
}

async fn forward(phone: &SyntheticPhone, target: &str, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let Ok(method) = Method::from_bytes(request.method().as_str().as_bytes()) else {
        return HttpResponse::NotImplemented().finish();
    };
    let text = |name: &str| text(request.headers(), name);
    let (content_type, key) = (text("content-type"), text(api::header::IDEMPOTENCY_KEY));
    let plain = Plain { method, url: format!("{target}{}", request.uri()), content_type, key, body: body.to_vec() };
    let Some(answer) = phone.forward(plain).await else { return HttpResponse::BadGateway().finish() };
    // Default: a status that the server has sent is one.
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        // The length is that of the bytes below.
        if name != "content-length" && name != "connection" {
            response.append_header((name.as_str(), value.as_bytes()));
        }
    }
    response.body(answer.body)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
