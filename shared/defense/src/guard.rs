//! Guards: the permission that a handler names in its type, and cannot be registered without.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use api::problem::code;
use api::scope::Scope;
use api::service::Workload;
use identity::Principal;
use runtime::contract::{Described, Operation, Scheme};
use runtime::{PeerId, Problem, Refusal, Who};

use crate::{LayerId, policy, unauthorized};

/// What a route demands, for its documentation and for the test that walks all routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; the reason why stands beside the route.
    Public,
    /// A user with this scope on an attested instance.
    Scope(&'static str),
    /// This workload, by its certificate; or `any` of the house.
    Peer(&'static str),
}

impl Access {
    /// What a caller has to show for it, and how it says no.
    fn describe(self, operation: &mut Operation) {
        match self {
            Self::Public => (),
            Self::Scope(scope) => operation.shown(Scheme::AccessToken, &[scope]),
            Self::Peer(_) => operation.refuses(&[(403, code::FORBIDDEN)]),
        }
    }
}

/// An extractor that lets a request through to a handler.
pub trait Guard: FromRequest {
    /// The layers without which it does not work: a route that has fewer does not compile.
    const NEEDS: &'static [LayerId] = &[];

    /// What it demands.
    fn access() -> Access;
}

/// The arguments of a handler whose first one is a [`Guard`], and of which each other one says what it takes.
pub trait Guarded {
    /// That first argument.
    type First: Guard;

    /// What they take.
    fn describe(operation: &mut Operation);
}

macro_rules! guarded {
    ($($rest:ident)*) => {
        impl<G: Guard, $($rest: Described),*> Guarded for (G, $($rest,)*) {
            type First = G;

            fn describe(operation: &mut Operation) {
                G::access().describe(operation);
                $($rest::describe(operation);)*
            }
        }
    };
}
guarded!();
guarded!(A);
guarded!(A B);
guarded!(A B C);
guarded!(A B C D);
guarded!(A B C D E);

/// Who calls, once all layers have passed. Only the engine puts a principal there.
fn principal(request: &HttpRequest) -> Option<Rc<Principal>> {
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
    const NEEDS: &'static [LayerId] = policy::USER;

    fn access() -> Access {
        Access::Scope(S::NAME)
    }
}

impl<S: Scope> FromRequest for Caller<S> {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // That the token has the scope, layer *authorization* has found. Whoever comes here past the layers is nobody.
        let principal = principal(request).ok_or_else(|| Refusal::new("access_token", "no_principal", unauthorized()));
        ready(principal.map(|principal| Self { principal, scope: PhantomData }))
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
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        match PeerId::of(request) {
            Some(peer) if peer.name() == W::NAME => ready(Ok(Self(PhantomData))),
            _ => ready(Err(peer_not_allowed(request))),
        }
    }
}

/// Any workload of the house, proven by its certificate.
pub struct AnyPeer;

impl Guard for AnyPeer {
    fn access() -> Access {
        Access::Peer("any")
    }
}

impl FromRequest for AnyPeer {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(PeerId::of(request).map(|_| Self).ok_or_else(|| peer_not_allowed(request)))
    }
}

/// The refusal of a workload that is none of those a guard lets through.
pub fn peer_not_allowed(request: &HttpRequest) -> Refusal {
    Refusal::new("authorization", "peer_not_allowed", Problem::forbidden()).about(Who::of(request))
}

/// Anybody. The handler's documentation says why.
pub struct Public;

impl Guard for Public {
    fn access() -> Access {
        Access::Public
    }
}

impl FromRequest for Public {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}
