//! A body on its way in: whoever reads it, it has arrived ten seconds after its head or is given up; and a body that nobody read to its end
//! ends its connection.
//!
//! The second half needs care. actix goes on reading a chunked body that the handler has let go of, without any limit, so that the connection can
//! be used again: a byte a second holds it for ever. A body that is still held when the answer is sent closes the connection instead, so
//! the answer holds it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::future::FutureExt as _;
use tokio::time::Sleep;

use crate::continuing::Continue;

/// Time for a body to arrive; a client that drips bytes is let go.
const TIME: Duration = Duration::from_secs(10);

/// What is left of a body. `None` once it has arrived whole.
type Rest = Rc<RefCell<Option<Payload>>>;

/// The body as extractors see it.
struct Incoming {
    rest: Rest,
    late: Pin<Box<Sleep>>,
    /// Whoever waits to be told that it is read.
    waiting: Option<Continue>,
}

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.late.poll_unpin(context).is_ready() {
            return Poll::Ready(Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))));
        }
        // Each time: the end of the answer before may have left meanwhile.
        if let Some(waiting) = &self.waiting {
            waiting.want();
        }
        let mut rest = self.rest.borrow_mut();
        let Some(payload) = rest.as_mut() else { return Poll::Ready(None) };
        let chunk = Pin::new(payload).poll_next(context);
        if matches!(chunk, Poll::Ready(None)) {
            *rest = None;
        }
        chunk
    }
}

/// The hold on a body, for its answer.
pub(crate) struct Held(Option<Rest>);

/// Bounds the body of a request.
pub(crate) fn bound(request: &mut ServiceRequest) -> Held {
    let payload = request.parts_mut().1.take();
    if matches!(payload, Payload::None) {
        return Held(None);
    }
    let rest: Rest = Rc::new(RefCell::new(Some(payload)));
    let late = Box::pin(tokio::time::sleep(TIME));
    let incoming = Incoming { rest: Rc::clone(&rest), late, waiting: request.conn_data::<Continue>().cloned() };
    request.set_payload(Payload::Stream { payload: Box::pin(incoming) });
    Held(Some(rest))
}

impl Held {
    /// The answer's body, which from now on holds what was not read.
    pub(crate) fn by(self, body: BoxBody) -> BoxBody {
        match self.0 {
            Some(rest) if rest.borrow().is_some() => BoxBody::new(Holding { body, _rest: rest }),
            _ => body,
        }
    }
}

struct Holding {
    body: BoxBody,
    _rest: Rest,
}

impl MessageBody for Holding {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}
