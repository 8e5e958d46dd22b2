//! Guards: the permission that a handler names in its type, and cannot be registered without.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use api::scope::Scope;
use api::service::Workload;
use identity::Principal;
use runtime::audit::{self, Who};
use runtime::{PeerId, Problem};

use crate::unauthorized;

/// What a route demands, for its documentation and for the test that walks all routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; the reason why stands beside the route.
    Public,
    /// A user with this scope on an attested instance.
    Scope(&'static str),
    /// This workload, by its certificate.
    Peer(&'static str),
}

/// An extractor that lets a request through to a handler.
pub trait Guard: FromRequest {
    /// What it demands.
    fn access() -> Access;
}

/// The arguments of a handler whose first one is a [`Guard`].
pub trait Guarded {
    /// That first argument.
    type First: Guard;
}

macro_rules! guarded {
    ($($rest:ident)*) => { impl<G: Guard, $($rest),*> Guarded for (G, $($rest,)*) { type First = G; } };
}
guarded!();
guarded!(A);
guarded!(A B);
guarded!(A B C);
guarded!(A B C D);
guarded!(A B C D E);

/// Who calls, once all layers have passed. Only the pipeline puts a principal there.
pub fn principal(request: &HttpRequest) -> Option<Rc<Principal>> {
    request.extensions().get::<Rc<Principal>>().cloned()
}

/// A user with scope `S`, on an attested instance, all layers passed.
pub struct Caller<S> {
    principal: Rc<Principal>,
    scope: PhantomData<S>,
}

impl<S> Deref for Caller<S> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<S: Scope> Guard for Caller<S> {
    fn access() -> Access {
        Access::Scope(S::NAME)
    }
}

impl<S: Scope> FromRequest for Caller<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A route without a pipeline refuses everybody.
        let Some(principal) = principal(request) else {
            audit::refused("access_token", "no_principal", Who::default());
            return ready(Err(unauthorized()));
        };
        if !principal.scopes.iter().any(|scope| scope == S::NAME) {
            let who = Who { subject: Some(&principal.subject), ..Who::default() };
            audit::refused("authorization", "scope_missing", who);
            return ready(Err(Problem::forbidden()));
        }
        ready(Ok(Self { principal, scope: PhantomData }))
    }
}

/// The workload `W`, proven by its certificate on the internal listener.
pub struct Peer<W>(PhantomData<W>);

impl<W: Workload> Guard for Peer<W> {
    fn access() -> Access {
        Access::Peer(W::NAME)
    }
}

impl<W: Workload> FromRequest for Peer<W> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        match PeerId::of(request) {
            Some(peer) if peer.name() == W::NAME => ready(Ok(Self(PhantomData))),
            peer => {
                let who = Who { peer: peer.as_ref().map(PeerId::name), ..Who::default() };
                audit::refused("authorization", "peer_not_allowed", who);
                ready(Err(Problem::forbidden()))
            }
        }
    }
}

/// Anybody. The handler's documentation says why.
pub struct Public;

impl Guard for Public {
    fn access() -> Access {
        Access::Public
    }
}

impl FromRequest for Public {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}
