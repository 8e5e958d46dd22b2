//! How a handler's error becomes an answer. There is no other way: a service's error is no response, so a handler that returns one can be
//! registered through [`told`] only, which writes down what it refuses.

use actix_web::body::BoxBody;
use actix_web::{Handler, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt as _;
use futures_util::future::Map;

use crate::refusal::{Refusal, Who};

/// A service's error, which knows what it says to whom. Its one `match` is the table from variant to status, code, layer and reason.
pub trait Refuse {
    /// What `caller` is told. That the refusal is about the caller need not be said again.
    fn refusal(self, caller: &Who) -> Refusal;
}

impl Refuse for Refusal {
    fn refusal(self, _: &Who) -> Refusal {
        self
    }
}

/// What a handler came to.
pub struct Told<R, E>(Result<R, E>);

impl<R: Responder, E: Refuse> Responder for Told<R, E> {
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

/// A handler whose errors are told.
#[derive(Clone)]
pub struct Telling<F>(F);

/// Tells the handler's errors to whoever called it.
pub fn told<F>(handler: F) -> Telling<F> {
    Telling(handler)
}

impl<F, Args, R, E> Handler<Args> for Telling<F>
where
    F: Handler<Args, Output = Result<R, E>>,
    R: 'static,
    E: 'static,
{
    type Output = Told<R, E>;
    type Future = Map<F::Future, fn(Result<R, E>) -> Told<R, E>>;

    fn call(&self, args: Args) -> Self::Future {
        self.0.call(args).map(Told)
    }
}
