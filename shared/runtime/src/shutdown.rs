//! The end of a process: who asks for it, and how background work hears of it.
//!
//! Order (see [`crate::Running::stop`]): not ready any more → listeners drain → background work is told → telemetry is
//! flushed. So a background task may rely on being alive while requests are.

use std::time::Duration;

use tokio::sync::watch;

/// Told to everything that runs beside the requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// The other end, held by the runtime (and by tests).
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

impl Shutdown {
    /// A pair of signal and trigger.
    pub fn channel() -> (ShutdownTrigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownTrigger(sender), Self(receiver))
    }

    /// True once the process is going down.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the process goes down. Use it in `select!` beside the next piece of work.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        // An error means that the runtime itself is gone: that is a shutdown too.
        drop(receiver.wait_for(|requested| *requested).await);
    }

    /// Waits so long between two rounds of work that is done again and again. False once the process goes down: there is no next round.
    pub async fn pause(&self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.requested()).await.is_err()
    }
}

impl ShutdownTrigger {
    /// Asks everybody who holds a [`Shutdown`] to end.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

/// Waits for SIGTERM, SIGINT or, when asked, the end of standard input; says which.
pub(crate) async fn asked_to_stop(with_parent: bool) -> std::io::Result<&'static str> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let reason = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = parent_gone(), if with_parent => "the parent process is gone",
    };
    Ok(reason)
}

/// Ends when standard input does. A thread of its own reads, because tokio would wait for such a read at its end.
async fn parent_gone() {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        drop(sender);
    });
    drop(receiver.await);
}
