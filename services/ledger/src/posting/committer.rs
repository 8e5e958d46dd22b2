//! The front door of the engine ([`post`]), and the queue in front of the database.
//!
//! What holds:
//! - the queue is bounded: a full one refuses at once, and nothing has happened;
//! - an order that was taken is decided even if its sender hangs up: the work is in tasks of its own;
//! - an order that has waited for longer than [`PATIENCE`] is not taken any more: it is [`Unanswered::Busy`], and nothing has happened.
//!   A transaction has its limit too, so every sender has an answer within nine seconds, whatever the database does;
//! - an account that somebody else holds holds up only those who need it: their orders are set aside, to lanes of their own;
//! - what may have been committed is [`Unanswered::Unknown`], never a failure: the same key asks again and gets the truth;
//! - one bad order does not spoil the batch that it came in: a batch that the database refuses is tried again in halves.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use runtime::{Clock, Shutdown, metrics};
use storage::Pool;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span};

use super::aside::Aside;
use super::batch::{Answer, Fate, Order};
use super::model::{Actor, Outcome, Posted, Unanswered};
use super::store::{self, Failure};
use crate::error::Error;
use crate::ids::AccountId;

/// `ledger.batch.size`: orders per transaction. It grows with the load; at the limit the queue grows instead.
static BATCH: LazyLock<Histogram<u64>> = LazyLock::new(|| metrics::meter().u64_histogram("ledger.batch.size").build());
/// `ledger.orders{outcome}`.
static ORDERS: LazyLock<Counter<u64>> = LazyLock::new(|| metrics::meter().u64_counter("ledger.orders").build());

/// `ledger.orders.set_aside`: their accounts were held by somebody else.
static SET_ASIDE: LazyLock<Counter<u64>> =
    LazyLock::new(|| metrics::meter().u64_counter("ledger.orders.set_aside").build());

/// How long an order waits for its transaction to begin. Its sender would not hear the answer of a later one.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Lanes for orders whose accounts others hold, each with a connection of its own. So many accounts can be waited for at a time.
pub const SIDE_LANES: usize = 2;
/// A sender that has no answer when its order and a transaction have had all their time has met a fault of ours.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Orders that may wait.
    pub queue: usize,
    /// Orders in one transaction.
    pub batch: usize,
    /// Transactions at a time. They overlap one's commit with the next one's reading.
    pub lanes: usize,
}

/// A posting and whether it is the answer to a repetition.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    pub posted: Posted,
    /// It was there before.
    pub replayed: bool,
}

/// The front door: posts an order. A refusal is an error, the same one every time.
pub async fn post(committer: &Committer, order: Order) -> Result<Receipt, Error> {
    let kind = order.command.kind;
    let (outcome, replayed) = match committer.submit(order).await? {
        Answer::Decided(outcome) => (outcome, false),
        Answer::Replayed(outcome) => (outcome, true),
        Answer::KeyReused => return Err(Error::KeyReused),
    };
    match outcome {
        Outcome::Posted(posted) => Ok(Receipt { posted, replayed }),
        Outcome::Rejected(rejection) => Err(Error::Rejected { rejection, kind, replayed }),
    }
}

/// Takes orders. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Committer {
    queue: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    order: Order,
    sender: Sender,
}

/// Whose order it is.
#[derive(Debug)]
struct Sender {
    reply: oneshot::Sender<Result<Answer, Unanswered>>,
    span: Span,
    /// The order is not taken after it.
    deadline: Instant,
}

impl Sender {
    fn answer(self, answer: Result<Answer, Unanswered>) {
        if self.reply.send(answer).is_err() {
            tracing::debug!("a sender has hung up; it learns the outcome when it asks again");
        }
    }
}

impl Committer {
    /// A committer, and the work behind it, which somebody has to run. `pool` is the poster's.
    pub fn new(pool: Pool, clock: Arc<dyn Clock>, sizes: Sizes) -> (Self, Work) {
        let (queue, waiting) = mpsc::channel(sizes.queue.max(1));
        let shared = Shared {
            waiting: Mutex::new(waiting),
            aside: Aside::new(sizes.queue.max(1)),
            pool,
            clock,
            batch: sizes.batch.max(1),
        };
        let shared = Arc::new(shared);
        (Self { queue }, Work { shared, lanes: sizes.lanes.max(1) })
    }

    /// Hands an order over and waits for its outcome.
    pub async fn submit(&self, order: Order) -> Result<Answer, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + PATIENCE;
        let job = Job { order, sender: Sender { reply, span: Span::current(), deadline } };
        let answer = match self.queue.try_send(job) {
            Ok(()) => wait_for(answer, deadline + store::LIMIT.work + store::LIMIT.commit + GRACE).await,
            Err(_) => Err(Unanswered::Busy),
        };
        ORDERS.add(1, &[KeyValue::new("outcome", outcome(&answer))]);
        answer
    }
}

/// The answer, or that there is none.
async fn wait_for(answer: oneshot::Receiver<Result<Answer, Unanswered>>, until: Instant) -> Result<Answer, Unanswered> {
    // A reply that was dropped is a lane that has died with the order in its hands.
    timeout_at(until, answer)
        .await
        // Default: what is not known is called so.
        .unwrap_or_else(|_| {
            tracing::error!("a lane does not answer");
            Ok(Err(Unanswered::Unknown))
        })
        // Default: likewise.
        .unwrap_or(Err(Unanswered::Unknown))
}

/// The tasks behind a [`Committer`].
pub struct Work {
    shared: Arc<Shared>,
    lanes: usize,
}

impl Work {
    /// Runs until the process goes down and the queue is empty.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let (mut lanes, mut side_lanes) = (JoinSet::new(), JoinSet::new());
        for _ in 0..self.lanes {
            let (shared, shutdown) = (Arc::clone(&self.shared), shutdown.clone());
            lanes.spawn(async move { shared.lane(&shutdown).await });
        }
        for _ in 0..SIDE_LANES {
            let shared = Arc::clone(&self.shared);
            side_lanes.spawn(async move { shared.side_lane().await });
        }
        while let Some(ended) = lanes.join_next().await {
            ended?;
        }
        // Nothing more is set aside but by the side lanes themselves.
        self.shared.aside.close();
        while let Some(ended) = side_lanes.join_next().await {
            ended?;
        }
        Ok(())
    }
}

/// What the lanes share.
struct Shared {
    waiting: Mutex<mpsc::Receiver<Job>>,
    aside: Aside<Job>,
    pool: Pool,
    clock: Arc<dyn Clock>,
    batch: usize,
}

impl Shared {
    async fn lane(&self, shutdown: &Shutdown) {
        loop {
            let jobs = self.next_jobs(shutdown).await;
            if jobs.is_empty() {
                return;
            }
            self.process(jobs, None).await;
        }
    }

    /// Waits for accounts that others hold, one after the other, each with all the orders that need it.
    async fn side_lane(&self) {
        while let Some((account, jobs)) = self.aside.next(self.batch).await {
            self.process(jobs, Some(account)).await;
            self.aside.done(account);
        }
    }

    /// What is waiting now, or the first that comes. Empty once the process goes down and nothing is left.
    async fn next_jobs(&self, shutdown: &Shutdown) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut waiting = self.waiting.lock().await;
        tokio::select! {
            biased;
            _ = waiting.recv_many(&mut jobs, self.batch) => (),
            () = shutdown.requested() => {
                waiting.close();
                waiting.recv_many(&mut jobs, self.batch).await;
            }
        }
        jobs
    }

    async fn process(&self, jobs: Vec<Job>, awaited: Option<AccountId>) {
        let mut batches = vec![jobs];
        while let Some(jobs) = batches.pop() {
            let mut jobs = in_time(jobs);
            if jobs.is_empty() {
                continue;
            }
            match self.post(&mut jobs, awaited).await {
                Ok(()) => (),
                Err(Failure::Unavailable(cause)) => {
                    tracing::warn!(%cause, orders = jobs.len(), "a batch was not written");
                    refuse(jobs, Unanswered::Busy);
                }
                Err(Failure::Unknown(cause)) => {
                    tracing::error!(%cause, orders = jobs.len(), "the outcome of a batch is unknown");
                    refuse(jobs, Unanswered::Unknown);
                }
                Err(cause) if cause.is_closed() => batches.extend(facts(jobs, &cause)),
                Err(cause) if jobs.len() > 1 => {
                    tracing::error!(%cause, orders = jobs.len(), "a batch was refused; it is tried in halves");
                    let second = jobs.split_off(jobs.len() / 2);
                    batches.extend([second, jobs]);
                }
                Err(Failure::Held(cause)) => {
                    tracing::warn!(%cause, "an order needs a row that others hold");
                    refuse(jobs, Unanswered::Busy);
                }
                Err(cause) => {
                    let ceiling = jobs.first().and_then(|job| cause.ceiling(&job.order.extra));
                    if ceiling.is_none() {
                        tracing::error!(%cause, "an order was refused by the database");
                    }
                    // Default: what no client has a word for is a fault of ours.
                    refuse(jobs, ceiling.map_or(Unanswered::Fault, Unanswered::Ceiling));
                }
            }
        }
    }

    /// One transaction. On success `jobs` is answered or set aside, and empty.
    async fn post(&self, jobs: &mut Vec<Job>, awaited: Option<AccountId>) -> Result<(), Failure> {
        let (orders, senders): (Vec<Order>, Vec<Sender>) = jobs.drain(..).map(|job| (job.order, job.sender)).unzip();
        let span = batch_span(&senders);
        let posting = store::post(&self.pool, &orders, awaited, self.clock.unix_millis()).instrument(span);
        let outcome = posting.await;
        let whole = orders.into_iter().zip(senders).map(|(order, sender)| Job { order, sender });
        match outcome {
            Ok(fates) => {
                BATCH.record(fates.len() as u64, &[]);
                for (job, fate) in whole.zip(fates) {
                    match fate {
                        Fate::Answered(answer) => job.sender.answer(Ok(answer)),
                        Fate::Waits(account) => self.set_aside(account, job),
                    }
                }
                Ok(())
            }
            Err(failure) => {
                jobs.extend(whole);
                Err(failure)
            }
        }
    }

    fn set_aside(&self, account: AccountId, job: Job) {
        SET_ASIDE.add(1, &[]);
        if let Err(job) = self.aside.add(account, job) {
            job.sender.answer(Err(Unanswered::Busy));
        }
    }
}

/// Those that have not waited for too long. The others are told that nothing has happened.
fn in_time(jobs: Vec<Job>) -> Vec<Job> {
    let now = Instant::now();
    let (jobs, late): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| now < job.sender.deadline);
    if !late.is_empty() {
        tracing::warn!(orders = late.len(), "orders have waited for too long");
        refuse(late, Unanswered::Busy);
    }
    jobs
}

/// What is booked while the books are closed, which is what has happened elsewhere; who wants something to happen is told to come back.
fn facts(jobs: Vec<Job>, cause: &Failure) -> Option<Vec<Job>> {
    let (facts, intents): (Vec<Job>, Vec<Job>) =
        jobs.into_iter().partition(|job| job.order.command.actor == Actor::House);
    tracing::error!(%cause, orders = intents.len(), "the books are closed: `ledger restored` says how to go on");
    if intents.is_empty() {
        // Of these none waits.
        refuse(facts, Unanswered::Fault);
        return None;
    }
    refuse(intents, Unanswered::Busy);
    Some(facts)
}

fn outcome(answer: &Result<Answer, Unanswered>) -> &'static str {
    match answer {
        Ok(Answer::Decided(Outcome::Posted(_))) => "posted",
        Ok(Answer::Decided(Outcome::Rejected(_))) => "rejected",
        Ok(Answer::Replayed(_)) => "replayed",
        Ok(Answer::KeyReused) => "key_reused",
        Err(Unanswered::Busy) => "busy",
        Err(Unanswered::Unknown) => "unknown",
        Err(Unanswered::Fault) => "fault",
        Err(Unanswered::Ceiling(word)) => word,
    }
}

fn refuse(jobs: Vec<Job>, why: Unanswered) {
    for job in jobs {
        job.sender.answer(Err(why));
    }
}

/// In the trace of the first request, and linked to the others': a batch has one span, and that has one parent.
fn batch_span(senders: &[Sender]) -> Span {
    let first = senders.first().and_then(|sender| sender.span.id());
    let span = tracing::info_span!(parent: first, "posting.batch", orders = senders.len());
    for other in senders.iter().skip(1) {
        span.follows_from(&other.span);
    }
    span
}
