//! The profiles in memory, and how much of the log they are made of.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::events::{Fraud, Origin, Payment, Signal};
use crate::features::Features;
use crate::profiles::Profiles;

/// How long somebody who has written to the log waits until it is learned. It is stored by then, and will be.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the log may not be readable before nobody is judged by profiles that are made of what was read until then.
pub(crate) const STALE: Duration = Duration::from_secs(15);

/// One line of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Entry {
    /// Somebody was paid.
    Paid(Payment),
    /// Something happened at a user's door.
    Noticed(Signal),
    /// A payment is known to have been fraud.
    Fraud(Fraud),
    /// It is known not to have been, after all.
    Cleared(Fraud),
    /// What changes no profile.
    Nothing,
}

/// Profiles, and the number of the last line that they are made of.
#[derive(Debug, Default)]
struct Learned {
    profiles: Profiles,
    number: i64,
}

/// How far the fold has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The number of the last line that was learned.
    pub(crate) number: i64,
    /// The end of the log, as it was at the start; none, as long as nobody knows it.
    pub(crate) end: Option<i64>,
    /// It was reached.
    pub(crate) caught_up: bool,
    /// When the log was last read without a fault.
    pub(crate) read: Option<Instant>,
}

impl Progress {
    /// Whether the profiles are what they should be now: made of all that there was at the start, and not left behind since.
    pub(crate) fn is_current(&self) -> bool {
        self.caught_up && self.read.is_some_and(|read| read.elapsed() < STALE)
    }
}

/// The profiles of this process.
#[derive(Debug)]
pub(crate) struct Live {
    learned: RwLock<Learned>,
    progress: watch::Sender<Progress>,
    /// Rung when somebody has written to the log.
    pub(crate) bell: Notify,
}

impl Default for Live {
    fn default() -> Self {
        Self { learned: RwLock::default(), progress: watch::Sender::default(), bell: Notify::new() }
    }
}

impl Live {
    /// What a payment that is asked for from there looks like now, and the number of the last line that was learned before.
    pub(crate) fn look_at(&self, payment: &Payment, origin: Origin) -> (Features, i64) {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        (learned.profiles.look_at(payment, origin), learned.number)
    }

    /// Learns lines of the log, in their order. One that was learned is not learned again.
    pub(crate) fn learn(&self, lines: &[(i64, Entry)]) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        for (number, entry) in lines {
            if *number <= learned.number {
                continue;
            }
            match entry {
                Entry::Paid(payment) => learned.profiles.learn(payment),
                Entry::Noticed(signal) => learned.profiles.notice(signal),
                Entry::Fraud(fraud) => learned.profiles.learn_fraud(fraud),
                Entry::Cleared(fraud) => learned.profiles.unlearn_fraud(fraud),
                Entry::Nothing => (),
            }
            learned.number = *number;
        }
        let number = learned.number;
        drop(learned);
        self.progress.send_modify(|progress| progress.number = number);
    }

    /// Says where the log ends, at the start.
    pub(crate) fn ends_at(&self, end: i64) {
        self.progress.send_modify(|progress| progress.end = Some(end));
    }

    /// Says that all is learned that there is, for now.
    pub(crate) fn caught_up(&self) {
        self.progress.send_modify(|progress| (progress.caught_up, progress.read) = (true, Some(Instant::now())));
    }

    /// How far it has come.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Waits until the line of this number is learned, for a while: whoever was answered finds in the next score what was told, unless much is to be learned.
    pub(crate) async fn has_learned(&self, number: i64) {
        let mut progress = self.progress.subscribe();
        let learned = progress.wait_for(|progress| progress.number >= number);
        if timeout(PATIENCE, learned).await.is_err() {
            tracing::warn!(number, "what was stored is not learned yet");
        }
    }
}
