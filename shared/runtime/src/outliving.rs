//! What comes to its end although nobody waits for it any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::LocalBoxFuture;

/// A future that goes on in a task of its own when it is dropped before its end. While somebody waits, it is polled by whoever does: the
/// framework takes a body that is malformed for a client that is gone, and sends only what is answered at once.
pub(crate) struct Outliving<T: 'static>(Option<LocalBoxFuture<'static, T>>);

impl<T> Outliving<T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<T> Future for Outliving<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out meanwhile: one that panics does not go on.
        let Some(mut future) = self.0.take() else { return Poll::Pending };
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(future);
        }
        polled
    }
}

impl<T> Drop for Outliving<T> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take() {
            actix_web::rt::spawn(future);
        }
    }
}
