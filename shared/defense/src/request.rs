//! A request as the layers see it: the head, and the body as it was received.

use std::net::IpAddr;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use identity::message_signature::COVERED_HEADERS;
use runtime::{PeerId, RequestId, Single};

use crate::Access;
use crate::policy::Class;

/// A request. The body is what came over the wire, never re-serialized: digests are of these bytes.
pub struct Inbound {
    /// Upper-case method.
    pub method: String,
    /// The authority under which the world reaches this API: from the configuration, never from `Host`, so that a
    /// request signed for another host is refused (ATTACKS 66).
    pub authority: String,
    /// The class of routes that it is for.
    pub class: &'static Class,
    /// What the route demands.
    pub access: Access,
    /// The address at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// The workload at the other end, by its certificate.
    pub workload: Option<String>,
    /// The scheme of a target that is a whole URL, in lower case.
    pub target_scheme: Option<String>,
    /// The authority of a target that is a whole URL.
    pub target_authority: Option<String>,
    /// The server's name for it.
    pub id: Option<RequestId>,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without `?`.
    pub query: Option<String>,
    /// All header fields.
    pub headers: HeaderMap,
    /// The body; empty for layers that need the head only.
    pub body: Bytes,
    /// Unix seconds: for the layers that need the head, when the head had arrived; for all others, and for the answer's signature, when the
    /// body had. It may take ten seconds to come, and meanwhile a key is withdrawn, or a token ends.
    pub now: i64,
}

impl Inbound {
    /// Takes the head from actix.
    pub fn new(request: &ServiceRequest, authority: &str, class: &'static Class, access: Access, now: i64) -> Self {
        let uri = request.uri();
        Self {
            method: request.method().as_str().to_owned(),
            authority: authority.to_owned(),
            class,
            access,
            peer: request.peer_addr().map(|peer| peer.ip()),
            workload: request.extensions().get::<PeerId>().map(|peer| peer.name().to_owned()),
            target_scheme: uri.scheme_str().map(str::to_ascii_lowercase),
            target_authority: uri.authority().map(|authority| authority.as_str().to_owned()),
            id: request.extensions().get::<RequestId>().cloned(),
            path: uri.path().to_owned(),
            query: uri.query().map(str::to_owned),
            headers: request.headers().clone(),
            body: Bytes::new(),
            now,
        }
    }

    /// Every occurrence of the headers that a message signature covers; `None` when one of them is not text.
    pub fn covered_headers(&self) -> Option<Vec<(&'static str, &str)>> {
        COVERED_HEADERS
            .into_iter()
            .flat_map(|name| self.headers.get_all(name).map(move |value| value.to_str().ok().map(|text| (name, text))))
            .collect()
    }

    /// The only value of a header field, or `None` when it is absent, repeated or not visible ASCII.
    pub fn single(&self, name: &str) -> Option<&str> {
        Single::of(&self.headers, name).one()
    }
}
