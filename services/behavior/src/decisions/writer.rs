//! Stores decisions before they are answered: one writer takes all batches that wait, in one statement with one commit, and answers each.
//!
//! There is no timer. At low load a batch goes alone, and waits for one commit; under load it waits for the one that is under way and for its own. So a
//! decision that was answered is there, whatever becomes of this process, and the disk is not waited for once for each of them. A batch is never
//! torn: its decisions are there together, or none of them is.

use storage::{Pool, StorageError};
use tokio::sync::{mpsc, oneshot};

use super::{Decision, store};
use crate::error::Error;

/// Batches that may wait, each of up to [`api::behavior::BATCH`] decisions. Who comes when it is full is told to come back: by then the answer would come too late.
const WAITING: usize = 256;
/// Batches of one statement at most.
const AT_ONCE: usize = 32;

type Outcome = Result<(), Lost>;

/// Why a decision is not there, as all that were to be stored with it are told.
#[derive(Debug, Clone)]
enum Lost {
    /// It is not.
    NotStored(String),
    /// Nobody knows.
    Unknown(String),
}

struct Waiting {
    decisions: Vec<Decision>,
    stored: oneshot::Sender<Outcome>,
}

/// Where decisions are handed in.
#[derive(Clone)]
pub(crate) struct Handle(mpsc::Sender<Waiting>);

/// Who stores them.
pub(crate) struct Writer(mpsc::Receiver<Waiting>);

/// Where they are handed in, and who stores them.
pub(crate) fn open() -> (Handle, Writer) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Handle(sender), Writer(receiver))
}

impl Handle {
    /// Returns when all of them are stored.
    pub(crate) async fn store(&self, decisions: Vec<Decision>) -> Result<(), Error> {
        let (stored, outcome) = oneshot::channel();
        self.0.try_send(Waiting { decisions, stored }).map_err(|_full| Error::Full)?;
        match outcome.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Lost::NotStored(why))) => Err(Error::NotStored(why)),
            Ok(Err(Lost::Unknown(why))) => Err(Error::Unknown(why)),
            Err(_gone) => Err(Error::Unknown("the process is stopping".to_owned())),
        }
    }
}

impl Writer {
    /// Stores what comes until the process goes down, and then what waits. Nothing comes any more by then: the listeners have drained.
    pub(crate) async fn run(mut self, pool: Pool, shutdown: runtime::Shutdown) -> anyhow::Result<()> {
        loop {
            let mut waiting = Vec::new();
            tokio::select! {
                biased;
                taken = self.0.recv_many(&mut waiting, AT_ONCE) => if taken == 0 { return Ok(()) },
                () = shutdown.requested() => return Ok(()),
            }
            let (batches, told): (Vec<_>, Vec<_>) = waiting.into_iter().map(|one| (one.decisions, one.stored)).unzip();
            let decisions: Vec<Decision> = batches.into_iter().flatten().collect();
            let outcome = store::insert(&pool, &decisions).await.map_err(|error| match error {
                StorageError::OutcomeUnknown(why) => Lost::Unknown(why),
                error => Lost::NotStored(error.to_string()),
            });
            for stored in told {
                // Lost: who asked has gone; the decisions are there all the same.
                drop(stored.send(outcome.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use money::{Currency, Money};
    use tokio::task::JoinSet;

    use super::*;
    use crate::action::Action;
    use crate::input::Paid;
    use crate::said::Said;

    fn decision() -> Decision {
        let at = DateTime::UNIX_EPOCH;
        Decision {
            id: storage::ids::new(0).into(),
            decided_at: at,
            request: None,
            paid: Paid { at, user: 1, payee: 2, money: Money::new(100, Currency::EUR) },
            features_version: 1,
            features: Vec::new(),
            learned: 0,
            said: Said {
                score: 0.5,
                action: Action::Allow,
                reasons: Vec::new(),
                model: String::new(),
                rules: String::new(),
            },
            dry_run: None,
        }
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_told_at_once_and_who_waits_when_the_writer_goes_is_told_that_nobody_knows()
    {
        let (handle, writer) = open();
        let mut waiting = JoinSet::new();
        for _ in 0..WAITING {
            let handle = handle.clone();
            waiting.spawn(async move { handle.store(vec![decision()]).await });
        }
        // All of them are handed in once the last one has a place.
        while handle.0.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(handle.store(vec![decision()]).await, Err(Error::Full)));
        drop(writer);
        while let Some(outcome) = waiting.join_next().await {
            assert!(matches!(outcome.unwrap(), Err(Error::Unknown(_))));
        }
    }
}
