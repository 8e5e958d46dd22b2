//! The one shape of a layer. It looks, uses up and sees the answer in three separate steps, so that it can be in shadow or off without refusing honest
//! callers and without using up what is good once.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::WWW_AUTHENTICATE;
use api::problem::code;
use futures_util::future::{LocalBoxFuture, ready};
use runtime::{Problem, Refusal, extract};
use serde::{Deserialize, Serialize};

use crate::{Facts, Inbound};

/// The layers. The order of the variants is the order in which they look at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, Serialize, Deserialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum LayerId {
    /// Is the request for us, and unambiguous?
    Host,
    /// Which app is this meant to be?
    ApiKey,
    /// Is that build still let in?
    ClientVersion,
    /// Is it too much?
    RateLimit,
    /// Have too many failed here before, and does somebody take the trouble?
    Captcha,
    /// *What* calls: a genuine app on a genuine device.
    Attestation,
    /// Is the request unaltered, fresh, and from that instance?
    MessageSignature,
    /// *Who* calls, with the same key.
    AccessToken,
    /// Does the body look like an attack?
    Waf,
    /// May they?
    Authorization,
    /// Is this how this user acts? The handler asks, who knows what is to be paid, and notes the word ([`Notes`](crate::Notes)); so it stands before no
    /// class of routes. It is in shadow, always: nothing is refused because of it.
    Behavior,
}

impl LayerId {
    /// Its name in metrics, in the audit log and in the documentation.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it looks at.
    pub const fn needs(self) -> Needs {
        match self {
            Self::Host | Self::ApiKey | Self::ClientVersion | Self::RateLimit | Self::Attestation => Needs::Head,
            Self::Captcha | Self::MessageSignature | Self::AccessToken | Self::Waf => Needs::Body,
            Self::Authorization | Self::Behavior => Needs::Principal,
        }
    }

    /// No, for `reason`, with the one answer of all token layers.
    pub fn refuse(self, reason: &'static str) -> Verdict {
        self.refuse_with(reason, unauthorized())
    }

    /// No, for `reason`, and what the client is told.
    pub fn refuse_with(self, reason: &'static str, problem: Problem) -> Verdict {
        Verdict::Refuse(Refusal::new(self.name(), reason, problem))
    }

    /// No, because of the app: the same answer whatever is wrong with it, so that whoever has no key learns nothing of others'.
    pub(crate) fn refuse_client(self, reason: &'static str) -> Verdict {
        self.refuse_with(reason, client_unknown())
    }
}

/// What a layer looks at. All that need the head come before all that need the body, and those before all that need to know who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// The head of the request: it decides before one byte of the body is read.
    Head,
    /// The body too.
    Body,
    /// Who calls.
    Principal,
}

/// What a layer makes of a request.
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// No.
    Refuse(Refusal),
    /// Not yet: an honest client can answer this and be let in (a fresh nonce, a step-up).
    Challenge(Refusal),
    /// It cannot tell: something of ours is missing. The route's policy says what that means.
    Unknown(&'static str),
}

impl From<Result<(), Verdict>> for Verdict {
    fn from(checked: Result<(), Verdict>) -> Self {
        match checked {
            Ok(()) => Self::Pass,
            Err(verdict) => verdict,
        }
    }
}

/// What looking at a request came to.
pub struct Finding {
    /// Whether anything is against it.
    pub verdict: Verdict,
    /// What was learned; the layers after this one build on it.
    pub facts: Facts,
}

impl Finding {
    /// What a check found: the facts, or the verdict without any.
    pub fn of(checked: Result<Facts, Verdict>) -> Self {
        match checked {
            Ok(facts) => Self { verdict: Verdict::Pass, facts },
            Err(verdict) => verdict.into(),
        }
    }
}

impl From<Verdict> for Finding {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, facts: Facts::default() }
    }
}

/// An answer on its way out.
pub struct Outgoing {
    /// The answer.
    pub response: HttpResponse<BoxBody>,
    /// A layer has said no: there was no handler, and nothing has happened.
    pub refused: bool,
    /// It was not yet, which an honest client can answer.
    pub challenged: bool,
}

/// A defense layer.
pub trait Layer: Send + Sync + 'static {
    /// Which one.
    fn id(&self) -> LayerId;

    /// What it looks at.
    fn needs(&self) -> Needs {
        self.id().needs()
    }

    /// Bytes of a body that it looks at; of a longer one nothing is read.
    fn most(&self) -> usize {
        extract::JSON_LIMIT
    }

    /// Looks. It changes nothing: asked twice, it says the same twice.
    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding>;

    /// Looks once more, when all have found nothing and it is known who calls, before anything is used up: whether there is any use in that. It changes
    /// nothing. Most layers have no more to say.
    fn weigh<'a>(&'a self, _: &'a Inbound, _: &'a Facts) -> Option<LocalBoxFuture<'a, Finding>> {
        None
    }

    /// What the layers behind this one build on, where it is off or its refusal does not count: as the request says it, proven by nobody.
    #[cfg(any(test, feature = "ablation"))]
    fn assume<'a>(&'a self, _: &'a Inbound) -> LocalBoxFuture<'a, Facts> {
        Box::pin(ready(Facts::default()))
    }

    /// Uses up what is good once, or counts. It is asked when all layers have found nothing, last layer first, so that what was used before costs
    /// nobody's rate; of many that claim the same at once, one wins.
    fn claim<'a>(&'a self, _: &'a Inbound, _: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(ready(Verdict::Pass.into()))
    }

    /// Sees the answer, in the reverse order of the layers.
    ///
    /// # Errors
    ///
    /// The answer cannot go out as it is: a fault of ours.
    fn answered<'a>(
        &'a self,
        _: &'a Inbound,
        _: &'a Facts,
        answer: Outgoing,
    ) -> LocalBoxFuture<'a, Result<Outgoing, Refusal>> {
        Box::pin(ready(Ok(answer)))
    }
}

/// `403 client.unknown`: whatever is wrong with the app that somebody says they are.
pub fn client_unknown() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code::CLIENT_UNKNOWN)
}

/// `401 auth.unauthorized`: the same for every token layer and every reason.
pub fn unauthorized() -> Problem {
    Problem::unauthorized().header(WWW_AUTHENTICATE, "DPoP algs=\"ES256\"")
}
