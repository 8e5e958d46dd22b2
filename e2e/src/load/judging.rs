//! Load on the behavior analytics, as the ledger puts it there: over mTLS, in batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::Id;
use api::behavior::{BATCH, Event, EventOutcome, EventResults, Events, ScoreRequest, ScoreRequests, ScoreResult};
use mobile_sdk::{Clock as _, SystemClock};
use reqwest::{Client, RequestBuilder, Response};
use serde::{Deserialize, Serialize};
use testkit::pki::Pki;
use tokio::task::JoinSet;

use super::{Report, paced, report};
use crate::stack::Stack;

/// A hundredth as many payees as users, of a million.
const PAYEES: u64 = 10_000;
/// What is told happened on one of so many days before.
const DAYS: u64 = 30;
const DAY_MILLIS: i64 = 86_400_000;
/// For one answer: what hangs ends the measurement.
const PATIENCE: Duration = Duration::from_secs(10);

/// One payment of each of some users, told as fast as it is taken.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The first of them.
    pub from: u64,
    /// How many.
    pub users: u64,
    /// Batches that wait for their answer at any moment.
    pub in_flight: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Took {
    /// Payments that were taken.
    pub events: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Payments of random users that are asked about.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Scores {
    /// Users that were told of.
    pub users: u64,
    /// Payments of one call.
    pub batch: usize,
    /// How they come.
    #[serde(flatten)]
    pub pace: Pace,
    /// Seconds that are measured.
    pub seconds: u64,
}

/// How calls come.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// So many wait for their answer at any moment: as fast as it goes.
    InFlight(usize),
    /// So many a second, whatever becomes of them.
    PerSecond(u32),
}

/// Calls that do nothing.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Bare {
    /// How they come.
    #[serde(flatten)]
    pub pace: Pace,
    /// Seconds that are measured.
    pub seconds: u64,
}

/// Who tells and asks: with the ledger's certificate.
#[derive(Clone)]
pub struct Judge {
    http: Client,
    url: Arc<str>,
    turn: Arc<AtomicU64>,
}

impl Judge {
    /// For a running system.
    ///
    /// # Errors
    ///
    /// It has no behavior analytics, or no certificates that can be read.
    pub fn of(stack: &Stack) -> Result<Self> {
        let pki = Pki::create(&stack.pki)?;
        let http = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("ledger")))?;
        let service = stack.services.iter().find(|service| service.name == "behavior").context("no behavior")?;
        Ok(Self { http, url: service.internal_url.as_str().into(), turn: Arc::default() })
    }

    /// Tells, and returns when all of it is stored.
    ///
    /// # Errors
    ///
    /// Something was not taken.
    pub async fn tell(&self, told: Told) -> Result<Took> {
        ensure!(told.in_flight >= 1, "nothing is in flight");
        let began = crate::instant();
        let mut tasks = JoinSet::new();
        for number in 0..told.in_flight {
            let judge = self.clone();
            tasks.spawn(async move { judge.tell_part(told, number).await });
        }
        let mut events = 0;
        while let Some(ended) = tasks.join_next().await {
            events += ended??;
        }
        ensure!(events == told.users, "{events} of {} payments were taken", told.users);
        Ok(Took { events, seconds: began.elapsed().as_secs_f64() })
    }

    /// Every so many-th batch.
    async fn tell_part(&self, told: Told, number: u64) -> Result<u64> {
        let batch = u64::try_from(BATCH)?;
        let (mut taken, end) = (0, told.from + told.users);
        let mut first = told.from + number * batch;
        while first < end {
            let now = now();
            let events = (first..end.min(first + batch)).map(|user| payment(user, now)).collect::<Result<_>>()?;
            let answer = answered(self.post("events").json(&Events { events })).await?;
            let EventResults { results } = answer.json().await?;
            taken += u64::try_from(results.iter().filter(|one| one.outcome == EventOutcome::Taken).count())?;
            first += told.in_flight * batch;
        }
        Ok(taken)
    }

    /// Asks, and reports of calls; each has as many payments as its batch.
    ///
    /// # Errors
    ///
    /// A payment was not judged.
    pub async fn scores(&self, scores: Scores) -> Result<Report> {
        let Scores { users, batch, pace, seconds } = scores;
        ensure!((1..=BATCH).contains(&batch) && users >= 1, "a call has 1 to {BATCH} payments of some users");
        let judge = self.clone();
        let call = move |_, _| {
            let judge = judge.clone();
            async move { judge.score(users, batch).await }
        };
        measured(pace, seconds, call).await
    }

    async fn score(&self, users: u64, batch: usize) -> Result<u32> {
        let now = now();
        let requests = (0..batch).map(|_| self.question(users, now)).collect();
        let request = self.post("scores").json(&ScoreRequests { requests });
        let sent = crate::instant();
        let results: api::behavior::ScoreResults = answered(request).await?.json().await?;
        let micros = u32::try_from(sent.elapsed().as_micros())?;
        let judged = results.results.iter().filter(|one| matches!(one, ScoreResult::Scored(_))).count();
        ensure!(judged == batch, "{judged} of {batch} payments were judged");
        Ok(micros)
    }

    /// Somebody pays somebody.
    fn question(&self, users: u64, now: i64) -> ScoreRequest {
        let turn = mixed(self.turn.fetch_add(1, Ordering::Relaxed));
        ScoreRequest {
            request_id: None,
            at_unix_millis: now,
            user: user(turn % users),
            payee: payee(turn >> 32),
            amount: amount(turn),
            currency: "EUR".to_owned(),
            device: None,
            place: None,
        }
    }

    /// Asks whether it is ready, which costs it nothing but the call.
    ///
    /// # Errors
    ///
    /// It is not.
    pub async fn bare(&self, Bare { pace, seconds }: Bare) -> Result<Report> {
        let judge = self.clone();
        let call = move |_, _| {
            let judge = judge.clone();
            async move {
                let sent = crate::instant();
                answered(judge.http.get(format!("{}/health/live", judge.url))).await?.bytes().await?;
                Ok(u32::try_from(sent.elapsed().as_micros())?)
            }
        };
        measured(pace, seconds, call).await
    }

    fn post(&self, what: &str) -> RequestBuilder {
        self.http.post(format!("{}/internal/v1/{what}", self.url))
    }
}

async fn measured<C, A>(pace: Pace, seconds: u64, call: C) -> Result<Report>
where
    C: Fn(usize, usize) -> A + Clone + Send + 'static,
    A: Future<Output = Result<u32>> + Send + 'static,
{
    ensure!(seconds >= 1, "nothing is measured in no time");
    match pace {
        Pace::InFlight(calls) => report(calls, seconds, call).await,
        Pace::PerSecond(calls) => paced(calls, seconds, call).await,
    }
}

async fn answered(request: RequestBuilder) -> Result<Response> {
    let response = request.timeout(PATIENCE).send().await?;
    ensure!(response.status().is_success(), "a call was answered {}", response.status());
    Ok(response)
}

fn payment(number: u64, now: i64) -> Result<Event> {
    let turn = mixed(number);
    Ok(Event::Payment {
        id: id(now, number)?,
        at_unix_millis: now - i64::try_from(turn % DAYS)? * DAY_MILLIS,
        user: user(number),
        payee: payee(turn >> 32),
        amount: amount(turn),
        currency: "EUR".to_owned(),
        decision_id: None,
    })
}

/// As the ledger's are made (RFC 9562, version 7): those of one time stand beside each other in the index.
fn id(now: i64, number: u64) -> Result<Id> {
    let low = mixed(number);
    let text = format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        now >> 16,
        now & 0xffff,
        low >> 52,
        low >> 40 & 0xfff,
        low & 0xff_ffff_ffff
    );
    Ok(text.parse()?)
}

fn now() -> i64 {
    SystemClock.unix_nanos() / 1_000_000
}

fn user(number: u64) -> api::Pseudonym {
    format!("load-user-{number}").as_str().into()
}

fn payee(number: u64) -> api::Pseudonym {
    format!("load-payee-{}", number % PAYEES).as_str().into()
}

/// Up to 200, to the cent.
fn amount(number: u64) -> String {
    format!("{}.{:02}", 1 + number / 100 % 199, number % 100)
}

/// Numbers without a pattern, the same in every run (`SplitMix64`).
fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
