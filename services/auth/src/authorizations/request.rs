//! An authorization request, as far as it can be checked without memory.

use api::Id;
use serde::{Deserialize, Serialize};
use url::Url;

use super::details;
use crate::clients::Client;
use crate::error::{Invariant, Refusal, Why};
use crate::form::Parameters;
use crate::scopes;

/// The suite's longest `nonce` has 384 characters.
const MAX_NONCE: usize = 512;
/// `state` may be long (FAPI 2.0 conformance: 1000 characters); it is carried or refused cleanly.
const MAX_STATE: usize = 2048;

/// What a client has asked for, valid in itself and for this client. Stored while the person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Where the answer goes: one of the client's own.
    pub redirect_uri: String,
    /// Space-separated; each known and allowed to the client.
    pub scope: String,
    /// Returned as it came.
    pub state: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// PKCE, S256.
    pub code_challenge: String,
    /// `prompt=none`: answer without a page, which always means an error, because there is always a page.
    pub silent: bool,
    /// The payment that the person is asked to approve, instead of being asked for a consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Id>,
}

impl AuthorizationRequest {
    /// Checks the parameters of a pushed request (RFC 9126 §2.1, FAPI 2.0 §5.3.2.2, RFC 7636 §4.3).
    pub fn new(client: &Client, parameters: &Parameters) -> Result<Self, Refusal> {
        refuse_unsupported(parameters)?;
        if parameters.get("client_id") != Some(client.id.as_str()) {
            return Err(Why::ClientIdMissing.into());
        }
        if parameters.get("response_type") != Some("code") {
            return Err(Why::ResponseType.into());
        }
        let redirect_uri = parameters.get("redirect_uri").filter(|uri| client.may_redirect_to(uri));
        let redirect_uri = redirect_uri.ok_or(Why::RedirectUriUnregistered)?;
        let scope = scope(client, parameters)?;
        Ok(Self {
            redirect_uri: redirect_uri.to_owned(),
            payment: details::payment(client, parameters, &scope)?,
            scope,
            state: text(parameters, "state", MAX_STATE, "state is too long")?,
            nonce: text(parameters, "nonce", MAX_NONCE, "nonce is too long")?,
            code_challenge: code_challenge(parameters)?,
            silent: parameters.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|value| value == "none")),
        })
    }

    /// Where the answer goes. It was registered as an absolute URL, so it parses.
    pub fn destination(&self) -> Result<Url, Invariant> {
        Url::parse(&self.redirect_uri).map_err(|_| Invariant("a redirect URI that is no URL was accepted"))
    }
}

/// What would change the meaning of a request if it were ignored is refused.
fn refuse_unsupported(parameters: &Parameters) -> Result<(), Why> {
    if parameters.get("request_uri").is_some() {
        // RFC 9126 §2.1, item 1.
        return Err(Why::RequestUriPushed);
    }
    if parameters.get("request").is_some() {
        return Err(Why::RequestObject);
    }
    if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(Why::ResponseMode);
    }
    check_resource(parameters)
}

/// RFC 8707 §2: the one resource that tokens are for.
pub(crate) fn check_resource(parameters: &Parameters) -> Result<(), Why> {
    match parameters.get("resource") {
        Some(resource) if resource != api::service::LEDGER_RESOURCE => Err(Why::ResourceUnknown),
        _ => Ok(()),
    }
}

fn scope(client: &Client, parameters: &Parameters) -> Result<String, Why> {
    let requested: Vec<&str> = parameters.get("scope").into_iter().flat_map(scopes::split).collect();
    if requested.is_empty() {
        return Err(Why::ScopeMissing);
    }
    if !requested.iter().all(|scope| client.may_ask_for(scope)) {
        return Err(Why::ScopeNotAllowed);
    }
    Ok(scopes::fold(requested.into_iter()))
}

/// A challenge is the base64url of a SHA-256: 43 characters.
fn code_challenge(parameters: &Parameters) -> Result<String, Why> {
    // RFC 7636 §4.3: an absent method means `plain`.
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(Why::CodeChallengeMethod);
    }
    match parameters.get("code_challenge") {
        Some(challenge) if crypto::b64::decode(challenge).is_ok_and(|digest| digest.len() == 32) => {
            Ok(challenge.to_owned())
        }
        Some(_) => Err(Why::CodeChallengeMalformed),
        None => Err(Why::CodeChallengeMissing),
    }
}

fn text(
    parameters: &Parameters,
    name: &str,
    limit: usize,
    description: &'static str,
) -> Result<Option<String>, Refusal> {
    match parameters.get(name) {
        Some(value) if value.len() > limit => Err(Why::ParameterTooLong.with_description(description)),
        value => Ok(value.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clients::{Clients, tests::app};

    /// RFC 7636 appendix B.
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn outcome(changes: &[(&str, Option<&str>)]) -> Result<AuthorizationRequest, Refusal> {
        let mut form = BTreeMap::from([
            ("client_id", "redoubt-mobile"),
            ("response_type", "code"),
            ("redirect_uri", "https://app.redoubt.example/callback"),
            ("scope", "openid accounts:read"),
            ("state", "s1"),
            ("nonce", "n1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        for (name, value) in changes {
            match value {
                Some(value) => form.insert(name, value),
                None => form.remove(name),
            };
        }
        let body = serde_urlencoded::to_string(form).unwrap();
        let clients = Clients::new(&[app()]).unwrap();
        AuthorizationRequest::new(
            clients.get(&"redoubt-mobile".into()).unwrap(),
            &Parameters::parse(body.as_bytes()).unwrap(),
        )
    }

    #[test]
    fn a_good_request_is_taken_as_it_is() {
        let request = outcome(&[]).unwrap();
        assert_eq!(request.redirect_uri, "https://app.redoubt.example/callback");
        assert_eq!((request.scope.as_str(), request.code_challenge.as_str()), ("openid accounts:read", CHALLENGE));
        assert_eq!(
            (request.state.as_deref(), request.nonce.as_deref(), request.silent),
            (Some("s1"), Some("n1"), false)
        );
    }

    #[test]
    fn what_is_optional_may_be_absent_and_what_is_unknown_is_ignored() {
        let request =
            outcome(&[("state", None), ("nonce", None), ("display", Some("page")), ("ui_locales", Some("de"))]);
        assert_eq!(request.map(|request| (request.state, request.nonce)), Ok((None, None)));
        assert!(outcome(&[("nonce", Some(&"n".repeat(384)))]).is_ok());
        assert!(outcome(&[("state", Some(&"s".repeat(1024)))]).is_ok());
        assert!(outcome(&[("resource", Some("urn:redoubt:ledger")), ("response_mode", Some("query"))]).is_ok());
        assert!(outcome(&[("prompt", Some("none"))]).unwrap().silent);
    }

    #[test]
    fn each_parameter_is_checked() {
        type Case<'a> = (&'a str, Option<&'a str>, &'a str, &'a str);
        let long_state = "s".repeat(2049);
        let long_nonce = "n".repeat(513);
        let cases: [Case<'_>; 24] = [
            ("client_id", None, "invalid_request", "client_id_missing"),
            ("client_id", Some("partner-web"), "invalid_request", "client_id_missing"),
            ("response_type", None, "unsupported_response_type", "response_type"),
            ("response_type", Some("token"), "unsupported_response_type", "response_type"),
            ("response_type", Some("code id_token"), "unsupported_response_type", "response_type"),
            ("redirect_uri", None, "invalid_request", "redirect_uri_unregistered"),
            ("redirect_uri", Some("https://evil.test/callback"), "invalid_request", "redirect_uri_unregistered"),
            ("scope", None, "invalid_scope", "scope_missing"),
            ("scope", Some(" "), "invalid_scope", "scope_missing"),
            ("scope", Some("openid admin"), "invalid_scope", "scope_not_allowed"),
            ("scope", Some("openid payouts:write"), "invalid_scope", "scope_not_allowed"),
            ("code_challenge", None, "invalid_request", "code_challenge_missing"),
            ("code_challenge", Some("short"), "invalid_request", "code_challenge_malformed"),
            ("code_challenge_method", None, "invalid_request", "code_challenge_method"),
            ("code_challenge_method", Some("plain"), "invalid_request", "code_challenge_method"),
            ("request_uri", Some("urn:x"), "invalid_request", "request_uri_pushed"),
            ("request", Some("ey"), "request_not_supported", "request_object"),
            ("authorization_details", Some("[]"), "invalid_scope", "scope_with_payment"),
            ("response_mode", Some("fragment"), "invalid_request", "response_mode"),
            ("response_mode", Some("form_post"), "invalid_request", "response_mode"),
            ("resource", Some("urn:redoubt:broker"), "invalid_target", "resource_unknown"),
            ("state", Some(&long_state), "invalid_request", "parameter_too_long"),
            ("nonce", Some(&long_nonce), "invalid_request", "parameter_too_long"),
            (
                "code_challenge",
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="),
                "invalid_request",
                "code_challenge_malformed",
            ),
        ];
        for (name, value, error, reason) in cases {
            let refusal = outcome(&[(name, value)]).unwrap_err();
            assert_eq!((refusal.code.as_str(), refusal.reason), (error, reason), "{name}={value:?}");
        }
    }
}
