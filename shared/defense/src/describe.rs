//! What layers add to the description of a route: what a caller has to show, and how each says no.

use api::problem::code;
use runtime::contract::{Operation, Scheme, Told};
use runtime::pages::Reader;

use crate::LayerId;
use crate::policy::{Class, Desk, Internal, Token, Unknown};

/// The layers of a class.
pub(crate) fn class(class: &Class, operation: &mut Operation) {
    for layer in class.layers {
        operation.refuses(told(*layer));
        for scheme in shown(*layer) {
            // Where clients get tokens there are servers of partners, too, which have no key.
            if class.is::<Token>() {
                operation.may_show(*scheme);
            } else {
                operation.shown(*scheme, &[]);
            }
        }
    }
    if class.reads_bodies() {
        operation.reads_a_body();
    }
    if class.unknown != Unknown::Pass {
        operation.refuses(&[(503, code::BUSY)]);
    }
    if class.is::<Internal>() || class.is::<Desk>() {
        operation.shown(Scheme::MutualTls, &[]);
        operation.refuses(&[(403, code::FORBIDDEN)]);
    }
    if class.reader() == Some(Reader::People) {
        operation.for_people();
    }
}

/// What a layer looks at in a request that its sender has to show.
fn shown(layer: LayerId) -> &'static [Scheme] {
    match layer {
        LayerId::ApiKey => &[Scheme::ApiKey],
        LayerId::Attestation => &[Scheme::AttestationToken],
        LayerId::MessageSignature => &[Scheme::MessageSignature],
        LayerId::AccessToken => &[Scheme::AccessToken, Scheme::DpopProof],
        LayerId::Host
        | LayerId::ClientVersion
        | LayerId::RateLimit
        | LayerId::Captcha
        | LayerId::Waf
        | LayerId::Authorization
        | LayerId::Behavior => &[],
    }
}

/// How a layer says no.
fn told(layer: LayerId) -> &'static [Told] {
    match layer {
        LayerId::Host => &[(400, code::REQUEST_INVALID), (415, code::UNSUPPORTED_MEDIA_TYPE), (421, code::MISDIRECTED)],
        LayerId::ApiKey => &[(403, code::CLIENT_UNKNOWN)],
        LayerId::ClientVersion => &[(403, code::CLIENT_UNKNOWN), (426, code::CLIENT_OUTDATED)],
        LayerId::RateLimit => &[(429, code::RATE_LIMITED)],
        LayerId::Captcha => &[(403, code::CAPTCHA_REQUIRED)],
        LayerId::Attestation | LayerId::MessageSignature | LayerId::AccessToken => &[(401, code::UNAUTHORIZED)],
        LayerId::Waf => &[(400, code::REQUEST_INVALID)],
        LayerId::Authorization => &[(401, code::UNAUTHORIZED), (403, code::FORBIDDEN)],
        LayerId::Behavior => &[],
    }
}
