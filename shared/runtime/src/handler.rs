//! How a handler's error becomes an answer. There is no other way: a service's error is no response, so a handler that returns one can be
//! registered through [`with_refusals`] only, which writes down what it refuses.

use actix_web::body::BoxBody;
use actix_web::{Handler, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt as _;
use futures_util::future::Map;

use crate::refusal::{Refusal, Who};

/// A service's error that knows its refusal. Its one `match` is the table from variant to status, code, layer and reason.
pub trait Refuse {
    /// The refusal that `caller` gets. That it is about the caller need not be said again.
    fn refusal(self, caller: &Who) -> Refusal;
}

impl Refuse for Refusal {
    fn refusal(self, _: &Who) -> Refusal {
        self
    }
}

/// A handler's result as a response: its answer, or the refusal that its error is.
pub struct AnswerOrRefusal<R, E>(Result<R, E>);

impl<R: Responder, E: Refuse> Responder for AnswerOrRefusal<R, E> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        match self.0 {
            Ok(answer) => answer.respond_to(request).map_into_boxed_body(),
            Err(error) => {
                let caller = Who::of(request);
                HttpResponse::from_error(error.refusal(&caller).about(caller))
            }
        }
    }
}

/// A handler whose errors are refusals.
#[derive(Clone)]
pub struct WithRefusals<F>(F);

/// Makes the errors of `handler` refusals of its caller.
pub fn with_refusals<F>(handler: F) -> WithRefusals<F> {
    WithRefusals(handler)
}

impl<F, Args, R, E> Handler<Args> for WithRefusals<F>
where
    F: Handler<Args, Output = Result<R, E>>,
    R: 'static,
    E: 'static,
{
    type Output = AnswerOrRefusal<R, E>;
    type Future = Map<F::Future, fn(Result<R, E>) -> AnswerOrRefusal<R, E>>;

    fn call(&self, args: Args) -> Self::Future {
        self.0.call(args).map(AnswerOrRefusal)
    }
}
