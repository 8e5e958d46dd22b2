//! The queue in front of the behavior analytics.
//!
//! What holds:
//! - the queue is bounded, and a call has a deadline of its own: a full queue, a late answer or none is [`Answer::Unknown`], and so money waits for nothing
//!   else than its own deadline;
//! - two tasks take what is waiting and ask about all of it in one call. At low load a call has one question, and goes at once; while another is under
//!   way questions gather for a moment, because a call costs as much as a dozen of them;
//! - a question whose payment has gone on is not asked any more, so nothing piles up behind a slow call;
//! - each question has its own answer: results come in the order of the questions, as many as there are, or none counts.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::Result;
use api::Pseudonym;
use api::behavior::{BATCH, ScoreRequest, ScoreRequests, ScoreResult, ScoreResults};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use reqwest::Client;
use runtime::{Shutdown, metrics};
use storage::Pool;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument as _, Span};

use super::circuit::{Admission, Circuit};
use super::model::{Answer, Judged, Payee, Payment};
use super::owners::Owners;
use super::store;
use crate::config::Behavior;
use crate::ids::{AccountId, Subject};
use crate::outbox::payment;

/// `ledger.risk.batch.size`: questions of one call.
static QUESTIONS: LazyLock<Histogram<u64>> =
    LazyLock::new(|| metrics::meter().u64_histogram("ledger.risk.batch.size").build());
/// `ledger.risk.answers{answer}`: what payments got, in time or not.
static ANSWERS: LazyLock<Counter<u64>> = LazyLock::new(|| metrics::meter().u64_counter("ledger.risk.answers").build());

/// Questions that may wait.
const QUEUE: usize = 1_024;
/// Calls under way at a time, each with a connection to the database for accounts that were not met before.
pub(crate) const CALLS: usize = 2;
/// How long questions gather while a call is under way; no longer than that call takes.
const GATHER: Duration = Duration::from_millis(5);
/// How long a call may take, if payments do not wait longer.
const CALL: Duration = Duration::from_millis(250);

/// Takes questions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Asker {
    queue: mpsc::Sender<Question>,
    owners: Arc<Owners>,
    circuit: Arc<Circuit>,
    /// How long a payment waits.
    patience: Duration,
    acts: bool,
    hold: u32,
}

#[derive(Debug)]
struct Question {
    payment: Payment,
    /// Where its payment waits; nowhere, if nobody does.
    reply: Option<oneshot::Sender<Answer>>,
    span: Span,
}

impl Question {
    fn answer(self, answer: Answer) {
        if self.reply.is_some_and(|reply| reply.send(answer).is_err()) {
            tracing::debug!("a payment has gone on before its answer came");
        }
    }

    fn is_of_use(&self) -> bool {
        self.reply.as_ref().is_none_or(|reply| !reply.is_closed())
    }
}

impl Asker {
    /// An asker, and the work behind it, which somebody has to run. `pool` is the poster's.
    ///
    /// # Errors
    ///
    /// A setting is out of bounds.
    pub fn new(client: Client, settings: &Behavior, pool: Pool) -> Result<(Self, Work)> {
        let patience = settings.patience()?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (owners, circuit) = (Arc::<Owners>::default(), Arc::<Circuit>::default());
        let shared = Shared {
            waiting: Mutex::new(waiting),
            owners: Arc::clone(&owners),
            circuit: Arc::clone(&circuit),
            pool,
            client,
            url: format!("{}/internal/v1/scores", settings.url),
            patience,
            first: Semaphore::new(1),
        };
        let (acts, hold) = (settings.acts, settings.hold()?);
        Ok((Self { queue, owners, circuit, patience, acts, hold }, Work(Arc::new(shared))))
    }

    /// How long a payout is held, in seconds, that would be delayed.
    pub fn hold(&self) -> u32 {
        self.hold
    }

    /// Whether what is thought of a payment counts.
    pub fn acts(&self) -> bool {
        self.acts
    }

    /// What is thought of a payment, or that nobody has said so in time.
    pub async fn ask(&self, payment: Payment) -> Answer {
        let deadline = Instant::now() + self.patience;
        let answer = self.answer(payment, deadline).await;
        let word = match answer {
            Answer::Judged(judged) => judged.action.into(),
            Answer::NotAsked => "not_asked",
            Answer::Unknown(reason) => reason,
        };
        ANSWERS.add(1, &[KeyValue::new("answer", word)]);
        answer
    }

    async fn answer(&self, payment: Payment, deadline: Instant) -> Answer {
        if let Payee::Owner(account) = payment.payee
            && self.owners.get(account).as_ref() == Some(&payment.user)
        {
            return Answer::NotAsked;
        }
        let admission = self.circuit.admits(Instant::now());
        if admission == Admission::Nothing {
            return Answer::Unknown("behavior_away");
        }
        let (reply, answer) = oneshot::channel();
        let waits = admission == Admission::Ask;
        let question = Question { payment, reply: waits.then_some(reply), span: Span::current() };
        if self.queue.try_send(question).is_err() {
            return Answer::Unknown("queue_full");
        }
        if !waits {
            return Answer::Unknown("behavior_away");
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_gone)) => Answer::Unknown("stopping"),
            Err(_late) => Answer::Unknown("late"),
        }
    }
}

/// The tasks behind an [`Asker`].
pub struct Work(Arc<Shared>);

impl Work {
    /// Asks until the process goes down. No payment is under way by then.
    pub async fn run(self, shutdown: Shutdown) -> Result<()> {
        let mut asking = JoinSet::new();
        for _ in 0..CALLS {
            let (shared, shutdown) = (Arc::clone(&self.0), shutdown.clone());
            asking.spawn(async move { shared.lane(&shutdown).await });
        }
        while let Some(ended) = asking.join_next().await {
            ended?;
        }
        Ok(())
    }
}

/// What the tasks share.
struct Shared {
    waiting: Mutex<mpsc::Receiver<Question>>,
    owners: Arc<Owners>,
    circuit: Arc<Circuit>,
    pool: Pool,
    client: Client,
    url: String,
    patience: Duration,
    /// One, while a call is under way that questions gather behind.
    first: Semaphore,
}

impl Shared {
    async fn lane(&self, shutdown: &Shutdown) {
        loop {
            let mut questions = Vec::new();
            let first = {
                let mut waiting = self.waiting.lock().await;
                tokio::select! {
                    biased;
                    taken = waiting.recv_many(&mut questions, 1) => if taken == 0 { return },
                    () = shutdown.requested() => return,
                }
                // Without it, for there is no more time to gather.
                let first = timeout(GATHER, self.first.acquire()).await.ok();
                while questions.len() < BATCH
                    && let Ok(question) = waiting.try_recv()
                {
                    questions.push(question);
                }
                first
            };
            questions.retain(Question::is_of_use);
            if !questions.is_empty() {
                let span = batch_span(&questions);
                self.process(questions).instrument(span).await;
            }
            drop(first);
        }
    }

    /// Answers all of them.
    async fn process(&self, questions: Vec<Question>) {
        let found = self.find_owners(&questions).await;
        let (mut asked, mut requests) = (Vec::with_capacity(questions.len()), Vec::with_capacity(questions.len()));
        for question in questions {
            match payee(&question.payment, &found) {
                Ok(payee) => {
                    requests.push(request(&question.payment, payee));
                    asked.push(question);
                }
                Err(answer) => question.answer(answer),
            }
        }
        if asked.is_empty() {
            return;
        }
        QUESTIONS.record(asked.len() as u64, &[]);
        let began = Instant::now();
        let outcome = timeout(self.patience.max(CALL), self.call(ScoreRequests { requests })).await;
        // Who is answered later has gone on.
        let in_time = began.elapsed() <= self.patience;
        // Default: one more way to fail.
        let outcome = outcome.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        self.circuit.record(in_time && outcome.is_ok(), Instant::now());
        match outcome {
            Ok(results) => {
                for (question, result) in asked.into_iter().zip(results) {
                    question.answer(judged(result));
                }
            }
            Err(why) => {
                tracing::warn!(reason = why, payments = asked.len(), "payments were not judged, and go on");
                for question in asked {
                    question.answer(Answer::Unknown("call_failed"));
                }
            }
        }
    }

    /// The owners of the payees' accounts: those that were met before, and with one query all others. Who is not in it is no customer, or could not be read.
    async fn find_owners(&self, questions: &[Question]) -> HashMap<AccountId, Subject> {
        let accounts = questions.iter().filter_map(|question| match question.payment.payee {
            Payee::Owner(account) => Some(account),
            Payee::Named(_) => None,
        });
        let (mut found, mut missing) = (HashMap::new(), Vec::new());
        for account in accounts {
            match self.owners.get(account) {
                Some(owner) => drop(found.insert(account, owner)),
                None => missing.push(account),
            }
        }
        if missing.is_empty() {
            return found;
        }
        let read = timeout(self.patience.max(CALL), store::owners(&self.pool, &missing)).await;
        match read {
            Ok(Ok(rows)) => {
                for (account, owner) in rows {
                    self.owners.add(account, owner.clone());
                    found.insert(account, owner);
                }
            }
            Ok(Err(cause)) => tracing::warn!(%cause, "it cannot be read whose accounts are"),
            Err(_) => tracing::warn!("it cannot be read in time whose accounts are"),
        }
        found
    }

    async fn call(&self, batch: ScoreRequests) -> Result<Vec<ScoreResult>, String> {
        let count = batch.requests.len();
        let cause = |error: reqwest::Error| runtime::http::cause(&error);
        let response = runtime::http::send(self.client.post(&self.url).json(&batch)).await.map_err(cause)?;
        let status = response.status();
        if !status.is_success() {
            return Err(status.to_string());
        }
        let ScoreResults { results } = response.json().await.map_err(cause)?;
        if results.len() != count {
            return Err(format!("{} results of {count} questions", results.len()));
        }
        Ok(results)
    }
}

/// Under which name the payee is asked about; the answer, if there is no question.
fn payee(payment: &Payment, owners: &HashMap<AccountId, Subject>) -> Result<Pseudonym, Answer> {
    match &payment.payee {
        Payee::Named(name) => Ok(name.clone()),
        Payee::Owner(account) => match owners.get(account) {
            None => Err(Answer::Unknown("payee_unknown")),
            Some(owner) if *owner == payment.user => Err(Answer::NotAsked),
            Some(owner) => Ok(payment::customer(owner.as_str())),
        },
    }
}

fn request(payment: &Payment, payee: Pseudonym) -> ScoreRequest {
    ScoreRequest {
        request_id: payment.request,
        at_unix_millis: payment.at_unix_millis,
        user: payment::customer(payment.user.as_str()),
        payee,
        amount: payment.amount.to_string(),
        currency: payment.amount.currency().code().to_owned(),
        device: Some(payment.device.clone()),
        place: payment.place.clone(),
    }
}

fn judged(result: ScoreResult) -> Answer {
    match result {
        ScoreResult::Scored(score) => {
            Answer::Judged(Judged { decision: score.decision_id.into(), action: score.action })
        }
        ScoreResult::Refused { code, field } => {
            tracing::error!(code, field, "behavior refused to judge a payment");
            Answer::Unknown("question_refused")
        }
    }
}

/// In the trace of the first payment, and linked to the others'.
fn batch_span(questions: &[Question]) -> Span {
    let first = questions.first().and_then(|question| question.span.id());
    let span = tracing::info_span!(parent: first, "risk.ask", payments = questions.len());
    for other in questions.iter().skip(1) {
        span.follows_from(&other.span);
    }
    span
}
