//! What an answer proves about its request.

use api::problem::code;
use identity::message_signature::{ResponseParts, SignedHeaders, verify_response};

use crate::Error;
use crate::call::{Call, Response};
use crate::client::Client;
use crate::session::Session;
use crate::transport::RawResponse;

/// What an answer says about its request.
pub(crate) enum Meaning {
    Done(Response),
    /// By the handler, so the last word.
    Refused {
        problem: Box<api::Problem>,
        signed: bool,
    },
    /// Before the handler. `certain`: this attempt has changed nothing.
    TurnedAway {
        certain: bool,
    },
    /// Nothing has happened, and the server says when to come back.
    Busy,
    /// Nothing that can be relied on. The error is for a request that changes nothing anyway.
    Unclear(Error),
}

impl Client {
    /// The servers sign whatever a handler answers, refusals included; the layers before it do not. They refuse every request without a nonce,
    /// so of an attempt that had none it is certain that nobody has carried it out.
    pub(crate) fn meaning(
        &self,
        call: &Call<'_>,
        answer: &RawResponse,
        session: &Session,
        (request_signature, had_nonce): (&str, bool),
    ) -> Meaning {
        let Ok(signed) = self.check_signature(answer, session, request_signature) else {
            return Meaning::Unclear(Error::ResponseSignature);
        };
        let is_authentic = signed || !self.config.require_signed_responses;
        match (answer.status, answer.problem()) {
            (200..=299, _) if !is_authentic => Meaning::Unclear(Error::ResponseSignature),
            (200..=299, _) if (call.accepts)(answer.body.expose()) => Meaning::Done(response(answer, signed)),
            (200..=299, _) => Meaning::Unclear(Error::Malformed("not the JSON of this call")),
            // By the handler, unlike every other 401.
            (401, Some(problem)) if is_authentic && problem.code == code::APPROVAL_REQUIRED => {
                Meaning::Refused { problem: Box::new(problem), signed }
            }
            (401 | 426, _) => Meaning::TurnedAway { certain: is_authentic || !had_nonce || !call.is_change() },
            (429 | 503, Some(problem)) if signed && problem.code == code::BUSY => Meaning::Busy,
            (429 | 503, _) => Meaning::Unclear(Error::Busy(answer.retry_after())),
            (400..=499, Some(problem)) if is_authentic => Meaning::Refused { problem: Box::new(problem), signed },
            (400..=499, Some(problem)) if !call.is_change() && is_before_handlers(&problem) => {
                Meaning::TurnedAway { certain: true }
            }
            (400..=499, Some(_)) => Meaning::Unclear(Error::ResponseSignature),
            (_, Some(problem)) => Meaning::Unclear(Error::Refused(Box::new(problem))),
            (_, None) => Meaning::Unclear(Error::Malformed("a refusal without problem details")),
        }
    }

    /// Whether the answer is signed. A signature that is there must be right, whatever the status.
    fn check_signature(&self, answer: &RawResponse, session: &Session, request_signature: &str) -> Result<bool, Error> {
        if !answer.headers.contains_key(api::header::SIGNATURE) {
            return Ok(false);
        }
        let headers = SignedHeaders::read(|name| answer.header(name)).ok_or(Error::ResponseSignature)?;
        let content_type = answer.header("content-type");
        let parts = ResponseParts { status: answer.status, content_type, body: answer.body.expose() };
        verify_response(session.key.expose(), &parts, &headers, request_signature, self.transport.now())
            .map_err(|_| Error::ResponseSignature)?;
        Ok(true)
    }
}

fn response(answer: &RawResponse, signed: bool) -> Response {
    Response {
        status: answer.status,
        replayed: answer.header(api::header::IDEMPOTENT_REPLAYED) == Some("true"),
        request_id: answer.header(api::header::REQUEST_ID).map(str::to_owned),
        body: answer.body.expose().clone(),
        signed,
    }
}

/// What limits, routing and token layers answer: the request has not reached a handler, if the answer is the server's.
pub(crate) fn is_before_handlers(problem: &api::Problem) -> bool {
    match problem.status {
        400 => problem.code == code::REQUEST_INVALID,
        403 => problem.code == code::CLIENT_UNKNOWN,
        404 => problem.code == code::NOT_FOUND,
        status => matches!(status, 401 | 405 | 413 | 414 | 415 | 421 | 426 | 429 | 431),
    }
}

/// What a handler refuses for now: the key has no outcome yet, and an earlier attempt may still get one.
pub(crate) fn is_no_outcome(problem: &api::Problem) -> bool {
    let codes = [
        code::PAYOUT_LIMIT_REACHED,
        code::ACCOUNT_LIMIT_REACHED,
        code::PAYEE_EXISTS,
        code::PAYEE_COOLING_OFF,
        code::PAYEE_LIMIT_REACHED,
        code::PAYEE_CHECK_LIMIT_REACHED,
        code::APPROVAL_REQUIRED,
        code::APPROVAL_LIMIT_REACHED,
        // Looked at before the key, and judged by the ledger's keys of the moment.
        code::FIELD_SEALED_REQUIRED,
        code::FIELD_SEALED_INVALID,
    ];
    codes.contains(&problem.code.as_str())
}

/// RFC 9449 §9: the resource server's way to say that the nonce is missing or old. There may be several challenges.
pub(crate) fn wants_nonce(answer: &RawResponse) -> bool {
    let mut challenges = answer.headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
    answer.status == 401
        && answer.header(api::header::DPOP_NONCE).is_some()
        && challenges.any(|challenge| challenge.contains(r#"error="use_dpop_nonce""#))
}
