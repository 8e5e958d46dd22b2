//! A request to the API and its answer, apart from how they are carried.

use std::borrow::Cow;

use api::Problem;
use api::problem::code;
use reqwest::Method;
use url::Url;

use crate::Error;
use crate::session::Session;
use crate::step_up::StepUp;

/// Names one intent of the user, over all attempts to carry it out: made once, kept until the outcome is known.
///
/// An app that may be killed in between stores it before the first attempt ([`IdempotencyKey::as_str`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key for a new intent.
    #[expect(clippy::new_without_default, reason = "draws randomness, which a default should not")]
    pub fn new() -> Self {
        Self(crypto::random::token(16))
    }

    /// The key of an intent whose outcome is still unknown.
    pub fn restore(text: &str) -> Result<Self, Error> {
        let is_ours = (16..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_ours { Ok(Self(text.to_owned())) } else { Err(Error::Config("not an idempotency key")) }
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An answer of the API that was a success, and authentic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, 200 to 299.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
    /// The answer was given before, under the same idempotency key.
    pub replayed: bool,
    /// The server's name for the request.
    pub request_id: Option<String>,
    /// Whether the answer was signed with the session key.
    pub signed: bool,
}

/// What is asked; the same for every attempt.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Body<'a>,
    pub(crate) key: Option<&'a IdempotencyKey>,
    /// Whether it changes nothing to ask again, without a key.
    pub(crate) idempotent: bool,
    /// Whether this is the body of a success.
    pub(crate) accepts: fn(&[u8]) -> bool,
}

/// Writes a body for one session.
type Seal<'a> = dyn Fn(&Session) -> Result<Vec<u8>, Error> + Send + Sync + 'a;

/// The body of a request.
pub(crate) enum Body<'a> {
    /// Every attempt sends these bytes.
    Fixed(Vec<u8>),
    /// It has fields that are sealed to the session's key, for each attempt anew.
    Sealed(Box<Seal<'a>>),
}

impl Body<'_> {
    /// The bytes of one attempt.
    pub(crate) fn of_attempt(&self, session: &Session) -> Result<Cow<'_, [u8]>, Error> {
        match self {
            Self::Fixed(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Sealed(make) => make(session).map(Cow::Owned),
        }
    }
}

impl Call<'_> {
    /// What a handler's refusal is called.
    pub(crate) fn refusal(&self, problem: Box<Problem>) -> Error {
        match (problem.approval, self.key, &problem.new_until) {
            (Some(payment), Some(key), new_until) if problem.code == code::APPROVAL_REQUIRED => {
                let (key, new_until) = (key.as_str().to_owned(), new_until.clone());
                Error::ApprovalRequired(Box::new(StepUp { payment, key, new_until }))
            }
            (.., Some(until)) if problem.code == code::INSTANCE_COOLING_OFF => Error::NewPhone { until: until.clone() },
            _ => Error::Refused(problem),
        }
    }

    pub(crate) fn is_change(&self) -> bool {
        !self.method.is_safe()
    }

    /// Whether it may be sent again when its outcome is unknown.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.key.is_some() || self.idempotent || self.method.is_safe()
    }
}
