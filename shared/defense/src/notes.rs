//! Where a handler notes the word of *behavior*: what a payment looks like is asked by who knows the payment, behind all layers. The engine counts the
//! word with those of the layers, and says it on the span and in the receipt. Whether it counts, the handler says: it alone can put a challenge to the payer.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use runtime::RequestId;
use runtime::contract::{Described, Operation};

use crate::hops;
use crate::trail::{Decision, Said};
use crate::{LayerId, Mode};

/// What *behavior* thinks of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nothing against it.
    Pass,
    /// An honest user would be asked first, or made to wait; the stable word says which.
    Challenge(&'static str),
    /// Nobody has said, for this reason.
    Unknown(&'static str),
}

/// A request's notes: an argument of a handler that asks *behavior*.
#[derive(Debug, Clone)]
pub struct Notes {
    /// Our name for the request.
    request: Option<String>,
    /// Where it comes from.
    address: Option<IpAddr>,
    noted: Rc<RefCell<Vec<Noted>>>,
}

/// A word that was noted.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub(crate) decision: Decision,
    /// Under which *behavior* keeps it.
    pub(crate) id: Option<String>,
}

impl Notes {
    /// Notes what *behavior* said, under which id it keeps that, how long it took to say so, and whether it counts. A second word is not noted: a
    /// request pays once.
    pub fn behavior(&self, word: Word, id: Option<String>, took: Duration, counts: bool) {
        let mut noted = self.noted.borrow_mut();
        if !noted.is_empty() {
            return;
        }
        let mode = if counts { Mode::Enforce } else { Mode::Shadow };
        let (said, reason) = match word {
            Word::Pass => (Said::Pass, None),
            Word::Challenge(reason) => (Said::Challenge, Some(reason)),
            Word::Unknown(reason) => (Said::Unknown, Some(reason)),
        };
        let decision = Decision { layer: LayerId::Behavior, mode, said, reason, took };
        noted.push(Noted { decision, id });
    }

    /// The server's name for the request, as it is answered in `Request-Id`.
    pub fn request_id(&self) -> Option<&str> {
        self.request.as_deref()
    }

    /// Where the request comes from, as the layers have found it.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// All that the request's handler has noted.
    pub(crate) fn taken(request: &HttpRequest) -> Vec<Noted> {
        // Default: a handler that takes no notes has none.
        request.extensions().get::<Self>().map(|notes| notes.noted.take()).unwrap_or_default()
    }
}

impl FromRequest for Notes {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let name = request.extensions().get::<RequestId>().map(|id| id.0.clone());
        let notes = Self { request: name, address: hops::address(request), noted: Rc::default() };
        request.extensions_mut().insert(notes.clone());
        ready(Ok(notes))
    }
}

impl Described for Notes {
    fn describe(_: &mut Operation) {}
}
