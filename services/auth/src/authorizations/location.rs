//! The authorization response: what goes back to the client, through the browser (RFC 6749 §4.1.2).

use url::Url;

use super::request::AuthorizationRequest;
use crate::error::Invariant;

/// A success (RFC 6749 §4.1.2) or one of its errors (§4.1.2.1).
pub(super) enum AuthorizationResponse<'a> {
    Code(&'a str),
    /// The person said no.
    AccessDenied,
    /// It asked for no page, and there is always one (OpenID Connect Core §3.1.2.6).
    LoginRequired,
}

/// Where the browser goes: the client's own URI with `code` or `error`, `state`, and `iss` (RFC 9207).
pub(super) fn location(
    request: &AuthorizationRequest,
    issuer: &str,
    response: &AuthorizationResponse<'_>,
) -> Result<Url, Invariant> {
    let mut url = request.destination()?;
    {
        let mut query = url.query_pairs_mut();
        match response {
            AuthorizationResponse::Code(code) => query.append_pair("code", code),
            AuthorizationResponse::AccessDenied => query.append_pair("error", "access_denied"),
            AuthorizationResponse::LoginRequired => query.append_pair("error", "login_required"),
        };
        if let Some(state) = &request.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(redirect_uri: &str, state: Option<&str>) -> AuthorizationRequest {
        AuthorizationRequest {
            redirect_uri: redirect_uri.into(),
            scope: "openid".into(),
            state: state.map(str::to_owned),
            nonce: None,
            code_challenge: String::new(),
            silent: false,
            payment: None,
        }
    }

    #[test]
    fn code_state_and_issuer_go_back() {
        let url = location(
            &request("https://app.test/cb", Some("a&b=c")),
            "https://auth.test",
            &AuthorizationResponse::Code("x"),
        );
        assert_eq!(url.unwrap().as_str(), "https://app.test/cb?code=x&state=a%26b%3Dc&iss=https%3A%2F%2Fauth.test");
    }

    #[test]
    fn a_registered_query_stays_and_an_absent_state_stays_absent() {
        let url = location(
            &request("https://app.test/cb?tenant=1", None),
            "https://auth.test",
            &AuthorizationResponse::AccessDenied,
        );
        let expected = "https://app.test/cb?tenant=1&error=access_denied&iss=https%3A%2F%2Fauth.test";
        assert_eq!(url.unwrap().as_str(), expected);
    }
}
