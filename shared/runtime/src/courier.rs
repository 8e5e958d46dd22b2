//! Takes work off a table ([`storage::Queue`]), piece by piece, for as long as it takes.
//!
//! What holds:
//! - a piece is tried until its job says that it is done, ever more slowly ([`pause`]);
//! - one that is slow holds up no other;
//! - what is under way when the process goes down is finished, as far as there is time; the rest is left to its lease.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tracing::{Instrument as _, Span};

use crate::{Shutdown, trace};

/// Pieces that are worked on at a time.
const AT_ONCE: usize = 16;
/// Attempts come no more rarely than at this pause and up to as much again.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// One kind of work.
pub trait Job: Send + Sync + 'static {
    /// A row of the queue, as work to do.
    type Piece: Send + 'static;
    /// What is remembered from look to look.
    type Memory: Default + Send;
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What a piece is called in the log.
    const PIECE: &'static str;

    /// Takes at most `limit` pieces that are due, under a lease that is longer than the work on one can take.
    fn claim(&self, limit: i64) -> impl Future<Output = Result<Vec<Self::Piece>, Self::Error>> + Send;

    /// The span of one attempt, and the trace that it belongs to: that of the request which left the work.
    fn span(piece: &Self::Piece) -> (Span, Option<&str>);

    /// One attempt, and what came of it, stored.
    fn carry_out(&self, piece: Self::Piece) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// What else is to be done every now and then. An error ends the courier, and with it the process.
    fn maintain(&self, memory: &mut Self::Memory) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Looks for due pieces and has the job carry them out.
pub struct Courier<J> {
    /// How to claim and carry out a piece.
    pub job: J,
    /// Rung when a piece was left.
    pub bell: Arc<Notify>,
    /// How often to look without being told.
    pub poll: Duration,
}

impl<J: Job> Courier<J> {
    /// Works until the process goes down.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let job = Arc::new(self.job);
        let mut memory = J::Memory::default();
        let mut under_way = JoinSet::new();
        let mut reads = true;
        while !shutdown.is_requested() {
            job.maintain(&mut memory).await?;
            let claimed = match i64::try_from(AT_ONCE - under_way.len())? {
                0 => Vec::new(),
                room => match job.claim(room).await {
                    Ok(claimed) => {
                        if !reads {
                            tracing::info!(piece = J::PIECE, "what is due can be read again");
                        }
                        reads = true;
                        claimed
                    }
                    // It is asked for again at the next look; said once, for a database that is away is away for longer than a look.
                    Err(error) => {
                        if reads {
                            tracing::warn!(cause = %error, piece = J::PIECE, "what is due cannot be read");
                        }
                        reads = false;
                        Vec::new()
                    }
                },
            };
            let found = claimed.len();
            for piece in claimed {
                under_way.spawn(attempt(Arc::clone(&job), piece));
            }
            tokio::select! {
                () = shutdown.requested() => (),
                Some(ended) = under_way.join_next() => {
                    report::<J>(ended);
                    while let Some(ended) = under_way.try_join_next() {
                        report::<J>(ended);
                    }
                }
                () = self.bell.notified(), if found == 0 => (),
                () = tokio::time::sleep(self.poll) => (),
            }
        }
        while let Some(ended) = under_way.join_next().await {
            report::<J>(ended);
        }
        Ok(())
    }
}

async fn attempt<J: Job>(job: Arc<J>, piece: J::Piece) -> Result<(), J::Error> {
    let (span, traceparent) = J::span(&piece);
    trace::continue_from(&span, traceparent);
    if let Some(trace_id) = trace::trace_id(&span) {
        span.record("trace_id", trace_id);
    }
    job.carry_out(piece).instrument(span).await
}

fn report<J: Job>(ended: Result<Result<(), J::Error>, JoinError>) {
    match ended {
        Ok(Ok(())) => (),
        Ok(Err(error)) => {
            tracing::warn!(cause = %error, piece = J::PIECE, "an outcome was not stored; it will be looked at again");
        }
        Err(error) => {
            tracing::error!(cause = %error, piece = J::PIECE, "an attempt broke off; it will be looked at again");
        }
    }
}

/// The pause after so many attempts: `first`, twice that, and so on, up to five minutes; each and up to as much again, so that what failed
/// together does not come back together.
pub fn pause(first: Duration, attempts: i32) -> Duration {
    let pauses = ExponentialBuilder::new().with_jitter().with_min_delay(first).with_max_delay(MAX_PAUSE);
    let pauses = (0..attempts).zip(pauses.without_max_times().build());
    // Default: before the first attempt there is nothing to double.
    pauses.last().map_or(first, |(_, pause)| pause)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_up_to_as_much_again() {
        let first = Duration::from_millis(500);
        for (attempts, least) in [(1, 500), (2, 1_000), (5, 8_000), (11, 300_000), (10_000, 300_000)] {
            let (pause, least) = (pause(first, attempts), Duration::from_millis(least));
            assert!((least..=2 * least).contains(&pause), "{attempts}: {pause:?}");
        }
        assert_eq!([pause(first, 0), pause(first, -1)], [first, first]);
    }

    /// Pieces 1 to 40; the first of them takes until it is told.
    #[derive(Clone, Default)]
    struct Count {
        left: Arc<Mutex<Vec<u32>>>,
        done: Arc<Mutex<Vec<u32>>>,
        slow: Arc<Notify>,
    }

    impl Job for Count {
        type Piece = u32;
        type Memory = ();
        type Error = std::io::Error;

        const PIECE: &'static str = "a number";

        async fn claim(&self, limit: i64) -> Result<Vec<u32>, Self::Error> {
            let mut left = self.left.lock().unwrap();
            let count = left.len().min(usize::try_from(limit).unwrap());
            Ok(left.drain(..count).collect())
        }

        fn span(_: &u32) -> (Span, Option<&str>) {
            (Span::none(), None)
        }

        async fn carry_out(&self, piece: u32) -> Result<(), Self::Error> {
            if piece == 1 {
                self.slow.notified().await;
            }
            self.done.lock().unwrap().push(piece);
            Ok(())
        }

        async fn maintain(&self, (): &mut ()) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_slow_piece_holds_up_no_other_and_is_finished_when_the_process_goes_down() {
        let job = Count { left: Arc::new(Mutex::new((1..=40).collect())), ..Count::default() };
        let courier = Courier { job: job.clone(), bell: Arc::new(Notify::new()), poll: Duration::from_millis(5) };
        let (trigger, shutdown) = Shutdown::channel();
        let running = tokio::spawn(courier.run(shutdown));
        while job.done.lock().unwrap().len() < 39 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!job.done.lock().unwrap().contains(&1));
        trigger.request();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!running.is_finished());
        job.slow.notify_one();
        running.await.unwrap().unwrap();
        assert!(job.done.lock().unwrap().contains(&1));
    }
}
