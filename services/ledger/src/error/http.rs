//! How a handler's error becomes an answer. There is no other way: [`Error`] is no response, so a handler that returns one can be registered
//! through [`told`] only, and nothing else turns it into a problem.

use actix_web::{Handler, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt as _;
use futures_util::future::Map;

use super::Error;

/// What a handler came to.
pub struct Told<R>(Result<R, Error>);

impl<R: Responder> Responder for Told<R> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        match self.0 {
            Ok(answer) => answer.respond_to(request).map_into_boxed_body(),
            Err(error) => HttpResponse::from_error(error.told(defense::principal(request).as_deref())),
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

impl<F, Args, R> Handler<Args> for Telling<F>
where
    F: Handler<Args, Output = Result<R, Error>>,
{
    type Output = Told<R>;
    type Future = Map<F::Future, fn(Result<R, Error>) -> Told<R>>;

    fn call(&self, args: Args) -> Self::Future {
        self.0.call(args).map(Told)
    }
}
