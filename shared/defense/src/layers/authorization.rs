//! Layer *authorization*: may they? The route's guard names a scope, and the access token has it.

use futures_util::future::{LocalBoxFuture, ready};
use runtime::Problem;

use crate::{Access, Facts, Finding, Inbound, Layer, LayerId, Verdict};

/// Compares the scopes of the token with the one that the route demands. What a caller may do with what it names is for the handler to say.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationLayer;

impl AuthorizationLayer {
    fn check(request: &Inbound, facts: &Facts) -> Verdict {
        let Access::Scope(wanted) = request.access else { return Verdict::Pass };
        match &facts.access {
            None => LayerId::Authorization.refuse("no_access_token"),
            Some(claims) if claims.scopes().any(|scope| scope == wanted) => Verdict::Pass,
            Some(_) => LayerId::Authorization.refuse_with("scope_missing", Problem::forbidden()),
        }
    }
}

impl Layer for AuthorizationLayer {
    fn id(&self) -> LayerId {
        LayerId::Authorization
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        let verdict = Self::check(request, facts);
        Box::pin(ready(verdict.into()))
    }
}
