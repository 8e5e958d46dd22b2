//! Where the authorization server's endpoints are.

use url::Url;

/// The authorization server's metadata (RFC 8414), as far as we use it.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) pushed_authorization_request_endpoint: Url,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
}
