//! *Who* calls: authorization code with PKCE in the system browser (RFC 8252), by the FAPI 2 profile for an attested app.
//!
//! The request is pushed (RFC 9126) with the client attestation and a `DPoP` proof, so the browser carries nothing but a
//! reference. What comes back is believed only with our `state` and our issuer's `iss` (RFC 9207). The refresh token is
//! bound to the device key, so it lives in secure storage and is useless elsewhere; the access token lives in memory.

use std::sync::Arc;

use crypto::hash::{constant_time_eq, sha256};
use crypto::{SecretString, b64, random};
use serde::Deserialize;
use url::Url;

use crate::Error;
use crate::client::Client;
use crate::instances::Held;
use crate::metadata::Metadata;
use crate::platform::{KeySlot, PlatformError};
use crate::reenroll::Refusal;
use crate::tokens::{Tokens, refresh_token_of};
use crate::trace::Trace;
use crate::transport::RawResponse;

/// Renew this long before the access token ends, in seconds.
const MARGIN: i64 = 30;

/// What is asked of the authorization server in the browser, and what only we know about it.
pub(crate) struct Attempt {
    scope: String,
    /// The one payment to approve, as `authorization_details` (RFC 9396 §2).
    details: Option<String>,
    state: String,
    nonce: String,
    verifier: SecretString,
}

impl Attempt {
    /// A new one for these scopes, and for this payment if there is one.
    pub(crate) fn new(scope: String, details: Option<String>) -> Self {
        let (state, nonce, verifier) = (random::token(32), random::token(32), random::token(32).into());
        Self { scope, details, state, nonce, verifier }
    }
}

#[derive(Deserialize)]
pub(crate) struct Pushed {
    request_uri: String,
}

#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    access_token: SecretString,
    token_type: String,
    expires_in: u32,
    refresh_token: Option<SecretString>,
    id_token: Option<String>,
}

/// `aud` is one string or an array (OpenID Connect Core §2).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// For us and for nobody else.
    fn is_only(&self, client_id: &str) -> bool {
        match self {
            Self::One(audience) => audience == client_id,
            Self::Many(audiences) => matches!(audiences.as_slice(), [audience] if audience == client_id),
        }
    }
}

#[derive(Deserialize)]
struct IdTokenClaims {
    iss: String,
    aud: Audience,
    exp: i64,
    nonce: Option<String>,
}

impl Client {
    /// Logs a person in through the system browser; under the new instance, if the phone has enrolled anew and a server accepts it, which
    /// then takes the place of the former one.
    pub async fn login(&self) -> Result<(), Error> {
        let trace = Trace::start();
        self.record("login", &trace, Box::pin(self.login_in(&trace))).await
    }

    /// Forgets the tokens on this phone. (They are bound to the device key and end by themselves.)
    pub async fn logout(&self) -> Result<(), Error> {
        // Storage first: memory may have to wait for a refresh, and an app that is killed meanwhile is logged out.
        {
            let _guard = self.vault.guard.lock().await;
            for slot in KeySlot::ALL {
                self.platform.store.remove(refresh_token_of(slot)).await?;
            }
            self.vault.next_login();
        }
        self.approvals.end_all();
        self.tokens.set(None).await;
        Ok(())
    }

    async fn login_in(&self, trace: &Trace) -> Result<(), Error> {
        let _under_way = self.logins.read().await;
        let metadata = self.metadata(trace).await?;
        let attempt = Attempt::new(self.config.scope.clone(), None);
        let (held, pushed) = self.push_as_accepted(trace, metadata, &attempt).await?;
        let mut answer = self.redeem(trace, &held, metadata, &attempt, &pushed).await?;
        self.check_id_token(answer.id_token.as_deref(), metadata, &attempt.nonce)?;
        let login = self.adopt(&held.instance, answer.refresh_token.take()).await?;
        self.tokens.set(Some(self.tokens(&held, answer, login))).await;
        self.sweep().await;
        Ok(())
    }

    /// Sends the person to the browser with what was pushed, and gets the tokens for what comes back.
    pub(crate) async fn redeem(
        &self,
        trace: &Trace,
        held: &Held,
        metadata: &Metadata,
        attempt: &Attempt,
        pushed: &Pushed,
    ) -> Result<TokenAnswer, Error> {
        let mut url = metadata.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("request_uri", &pushed.request_uri);
        let back = self.platform.browser.authorize(&url, &self.config.redirect_uri).await?;
        let code = self.code(&back, metadata, attempt)?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", self.config.redirect_uri.as_str()),
            ("client_id", &self.config.client_id),
            ("code_verifier", attempt.verifier.expose()),
        ];
        // A code is good for one request, so an unknown outcome is not repeated: the person is asked again.
        let answer = self.oauth_post(trace, held, &metadata.token_endpoint, &form, false).await?;
        token_answer(answer)
    }

    /// Under the candidate, if there is one. If the server refuses it, or it cannot prove itself any more, under the current instance, which
    /// may work after all; and if that is refused, too, under the candidate that this may have been reason to make.
    async fn push_as_accepted(
        &self,
        trace: &Trace,
        metadata: &Metadata,
        attempt: &Attempt,
    ) -> Result<(Held, Pushed), Error> {
        if let Some(candidate) = self.candidate().await? {
            match self.push(trace, &candidate, metadata, attempt).await {
                Err(error) if Refusal::of(&error).is_some() || error == PlatformError::KeyLost.into() => {
                    self.abandon(&candidate.instance).await?;
                }
                pushed => return Ok((candidate, pushed?)),
            }
        }
        let current = self.current().await?;
        let error = match self.push(trace, &current, metadata, attempt).await {
            Ok(pushed) => return Ok((current, pushed)),
            Err(error) => self.after_error(&current, error).await,
        };
        match self.candidate().await? {
            Some(candidate) if error == Error::LoginRequired => {
                let pushed = self.push(trace, &candidate, metadata, attempt).await?;
                Ok((candidate, pushed))
            }
            _ => Err(error),
        }
    }

    pub(crate) async fn push(
        &self,
        trace: &Trace,
        held: &Held,
        metadata: &Metadata,
        attempt: &Attempt,
    ) -> Result<Pushed, Error> {
        let challenge = b64::encode(&sha256(attempt.verifier.expose().as_bytes()));
        let mut form = vec![
            ("response_type", "code"),
            ("client_id", &self.config.client_id),
            ("redirect_uri", self.config.redirect_uri.as_str()),
            ("scope", &attempt.scope),
            ("state", &attempt.state),
            ("nonce", &attempt.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        if let Some(details) = &attempt.details {
            form.push(("authorization_details", details));
        }
        let url = &metadata.pushed_authorization_request_endpoint;
        let answer = self.oauth_post(trace, held, url, &form, true).await?;
        if answer.is_success() { answer.json() } else { Err(oauth_refusal(answer)) }
    }

    /// The code in the URL that the browser was sent back to, if it answers this very request.
    fn code(&self, back: &Url, metadata: &Metadata, attempt: &Attempt) -> Result<SecretString, Error> {
        let expected = &self.config.redirect_uri;
        if back.origin() != expected.origin() || back.scheme() != expected.scheme() || back.path() != expected.path() {
            return Err(Error::LoginMismatch("redirect_uri"));
        }
        // An error, too, is believed only when it answers this request: state and issuer first (RFC 9207 §2.4).
        let state = parameter(back, "state")?.ok_or(Error::LoginMismatch("state"))?;
        if !constant_time_eq(state.as_bytes(), attempt.state.as_bytes()) {
            return Err(Error::LoginMismatch("state"));
        }
        if parameter(back, "iss")?.as_deref() != Some(&metadata.issuer) {
            return Err(Error::LoginMismatch("iss"));
        }
        if let Some(error) = parameter(back, "error")? {
            return Err(oauth_error(&error));
        }
        parameter(back, "code")?.map(SecretString::new).ok_or(Error::LoginMismatch("code"))
    }

    /// An access token that lives a while longer, and is not the one that a server has just refused.
    pub(crate) async fn access(
        &self,
        trace: &Trace,
        held: &Held,
        refused: Option<&Arc<Tokens>>,
    ) -> Result<Arc<Tokens>, Error> {
        let usable = |tokens: &Tokens| {
            let is_refused = refused.is_some_and(|refused| std::ptr::eq(Arc::as_ptr(refused), tokens));
            tokens.login == self.vault.login()
                && tokens.jkt == held.instance.jkt
                && self.transport.now() < tokens.renew_at
                && !is_refused
        };
        self.tokens.get(usable, || Box::pin(self.refresh(trace, held))).await
    }

    async fn refresh(&self, trace: &Trace, held: &Held) -> Result<Tokens, Error> {
        let name = refresh_token_of(held.instance.slot);
        let (login, refresh_token) = {
            let _guard = self.vault.guard.lock().await;
            (self.vault.login(), self.platform.store.get(name).await?.ok_or(Error::LoginRequired)?)
        };
        let metadata = self.metadata(trace).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
            ("client_id", &self.config.client_id),
        ];
        let answer = self.oauth_post(trace, held, &metadata.token_endpoint, &form, true).await?;
        let answer = token_answer(answer);
        let _guard = self.vault.guard.lock().await;
        if self.vault.login() != login {
            return Err(Error::LoginRequired);
        }
        match answer {
            Ok(mut answer) => {
                if let Some(refresh_token) = answer.refresh_token.take() {
                    self.platform.store.set(name, refresh_token).await?;
                }
                Ok(self.tokens(held, answer, login))
            }
            Err(Error::OAuth(code)) if code == "invalid_grant" => {
                self.remove_refused(name, &refresh_token).await?;
                Err(Error::LoginRequired)
            }
            Err(error) => Err(error),
        }
    }

    /// Another process of the app may have stored a newer one, which was not refused.
    async fn remove_refused(&self, name: &str, refused: &SecretString) -> Result<(), Error> {
        let stored = self.platform.store.get(name).await?;
        if stored.is_some_and(|stored| constant_time_eq(stored.expose().as_bytes(), refused.expose().as_bytes())) {
            self.platform.store.remove(name).await?;
        }
        Ok(())
    }

    pub(crate) fn tokens(&self, held: &Held, answer: TokenAnswer, login: u64) -> Tokens {
        let renew_at = self.transport.now() + i64::from(answer.expires_in) - MARGIN;
        Tokens { access_token: answer.access_token, jkt: held.instance.jkt.clone(), renew_at, login }
    }

    /// Straight from the token endpoint over TLS, so the channel stands for the signature (OpenID Connect Core §3.1.3.7).
    fn check_id_token(&self, id_token: Option<&str>, metadata: &Metadata, nonce: &str) -> Result<(), Error> {
        if !self.config.scope.split(' ').any(|scope| scope == "openid") {
            return Ok(());
        }
        let claims = id_token.and_then(id_token_claims).ok_or(Error::Malformed("id_token"))?;
        let is_ours = claims.iss == metadata.issuer
            && claims.aud.is_only(&self.config.client_id)
            && claims.exp > self.transport.now()
            && claims.nonce.as_deref() == Some(nonce);
        if is_ours { Ok(()) } else { Err(Error::LoginMismatch("id_token")) }
    }
}

fn token_answer(answer: RawResponse) -> Result<TokenAnswer, Error> {
    if !answer.is_success() {
        return Err(oauth_refusal(answer));
    }
    let answer: TokenAnswer = answer.json()?;
    // RFC 9449 §5: a token that is not bound to our key must not be used as if it were.
    if answer.token_type.eq_ignore_ascii_case("DPoP") { Ok(answer) } else { Err(Error::Malformed("token_type")) }
}

/// A parameter that stands at most once; twice is an attack or a bug, and no answer of ours.
fn parameter(url: &Url, name: &'static str) -> Result<Option<String>, Error> {
    let mut values = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Error::LoginMismatch(name)),
    }
}

fn id_token_claims(token: &str) -> Option<IdTokenClaims> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&b64::decode(payload).ok()?).ok()
}

/// The error of an OAuth endpoint (RFC 6749 §5.2), or a problem of the server around it.
fn oauth_refusal(answer: RawResponse) -> Error {
    match crate::oauth::error_code(&answer) {
        Some(code) if answer.status != 503 => oauth_error(&code),
        _ => answer.into_refusal(),
    }
}

/// Only what RFC 6749 allows in a code, and short: it may end up in logs.
fn oauth_error(code: &str) -> Error {
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if code.len() <= 64 && code.bytes().all(is_code) {
        Error::OAuth(code.to_owned())
    } else {
        Error::Malformed("error")
    }
}
