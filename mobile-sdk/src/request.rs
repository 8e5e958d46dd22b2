//! A request to the API: who, what, and unaltered, in one message.
//!
//! Every attempt has its own `DPoP` proof and its own signature; every attempt of one intent has the same idempotency
//! key. So a retry is safe, and a replay is not.
//!
//! Invariant: as long as an attempt to change something may have been carried out, the call does not end in a refusal, but
//! in [`Error::OutcomeUnknown`] (DESIGN §7). Whoever stands between the phone and the server may pass a request on and answer it himself: only a
//! signed answer says that nothing has happened.

use std::sync::Arc;

use api::problem::code;
use crypto::SecretString;
use identity::dpop;
use identity::message_signature::{RequestParts, SignedHeaders, sign};
use reqwest::Method;
use url::Url;

use crate::Error;
use crate::call::{Body, Call, IdempotencyKey, Response};
use crate::client::{Client, may_repeat};
use crate::instances::Held;
use crate::meaning::{Meaning, is_before_handlers, is_no_outcome, wants_nonce};
use crate::reenroll::Refusal;
use crate::session::Session;
use crate::tokens::Tokens;
use crate::trace::Trace;
use crate::transport::{Failure, RawResponse, secret_header};

/// What one attempt is made with.
struct Credentials {
    held: Held,
    session: Arc<Session>,
    tokens: Arc<Tokens>,
}

/// How often, and why, a call has been tried again.
#[derive(Default)]
struct Retries {
    attempt: u32,
    nonce: bool,
    credentials: bool,
    /// An attempt may have changed something.
    uncertain: bool,
}

impl Client {
    /// Sends a request to the API with everything that its layers ask for, and verifies the answer.
    ///
    /// `path` begins with `/` and may have a query. A request that changes something needs a key, or it is sent once.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        key: Option<&IdempotencyKey>,
    ) -> Result<Response, Error> {
        let trace = Trace::start();
        let call = self.call(method, path, body, key)?;
        self.record("request", &trace, self.execute(&trace, &call)).await
    }

    pub(crate) fn call<'a>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl serde::Serialize>,
        key: Option<&'a IdempotencyKey>,
    ) -> Result<Call<'a>, Error> {
        let url = self.config.api_url.join(path).map_err(|_| Error::Config("path"))?;
        // `//host/…` and absolute URLs would leave the API.
        if !path.starts_with('/') || url.origin() != self.config.api_url.origin() {
            return Err(Error::Config("path"));
        }
        let body = body.map(serde_json::to_vec).transpose().map_err(|_| Error::Malformed("body"))?;
        let accepts = |body: &[u8]| body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        // Default: no body, which is sent as none.
        Ok(Call { method, url, body: Body::Fixed(body.unwrap_or_default()), key, idempotent: false, accepts })
    }

    pub(crate) async fn execute(&self, trace: &Trace, call: &Call<'_>) -> Result<Response, Error> {
        let mut retries = Retries::default();
        let result = self.attempts(trace, call, &mut retries).await;
        // Whatever ended the call, it does not undo an earlier attempt.
        if retries.uncertain { result.map_err(|_| Error::OutcomeUnknown) } else { result }
    }

    async fn attempts(&self, trace: &Trace, call: &Call<'_>, retries: &mut Retries) -> Result<Response, Error> {
        let mut credentials = self.credentials(trace, call, None).await?;
        loop {
            retries.attempt += 1;
            let nonce = self.nonces.get(&call.url);
            let (sent, signature) = self.attempt(trace, call, &credentials, nonce.as_deref()).await?;
            let answer = match sent {
                Ok(answer) => answer,
                Err(failure) => {
                    retries.uncertain |= call.is_change() && failure == Failure::Unknown;
                    self.after_failure(call, retries, failure).await?;
                    continue;
                }
            };
            self.nonces.note(&call.url, &answer);
            match self.meaning(call, &answer, &credentials.session, (&signature, nonce.is_some())) {
                Meaning::Done(response) => {
                    // An app may choose to see the others, too. But anybody may have written them.
                    if response.signed {
                        self.after_success(&credentials.held).await;
                    }
                    return Ok(response);
                }
                Meaning::Refused { problem, signed } => {
                    if signed {
                        self.after_success(&credentials.held).await;
                        self.after_approval(call, &credentials, &problem);
                    }
                    // Under one key this is the answer to all attempts, unless it was given before the key was looked up or is none of its outcomes.
                    retries.uncertain &=
                        problem.status == 403 || is_before_handlers(&problem) || is_no_outcome(&problem);
                    return Err(call.refusal(problem));
                }
                Meaning::TurnedAway { certain } => {
                    retries.uncertain |= !certain;
                    if !certain && !call.is_repeatable() {
                        return Err(answer.into_refusal());
                    } else if wants_nonce(&answer) && !retries.nonce {
                        retries.nonce = true;
                    } else if answer.status == 401 && !retries.credentials {
                        retries.credentials = true;
                        credentials = self.credentials(trace, call, Some(&credentials)).await?;
                    } else if answer.status == 401 && !wants_nonce(&answer) {
                        // Everything was renewed, and is refused all the same.
                        let refusal = answer.into_refusal();
                        return Err(self.after_refusal(&credentials.held, Refusal::Generic, refusal).await);
                    } else {
                        return Err(answer.into_refusal());
                    }
                }
                Meaning::Busy => {
                    self.after_success(&credentials.held).await;
                    if !self.config.retry.wait(retries.attempt, answer.retry_after()).await {
                        return Err(Error::Busy(answer.retry_after()));
                    }
                }
                Meaning::Unclear(error) => {
                    retries.uncertain |= call.is_change();
                    self.after_unclear(call, retries, &answer, error).await?;
                }
            }
        }
    }

    /// Credentials that are fresh and, of each kind, not the refused ones: the servers do not say which it was.
    async fn credentials(
        &self,
        trace: &Trace,
        call: &Call<'_>,
        refused: Option<&Credentials>,
    ) -> Result<Credentials, Error> {
        let mut held = self.current().await?;
        if let Some(refused) = refused {
            // It is still the same call.
            held.begun = refused.held.begun;
        }
        let refused_session = refused.map(|refused| refused.session.token_id.as_str());
        let session = match self.session(trace, &held, refused_session).await {
            Ok(session) => session,
            Err(error) => return Err(self.after_error(&held, error).await),
        };
        // Of an approval that was refused there is no other: the payment is asked for anew.
        if let Some(tokens) = self.approved(call.key, &held).filter(|_| refused.is_none()) {
            return Ok(Credentials { held, session, tokens });
        }
        match self.access(trace, &held, refused.map(|refused| &refused.tokens)).await {
            Ok(tokens) => Ok(Credentials { held, session, tokens }),
            Err(error) => Err(self.after_error(&held, error).await),
        }
    }

    /// An approval that is asked for in spite of one is none any more: the next attempt does not come with it. One that was refused with another order is
    /// still its own order's.
    fn after_approval(&self, call: &Call<'_>, with: &Credentials, problem: &api::Problem) {
        if let Some(key) = call.key
            && problem.code == code::APPROVAL_REQUIRED
        {
            self.approvals.end(key.as_str(), &with.tokens);
        }
    }

    async fn after_failure(&self, call: &Call<'_>, retries: &Retries, failure: Failure) -> Result<(), Error> {
        if may_repeat(&failure, call.is_repeatable()) && self.config.retry.wait(retries.attempt, None).await {
            return Ok(());
        }
        Err(failure.into_error())
    }

    async fn after_unclear(
        &self,
        call: &Call<'_>,
        retries: &Retries,
        answer: &RawResponse,
        error: Error,
    ) -> Result<(), Error> {
        let may_help = call.is_change() || matches!(answer.status, 429 | 503 | 504);
        let may_repeat = call.is_repeatable() && may_help;
        if may_repeat && self.config.retry.wait(retries.attempt, answer.retry_after()).await {
            return Ok(());
        }
        Err(error)
    }

    /// One attempt; also returns its `Signature`, which the answer is bound to.
    async fn attempt(
        &self,
        trace: &Trace,
        call: &Call<'_>,
        credentials: &Credentials,
        nonce: Option<&str>,
    ) -> Result<(Result<RawResponse, Failure>, String), Error> {
        let body = call.body.of_attempt(&credentials.session)?;
        let headers = self.headers(call, &body, credentials, nonce)?;
        let signed = self.sign(call, &body, &credentials.session, &headers)?;
        let mut request = self.transport.request(call.method.clone(), call.url.clone());
        for (name, value) in &headers {
            request = request.header(*name, secret_header(value.expose())?);
        }
        let signature = signed.signature.clone();
        for (name, value) in signed {
            request = request.header(name, value);
        }
        request = request.header(api::header::TRACEPARENT, trace.traceparent());
        if !body.is_empty() {
            request = request.body(body.into_owned());
        }
        Ok((self.transport.send(request).await, signature))
    }

    /// The headers that the signature covers.
    fn headers(
        &self,
        call: &Call<'_>,
        body: &[u8],
        with: &Credentials,
        nonce: Option<&str>,
    ) -> Result<Vec<(&'static str, SecretString)>, Error> {
        let access_token = with.tokens.access_token.expose();
        let (now, jti) = (self.transport.now(), crypto::random::token(16));
        let (htm, htu) = (call.method.as_str(), without_query(&call.url));
        let proof = dpop::create(&*with.held.signer, htm, htu.as_str(), now, &jti, Some(access_token), nonce)?;
        let mut headers = vec![
            (api::header::AUTHORIZATION, format!("DPoP {access_token}").into()),
            (api::header::DPOP, proof.into()),
            (api::header::ATTESTATION_TOKEN, with.session.attestation_token.clone()),
        ];
        if !body.is_empty() {
            headers.push(("content-type", "application/json".into()));
        }
        if let Some(key) = call.key {
            headers.push((api::header::IDEMPOTENCY_KEY, key.as_str().into()));
        }
        Ok(headers)
    }

    fn sign(
        &self,
        call: &Call<'_>,
        body: &[u8],
        session: &Session,
        headers: &[(&'static str, SecretString)],
    ) -> Result<SignedHeaders, Error> {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.expose().as_str())).collect();
        let parts = RequestParts {
            method: call.method.as_str(),
            authority: call.url.authority(),
            path: call.url.path(),
            query: call.url.query(),
            headers: &headers,
            body,
        };
        let nonce = crypto::random::token(16);
        sign(session.key.expose(), &parts, self.transport.now(), &nonce, &session.token_id)
            .map_err(|_| Error::Malformed("the request cannot be signed"))
    }
}

/// `htu` has no query and no fragment (RFC 9449 §4.2).
fn without_query(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}
