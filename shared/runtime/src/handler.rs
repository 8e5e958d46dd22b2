//! How a handler's error becomes an answer. There is no other way: a service's error is no response, so a handler that returns one can be
//! registered through [`with_refusals`] only, which writes down what it refuses.

use std::marker::PhantomData;

use actix_web::body::BoxBody;
use actix_web::{Handler, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt as _;
use futures_util::future::Map;

use crate::contract::Refusals;
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

/// A handler's result as a response: its answer, or the refusal that its error is, which is one of those that `L` lists.
pub struct AnswerOrRefusal<R, E, L>(Result<R, E>, PhantomData<L>);

impl<R: Responder, E: Refuse, L> Responder for AnswerOrRefusal<R, E, L> {
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
pub struct WithRefusals<L, F>(F, PhantomData<fn() -> L>);

impl<L, F: Clone> Clone for WithRefusals<L, F> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

/// Makes the errors of `handler` refusals of its caller. `L` lists them for the description of the route ([`problems!`](crate::problems)); `()` where the
/// handler has none of its own.
pub fn with_refusals<L: Refusals, F>(handler: F) -> WithRefusals<L, F> {
    WithRefusals(handler, PhantomData)
}

impl<L, F, Args, R, E> Handler<Args> for WithRefusals<L, F>
where
    L: Refusals,
    F: Handler<Args, Output = Result<R, E>>,
    R: 'static,
    E: 'static,
{
    type Output = AnswerOrRefusal<R, E, L>;
    type Future = Map<F::Future, fn(Result<R, E>) -> AnswerOrRefusal<R, E, L>>;

    fn call(&self, args: Args) -> Self::Future {
        self.0.call(args).map(|result| AnswerOrRefusal(result, PhantomData))
    }
}
