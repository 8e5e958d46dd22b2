//! A request as the layers see it: the head, and the body as it was received.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;

/// A buffered request. The body is what came over the wire, never re-serialized: digests are of these bytes.
pub struct Inbound {
    /// Upper-case method.
    pub method: String,
    /// `Host` in lower case, with its port when it is not the scheme's own.
    pub authority: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without `?`; empty when there is none.
    pub query: String,
    /// All header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Unix seconds when it arrived; every layer uses this one time.
    pub now: i64,
}

impl Inbound {
    /// Takes the head from actix.
    pub fn new(request: &ServiceRequest, body: Bytes, now: i64) -> Self {
        let uri = request.uri();
        let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let authority = host.to_ascii_lowercase();
        Self {
            method: request.method().as_str().to_owned(),
            authority: authority.strip_suffix(":443").unwrap_or(&authority).to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
            body,
            now,
        }
    }

    /// The only value of a header field, or `None` when it is absent, repeated or not visible ASCII.
    ///
    /// A security header that comes twice is as good as none: two readers could pick different ones.
    pub fn single(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let first = values.next()?;
        if values.next().is_some() {
            return None;
        }
        first.to_str().ok()
    }
}
